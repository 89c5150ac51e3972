"""A chat model of a few thousand random numbers, with a tokenizer of bytes: made here, nothing is downloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

pytest.importorskip("transformers")

import transformers

from mathagent.models.base import ChatRequest
from mathagent.models.hf.constraints import Constraints, available
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.engines import engine_for
from mathagent.models.hf.jobs import Job, Sample
from mathagent.models.hf.loading import Loaded, load
from mathagent.models.hf.requests import completion, job_of
from mathagent.models.hf.settings import HfSettings, read_settings
from mathagent.models.hf.source import source_of
from mathagent.types import Completion, Message, SamplingParams

TEMPLATE = """{%- if tools %}{{ '<|im_start|>tools\\n' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'system' and no_system %}{{ raise_exception('no place for a system message') }}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls %}{{ (call.function.arguments | tojson) }}{% endfor %}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking %}{{ '<think>\\n' }}{% endif %}{% endif %}"""
SPECIAL = ["<|im_start|>", "<|im_end|>"]
CONTEXT = 512
VOCABULARY = 272


def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytewise.decoder = decoders.ByteLevel()
    bytewise.add_special_tokens(SPECIAL)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytewise, eos_token=SPECIAL[1], pad_token=SPECIAL[1], chat_template=TEMPLATE
    )


def tiny_config(kind: str = "Qwen2", **changes: Any) -> Any:
    numbers = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.4,  # far from uniform: argmax must not hang on rounding
        "bos_token_id": None,
        "eos_token_id": 257,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    return getattr(transformers, f"{kind}Config")(**{**numbers, **changes})


def write_model(folder: Path, kind: str = "Qwen2", seed: int = 0, **changes: Any) -> Path:
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(tiny_config(kind, **changes))
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def load_tiny(folder: Path, settings: HfSettings | None = None) -> Loaded:
    return load(source_of(str(folder)), settings or HfSettings(dtype="fp32"), None, lambda: False)


def settings_of(query: str = "") -> HfSettings:
    return read_settings(f"m?dtype=fp32&device=cpu&{query}" if query else "m?dtype=fp32&device=cpu")[1]


@contextmanager
def running(loaded: Loaded, query: str = "") -> Iterator[Asked]:
    """An engine for ``loaded``, and how to ask it; closed in the end."""
    settings = settings_of(query)
    engine = engine_for(loaded, settings)
    engine.start()
    try:
        yield Asked(engine, settings)
    finally:
        engine.close()


class Asked:
    """Asks an engine as the backend does."""

    def __init__(self, engine: Engine, settings: HfSettings) -> None:
        self.engine, self.settings = engine, settings
        loaded = engine.loaded
        self._constraints = (
            Constraints(loaded.tokenizer, loaded.config.vocab_size, loaded.stop_ids) if available() else None
        )

    def job(
        self,
        request: ChatRequest,
        ended: Callable[[int, Sample], None],
        heard: Callable[[int, str], None] | None = None,
    ) -> Job:
        return job_of(self.engine, request, self.settings, self._constraints, ended, heard)

    async def __call__(
        self, request: ChatRequest, heard: Callable[[int, str], None] | None = None
    ) -> list[Completion]:
        done: dict[int, Completion] = {}

        def ended(index: int, sample: Sample) -> None:
            done[index] = completion(self.engine.loaded, request, sample)

        job = self.job(request, ended, heard)
        self.engine.submit(job)
        await job.finished
        return [done[index] for index in range(request.params.n)]

    async def all(self, requests: list[ChatRequest]) -> list[Completion]:
        done = await asyncio.gather(*(self(request) for request in requests))
        return [one for completions in done for one in completions]


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what the engine's thread does."""
    while not condition():  # noqa: ASYNC110 - no event of this loop tells of it
        await asyncio.sleep(0.005)


def ask(text: str = "Say hello.", **changes: Any) -> ChatRequest:
    """A greedy request of 24 tokens; ``changes`` are of its parameters, or of the request itself."""
    own = {name: changes.pop(name) for name in list(changes) if name in ChatRequest.model_fields}
    params = SamplingParams(**{"max_tokens": 24, **changes})
    messages = own.pop("messages", (Message(role="user", content=text),))
    return ChatRequest(messages=messages, params=params, **own)
