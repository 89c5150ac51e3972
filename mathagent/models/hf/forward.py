"""One forward pass over a batch of rows, prompts or single tokens, and the logits that come next."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch

from mathagent.models.hf.contrast import SelfContrast
from mathagent.models.hf.kv import RowCache, attention_masks, rounded
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.steering import Steering

PADDING = -1


class Forward:
    """Runs the model over rows of a RowCache: with ``contrast`` the weak passes, which follow strong ones over the same
    tokens and keep their keys and values behind those."""

    def __init__(
        self,
        loaded: Loaded,
        cache: RowCache,
        steering: Steering | None = None,
        contrast: SelfContrast | None = None,
    ) -> None:
        self._loaded, self._cache, self.steering, self._contrast = loaded, cache, steering, contrast
        self._layer = 0 if contrast is None else int(loaded.config.num_hidden_layers)
        adds = loaded.model.config._attn_implementation == "eager"
        takes = inspect.signature(loaded.model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._mask_dtype: torch.dtype | None = loaded.model.dtype if adds else None

    def probe(self) -> int:
        """Bytes that one token's keys and values take in all layers, found by a pass over one token.

        Raises whatever the model does where it cannot be run like this.
        """
        self._cache.resize(1, rounded(1))
        self.prompts(0, [[min(self._loaded.stop_ids, default=0)]], [0], [1], 1)
        found = self._cache.bytes_per_token
        self._cache.clear()
        return found

    def next_tokens(
        self, tokens: Sequence[int], places: Sequence[int], prompt_lengths: Sequence[int]
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] after ``tokens``, one for each of the first rows, at columns ``places``.

        ``prompt_lengths`` tell where each row's reply begins, which is what may be steered.
        """
        ids = torch.tensor(tokens, dtype=torch.long)[:, None]
        return self._pass(0, ids, torch.tensor(places, dtype=torch.long)[:, None], prompt_lengths)

    def prompts(
        self,
        first: int,
        tails: Sequence[Sequence[int]],
        starts: Sequence[int],
        prompt_lengths: Sequence[int],
        most: int,
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] after the ``tails`` of the rows from ``first`` on, which begin at ``starts``.

        The tails end side by side, so that one place of the output holds the logits of all; at most ``most`` tokens go
        through the model at once, padding included.
        """
        longest = max(map(len, tails))
        ids = torch.zeros(len(tails), longest, dtype=torch.long)
        places = torch.full((len(tails), longest), PADDING, dtype=torch.long)
        for row, (tail, start) in enumerate(zip(tails, starts, strict=True)):
            ids[row, longest - len(tail) :] = torch.tensor(tail, dtype=torch.long)
            places[row, longest - len(tail) :] = torch.arange(start, start + len(tail))
        step = max(1, most // len(tails))
        logits = torch.empty(0)
        for begin in range(0, longest, step):
            part = slice(begin, begin + step)
            logits = self._pass(first, ids[:, part], places[:, part], prompt_lengths)
        return logits

    def _pass(
        self, first: int, ids: torch.Tensor, places: torch.Tensor, prompt_lengths: Sequence[int]
    ) -> torch.Tensor:
        loaded, device = self._loaded, self._loaded.device
        seen = min(rounded(int(places.max()) + 1), self._cache.columns)
        self._cache.begin(first, places.to(device), seen, self._layer)
        if self.steering is not None:
            self.steering.aim(ids, places, prompt_lengths)
        positions = places.clamp(min=0).to(device)
        arguments: dict[str, Any] = {
            "input_ids": ids.to(device),
            "position_ids": positions,
            "attention_mask": attention_masks(positions, seen, loaded.config, self._mask_dtype),
            loaded.cache_argument: self._cache,
            "use_cache": True,
            **self._last_only,
        }
        with nullcontext() if self._contrast is None else self._contrast.weak():
            logits: torch.Tensor = loaded.model(**arguments).logits
        return logits[:, -1].to(device)
