"""Drafts that the model checks several tokens at a time: copied from earlier text, or written by a small model.

Greedy replies are those without drafts; sampled ones follow the same distribution, but not the same seed's text.
Papers: CopySpec (arXiv 2502.08923) copies after a match of the last tokens, as prompt lookup does here; SpecDec++
(arXiv 2405.19715) ends a draft where its acceptance gets unlikely, for which the draft's own probability stands in.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers

from mathagent.errors import BackendError
from mathagent.models.hf.alone import longest_alone
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.jobs import Job, Sample
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.sampling import Chosen
from mathagent.models.hf.settings import HfSettings


class SpeculativeEngine(Engine):
    """Draws the samples one after another by ``generate``, which is stopped from within where a reply ends."""

    kind = "speculative"

    def __init__(
        self,
        loaded: Loaded,
        settings: HfSettings,
        *,
        kv_bytes: int,
        assistant: tuple[Any, Any] | None = None,
    ) -> None:
        """``assistant`` is the drafting model and its tokenizer, where one is used."""
        super().__init__(loaded)
        self._settings = settings
        self._longest = longest_alone(loaded, settings, kv_bytes)
        self._current: tuple[Job, Sample] | None = None
        self._passes = self._drawn = 0
        self._options = self._draft_options(assistant)

    @property
    def longest(self) -> int:
        return self._longest

    @property
    def facts(self) -> dict[str, Any]:
        """``tokens a pass``: 1 is what there would be without drafts."""
        gain = round(self._drawn / self._passes, 2) if self._passes else None
        return {**super().facts, "drawn": self._drawn, "passes": self._passes, "tokens a pass": gain}

    @property
    def _running(self) -> list[tuple[Job, Sample]]:
        return [] if self._current is None else [self._current]

    def _drop(self) -> None:
        self._current = None

    def _step(self) -> None:
        if not self._waiting:
            return
        job, sample = self._current = self._waiting.popleft()
        if not job.cancelled:
            self.loaded.use_adapters(job.adapters)
            self._generate(job, sample)
            if sample.ended is None and not job.cancelled:  # nobody else would tell its job
                broken = BackendError(f"{self.loaded.name}: generate stopped before the reply's end")
                raise self._closed() if self._closing else broken
        self._drop()

    def _generate(self, job: Job, sample: Sample) -> None:
        ids = torch.tensor([sample.tokens], device=self.loaded.device)
        gpus = [self.loaded.device] if self.loaded.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(sample.draw.uniform.getrandbits(63))  # generate knows no generator of one's own
            output = self.loaded.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=self._generation(sample),
                stopping_criteria=transformers.StoppingCriteriaList([_Listener(self, job, sample)]),
                **self._options,
            )
        self._hear(job, sample, output[0].tolist())

    def _generation(self, sample: Sample) -> transformers.GenerationConfig:
        """Every sampler said, so that none of the model's own files is used instead: generate fills in what is None."""
        warm, draw = sample.draw.temperature > 0, sample.draw
        sampling = (
            {
                "temperature": draw.temperature,
                "top_p": draw.top_p,
                "top_k": draw.top_k,
                "min_p": draw.min_p,
                "typical_p": 1.0,
            }
            if warm
            else {}
        )
        lookup = self._settings.prompt_lookup
        drafts = (
            {}
            if lookup is None
            else {"prompt_lookup_num_tokens": lookup, "max_matching_ngram_size": self._settings.ngram}
        )
        return transformers.GenerationConfig(
            max_new_tokens=sample.most,
            do_sample=warm,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=sorted(self.loaded.stop_ids),
            pad_token_id=min(self.loaded.stop_ids, default=0),
            **sampling,
            **drafts,
        )

    def _draft_options(self, assistant: tuple[Any, Any] | None) -> dict[str, Any]:
        if assistant is None:
            return {}
        model, tokenizer = assistant
        model.generation_config.num_assistant_tokens = self._settings.assistant_tokens
        model.generation_config.num_assistant_tokens_schedule = "constant"
        model.generation_config.assistant_confidence_threshold = self._settings.assistant_confidence
        if model.config.get_text_config().vocab_size == self.loaded.config.vocab_size:
            return {
                "assistant_model": model
            }  # for transformers the tokenizers are the same then, and not to be given
        return {"assistant_model": model, "tokenizer": self.loaded.tokenizer, "assistant_tokenizer": tokenizer}

    def _hear(self, job: Job, sample: Sample, tokens: list[int]) -> bool:
        """Takes in the tokens that are new; returns whether no more are wanted."""
        for token in tokens[len(sample.tokens) :]:
            if sample.ended is not None:
                break
            sample.take(Chosen(token), self.loaded.stop_ids)
            self._drawn += 1
            if sample.ended is not None:
                self._outbox.progressed(job, sample)
        if sample.ended is None:
            self._outbox.progressed(job, sample)
        self._outbox.send()
        return sample.ended is not None or job.cancelled or self._closing


class _Listener(transformers.StoppingCriteria):
    """Is asked by ``generate`` after each pass whether to stop."""

    def __init__(self, engine: SpeculativeEngine, job: Job, sample: Sample) -> None:
        self._engine, self._job, self._sample = engine, job, sample

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self._engine._passes += 1
        stop = self._engine._hear(self._job, self._sample, input_ids[0].tolist())
        return torch.full((len(input_ids),), stop, device=input_ids.device)
