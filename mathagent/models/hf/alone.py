"""One sample at a time, for what has no rows: transformers' quantised and static caches, and recurrent models."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

import torch
from transformers import DynamicCache, QuantizedCache, StaticCache

from mathagent.errors import UnsupportedOption, UsageError
from mathagent.models.hf.contrast import Contrast, SelfContrast
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.jobs import Job, Sample
from mathagent.models.hf.kv import is_batchable
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.sampling import choose
from mathagent.models.hf.settings import HfSettings
from mathagent.models.hf.steering import Steering

PROMPT_TOKENS = 4096
"""Tokens of a prompt that go through the model at once, where it keeps plain keys and values. One with a recurrent
state reads the whole prompt: Mamba's scan over several tokens begins anew, whatever state there is."""
_BITS = {"int8": 8, "int4": 4, "int2": 2}
_SHARES = {"fp8": 2, "int8": 2, "int4": 4, "int2": 8}
"""How many times less than 16 bits a number takes (the last tokens are kept whole)."""


class AloneEngine(Engine):
    """Draws the samples one after another, each with a cache of its own; one token a step."""

    kind = "one at a time"

    def __init__(
        self,
        loaded: Loaded,
        settings: HfSettings,
        *,
        kv_bytes: int,
        steering: Steering | None = None,
        contrast: SelfContrast | None = None,
    ) -> None:
        super().__init__(loaded, steering, contrast)
        self._settings = settings
        self._longest = longest_alone(loaded, settings, kv_bytes)
        self._at_once = PROMPT_TOKENS if is_batchable(loaded.config) else self._longest
        takes = inspect.signature(loaded.model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._current: tuple[Job, Sample] | None = None
        self._routings = 1 if contrast is None else 2
        self._caches: list[Any] = []
        self._static: list[Any] = []
        self._one_token = torch.compile(loaded.model.forward) if settings.compile else loaded.model
        if settings.kv_cache == "static":
            self._static = [
                StaticCache(config=loaded.config, max_cache_len=self._longest) for _ in range(self._routings)
            ]
        elif settings.kv_cache != "auto":
            self._new_caches()  # what it needs is missed now rather than in the middle of a solve

    @property
    def longest(self) -> int:
        return self._longest

    @property
    def facts(self) -> dict[str, Any]:
        return {**super().facts, "kv cache": self._settings.kv_cache, "compiled": self._settings.compile}

    @property
    def _running(self) -> list[tuple[Job, Sample]]:
        return [] if self._current is None else [self._current]

    def _drop(self) -> None:
        self._current, self._caches = None, []

    def _step(self) -> None:
        if self._current is None:
            if not self._waiting:
                return
            self._current = self._waiting.popleft()
            self.loaded.use_adapters(self._current[0].adapters)
            self._caches = self._new_caches()
        job, sample = self._current
        if job.cancelled:
            self._drop()
            return
        logits, contrast = self._pass(sample)
        sample.stored = len(sample.tokens)
        allowed = sample.constraint.allowed() if sample.constraint else None
        (chosen,) = choose(logits, [sample.draw], [allowed], contrast, [sample.forced()])
        sample.take(chosen, self.loaded.stop_ids)
        self._outbox.progressed(job, sample)
        if sample.ended is not None:
            self._drop()

    def _pass(self, sample: Sample) -> tuple[torch.Tensor, Contrast | None]:
        """Logits [1, vocabulary] after all tokens of the sample, and what they are set against."""
        logits = weak = torch.empty(0)
        new = sample.tokens[sample.stored :]
        for begin in range(0, len(new), self._at_once):
            part = new[begin : begin + self._at_once]
            if self.steering is not None:
                places = torch.arange(len(part))[None, :] + sample.stored + begin
                self.steering.aim(torch.tensor([part]), places, [sample.prompt_length])
            logits = self._read(part, self._caches[0])
            if self.contrast is not None:
                with self.contrast.weak():
                    weak = self._read(part, self._caches[1])
        return logits, None if self.contrast is None else self.contrast.against(weak)

    def _read(self, tokens: list[int], cache: Any) -> torch.Tensor:
        loaded = self.loaded
        arguments = {
            "input_ids": torch.tensor([tokens], device=loaded.device),
            loaded.cache_argument: cache,
            "use_cache": True,
        }
        if len(tokens) == 1:
            logits: torch.Tensor = self._one_token(**arguments).logits
        else:
            logits = loaded.model(**arguments, **self._last_only).logits
        return logits[:, -1].to(loaded.device)

    def _new_caches(self) -> list[Any]:
        """One for each routing."""
        for one in self._static:
            one.reset()
        return self._static or [self._new_cache() for _ in range(self._routings)]

    def _new_cache(self) -> Any:
        kind, config = self._settings.kv_cache, self.loaded.config
        if kind == "auto":
            return DynamicCache(config=config)
        try:
            if kind == "fp8":
                return QuantizedCache(backend="fp8", config=config)
            return QuantizedCache(backend=_quantizer(kind), config=config, nbits=_BITS[kind])
        except (ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UnsupportedOption(self.loaded.name, f"kv_cache={kind}", reason) from error


def _quantizer(kind: str) -> str:
    """The library that quantises to ``kind``: quanto has 2 and 4 bits, HQQ all."""
    if kind != "int8" and find_spec("optimum") is not None and find_spec("optimum.quanto") is not None:
        return "quanto"
    if find_spec("hqq") is not None:
        return "hqq"
    package = "hqq" if kind == "int8" else "optimum-quanto (or hqq)"
    raise UsageError(f"kv_cache={kind} needs the package {package}: pip install {package.split()[0]}")


def longest_alone(loaded: Loaded, settings: HfSettings, kv_bytes: int) -> int:
    """Tokens that one sample may have: the context, or what keys and values of ``kv_bytes`` hold where that is less."""
    config = loaded.config
    heads = getattr(config, "num_key_value_heads", None)
    if heads is None:
        return loaded.context  # a recurrent model, whose state does not grow
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    number = loaded.model.dtype.itemsize / _SHARES.get(settings.kv_cache, 1)
    if settings.self_contrast is not None:
        number *= 2  # of the strong and of the weak pass
    return min(loaded.context, int(kv_bytes / (2 * config.num_hidden_layers * heads * size * number)))
