"""The keys and values of many samples at once: rows that come, grow and go without moving the others.

A token at position p of a row always lies in column p, so that rows of different lengths stand side by side without
padding between their tokens, and what a token may see follows from its position alone: every column up to it. The last
column is nobody's: there go the keys and values of the padding that a batch of prompts needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache

ALIGNMENT = 16
"""Columns are read in multiples of this: attention kernels are slow, or refuse, on odd lengths of a mask."""
BATCHED_LAYERS = frozenset({"full_attention", "sliding_attention"})

KeptLayers = tuple[tuple[torch.Tensor, torch.Tensor], ...]
"""Keys and values of one row, layer by layer: each of shape [heads, tokens, size of a head]."""


class RowCache(Cache):
    """Keys and values of shape [rows, heads, columns, size of a head] for each layer, allocated at first use.

    ``rows`` and ``columns`` are the capacity, the spare column not counted.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.rows = self.columns = 0
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._first = self._seen = self._layer = 0
        self._places = torch.empty(0, 0, dtype=torch.long)
        self._on_device: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def bytes_per_token(self) -> int:
        """Of all layers; known after the first forward pass."""
        layers = (*self._keys, *self._values)
        return sum(int(one.shape[1] * one.shape[3] * one.element_size()) for one in layers)

    def resize(self, rows: int, columns: int, used: Sequence[int] = ()) -> None:
        """Makes room for ``rows`` of ``columns``; ``used`` says how many columns the first rows hold, which stay.

        One layer at a time, so that the old and the new are never both there as a whole.
        """
        self.rows, self.columns = rows, columns
        kept = max(used, default=0)
        for kind in (self._keys, self._values):
            for layer, old in enumerate(kind):
                new = old.new_zeros(rows, old.shape[1], columns + 1, old.shape[3])
                if used:
                    new[: len(used), :, :kept] = old[: len(used), :, :kept]
                kind[layer] = new
                del old

    def begin(self, first: int, places: torch.Tensor, seen: int, layer: int = 0) -> None:
        """Tells where the next forward pass writes: ``places`` [rows, tokens] are the columns of its tokens (-1:
        padding) in the rows from ``first`` on; ``seen`` columns are read. The model's layers are those from ``layer``
        on: a second pass over the same tokens keeps its own behind those of the first."""
        self._first, self._seen, self._layer = first, seen, layer
        self._places = torch.where(places < 0, self.columns, places)
        self._on_device = {}

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes in the new keys and values [rows, heads, tokens, size]; returns all that the rows may see."""
        layer = self._layer + layer_idx
        if layer == len(self._keys):
            for kind, states in ((self._keys, key_states), (self._values, value_states)):
                kind.append(states.new_zeros(self.rows, states.shape[1], self.columns + 1, states.shape[3]))
        keys, values = self._keys[layer], self._values[layer]
        rows, places = self._indices(keys.device)
        keys[rows, :, places] = key_states.transpose(1, 2)
        values[rows, :, places] = value_states.transpose(1, 2)
        batch = slice(self._first, self._first + len(places))
        return keys[batch, :, : self._seen], values[batch, :, : self._seen]

    def _indices(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        if device not in self._on_device:
            rows = torch.arange(self._first, self._first + len(self._places), device=device)
            self._on_device[device] = (rows[:, None], self._places.to(device))
        return self._on_device[device]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns that were filled before this pass; asked by models that make their own masks from it."""
        return max(0, self._seen - int(self._places.shape[1]))

    def copy_row(self, source: int, target: int, tokens: int) -> None:
        """Lets row ``target`` begin with the first ``tokens`` of row ``source``."""
        for kept in (*self._keys, *self._values):
            kept[target, :, :tokens] = kept[source, :, :tokens]

    def take(self, row: int, tokens: int) -> KeptLayers:
        """A copy of the first ``tokens`` of a row."""
        pairs = zip(self._keys, self._values, strict=True)
        return tuple((keys[row, :, :tokens].clone(), values[row, :, :tokens].clone()) for keys, values in pairs)

    def put(self, row: int, kept: KeptLayers, tokens: int) -> None:
        """Lets a row begin with the first ``tokens`` of ``kept``."""
        for layer, (keys, values) in enumerate(kept):
            self._keys[layer][row, :, :tokens] = keys[:, :tokens]
            self._values[layer][row, :, :tokens] = values[:, :tokens]

    def clear(self) -> None:
        """Gives all memory back; rows and columns are 0 then."""
        self.rows = self.columns = 0
        self._keys, self._values, self._on_device = [], [], {}


def is_batchable(config: Any) -> bool:
    """Whether a model's layers keep plain keys and values, each its own: no recurrent state, no sharing of layers."""
    kinds = getattr(config, "layer_types", None)
    shares = getattr(config, "num_kv_shared_layers", 0)
    return not shares and (kinds is None or BATCHED_LAYERS.issuperset(kinds))


def attention_masks(positions: torch.Tensor, seen: int, config: Any, dtype: torch.dtype | None) -> Any:
    """What each new token may see: a mask [rows, 1, tokens, seen], or one for each kind of layer.

    ``positions`` [rows, tokens] (padding: any valid one). ``dtype`` None: true where it may see; else a number format,
    in which the mask is added to the scores.
    """
    columns = torch.arange(seen, device=positions.device)
    full = columns <= positions[:, None, :, None]
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if (
        not window
        or (kinds and "sliding_attention" not in kinds)
        or getattr(config, "use_sliding_window", True) is False
    ):
        return _as_scores(full, dtype)
    near = full & (columns > positions[:, None, :, None] - window)
    if len(kinds) < 2:
        return _as_scores(near, dtype)
    return {"full_attention": _as_scores(full, dtype), "sliding_attention": _as_scores(near, dtype)}


def _as_scores(mask: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    if dtype is None:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)


def rounded(columns: int) -> int:
    """The next multiple of ALIGNMENT."""
    return -(-columns // ALIGNMENT) * ALIGNMENT
