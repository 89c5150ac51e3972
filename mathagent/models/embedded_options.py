"""What an embedded model is run with: ``embedded:NAME?kv_k=q8_0&lookup=ngram-simple&lora=/path/a.gguf:0.5``. Pure.

Everything is checked here, before anything is fetched or started; what llama.cpp would ignore, or do wrongly, is
refused by name. Speculation is that of prompt lookup (CopySpec, arXiv 2502.08923, is of the same kind) or of a small
draft model ("Fast Inference from Transformers via Speculative Decoding", arXiv 2211.17192); the cache of keys and
values may be quantised.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, model_validator

from mathagent.errors import UnknownName, UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.plain_chat import Template, with_turn_end
from mathagent.types import Value

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
LookupKind = Literal["ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache"]
Pooling = Literal["last", "mean"]

REFUSED = {
    "draft-eagle3": "it needs a head trained for the model, and none comes with ours; use draft=MODEL",
    "draft-mtp": "it needs a model with such heads, and ours have none; use draft=MODEL",
    "draft-dflash": "it needs a draft made for the model, and none comes with ours; use draft=MODEL",
    "draft-dspark": "it needs a draft made for the model, and none comes with ours; use draft=MODEL",
    "control_vector": "the runtime's Python package cannot load control vectors; use the hf: backend",
    "slot_save": "prompts are kept in memory only; replies are kept by the completion cache",
    "gpu_layers": "the runtime is built for processors; serve the model elsewhere and use openai:NAME@URL",
}
"""What llama.cpp knows and this backend does not do, by the name that one would look for it by, and why."""


CAPABILITIES = Capabilities(
    n=True,
    logprobs=True,
    seed=True,
    json_schema=True,
    grammar=True,
    regex=True,
    continue_assistant=True,
    streaming=True,
)
"""Each was tried against the real server. Not tool_calls: the small coder models write the call as text, which
llama.cpp does not read as one. ``seed`` repeats a request that has the server to itself; beside others the
sums are rounded in another order, and now and then another token comes out."""


class Adapter(Value):
    """An adapter (LoRA, arXiv 2106.09685) as a GGUF file, and the scale at which it is added where a request says
    nothing. Its name is that of its file, without suffix."""

    path: str
    scale: float = Field(default=1.0, allow_inf_nan=False)

    @property
    def name(self) -> str:
        return Path(self.path).stem


def _adapter(text: object) -> object:
    """``PATH`` or ``PATH:SCALE``, as llama.cpp writes it."""
    if not isinstance(text, str):
        return text
    path, separator, scale = text.rpartition(":")
    try:
        return {"path": path, "scale": float(scale)} if separator else {"path": text}
    except ValueError:
        return {"path": text}


class EmbeddedOptions(Value):
    """``None``: the default. What shapes replies is part of the model's identity."""

    slots: int | None = Field(default=None, ge=1, le=64, description="Replies written at the same time.")
    threads: int | None = Field(default=None, ge=1, le=512, description="Threads of the processor.")
    context: int | None = Field(default=None, ge=256, description="Tokens of one slot, prompt and reply together.")
    kv_k: CacheType = Field(default="f16", description="How the keys of the cache are stored.")
    kv_v: CacheType = Field(default="f16", description="How the values of the cache are stored.")
    lookup: LookupKind | None = Field(default=None, description="Proposes again what the text holds already.")
    lookup_ngram: int | None = Field(default=None, ge=1, le=1024, description="Tokens that must be the same.")
    lookup_tokens: int | None = Field(default=None, ge=1, le=1024, description="Tokens proposed at a time.")
    draft: str = Field(default="", description="A small model that proposes tokens: a name, or a GGUF file.")
    draft_tokens: int | None = Field(default=None, ge=1, le=64, description="Tokens proposed at a time.")
    draft_p_min: float | None = Field(default=None, ge=0, lt=1, description="Proposes while this probable.")
    lora: tuple[Annotated[Adapter, BeforeValidator(_adapter)], ...] = Field(
        default=(), description="Adapters: PATH or PATH:SCALE; may be repeated."
    )
    template: Template | None = Field(
        default=None, description="plain: chats are shown as questions and answers, to base models."
    )
    embeddings: Pooling | None = Field(
        default=None, description="Turns texts into vectors too: of their last token, or the mean of all."
    )

    @model_validator(mode="after")
    def _fitting(self) -> EmbeddedOptions:
        if self.lookup and self.draft:
            raise ValueError("lookup and draft are two ways to propose tokens; leave out one of them")
        for name in ("lookup_ngram", "lookup_tokens"):
            if getattr(self, name) is None:
                continue
            if self.lookup is None:
                raise ValueError(f"{name} has no use without lookup")
            if self.lookup == "ngram-cache":
                raise ValueError(f"lookup=ngram-cache has no {name}: its n-grams are of 1 to 4 tokens")
        for name in ("draft_tokens", "draft_p_min"):
            if getattr(self, name) is not None and not self.draft:
                raise ValueError(f"{name} has no use without draft")
        names = [adapter.name for adapter in self.lora]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two adapters are named {twice}; rename one of the files")
        return self

    @property
    def speculates(self) -> bool:
        return self.lookup is not None or bool(self.draft)

    @property
    def query(self) -> str:
        """As a person would write it again, behind the model's name; "" where nothing is set."""
        return _query(self._pairs())

    def shaping(self, stamps: Sequence[str]) -> str:
        """Those that decide what the model replies, as a part of its identity; ``stamps`` tell the adapters' files from
        others of the same name.

        Speculation is one of them: it draws other random numbers, and rounds sums in another order.
        """
        beside = ("slots", "threads", "embeddings")
        pairs = [pair for pair in self._pairs() if pair[0] not in beside]
        return _query([*pairs, *(("stamp", stamp) for stamp in stamps)])

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do with these options. No log-probs with speculation: of an accepted proposal llama.cpp
        says 0.0, whatever it is."""
        found = {
            "logprobs": not self.speculates,
            "lora": bool(self.lora),
            "embeddings": self.embeddings is not None,
        }
        return CAPABILITIES.model_copy(update=found)

    def fields(self, request: ChatRequest, backend: str) -> dict[str, JsonValue]:
        """What is sent beside ``request``: the scale of every adapter, since the server's own list is shared by all,
        and what ends a base model's turn.

        Raises UnknownName for an adapter that there is not.
        """
        names = [one.name for one in self.lora]
        asked = request.lora if request.lora is not None else {one.name: one.scale for one in self.lora}
        unknown = next((name for name in asked if name not in names), None)
        if unknown is not None:
            raise UnknownName(f"adapter of {backend}", unknown, names)
        scales: list[JsonValue] = [
            {"id": index, "scale": asked.get(name, 0.0)} for index, name in enumerate(names)
        ]
        fields: dict[str, JsonValue] = {"lora": scales} if scales else {}
        if self.template == "plain":
            fields["stop"] = list(with_turn_end(request.params.stop))
        return fields

    def _pairs(self) -> list[tuple[str, str]]:
        pairs: list[tuple[str, str]] = []
        for name, value in self.model_dump(exclude_defaults=True, exclude={"lora"}).items():
            pairs.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
        for one in self.lora:
            pairs.append(("lora", one.path if one.scale == 1.0 else f"{one.path}:{one.scale:g}"))
        return pairs


def split_options(name: str) -> tuple[str, EmbeddedOptions]:
    """The model's name and its options in ``NAME?OPTIONS``.

    Raises UnknownName for an option that there is not, UnsupportedOption for one that the runtime cannot do, UsageError
    for a wrong value or a combination that cannot be.
    """
    model, _, query = name.partition("?")
    values: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        for asked in (key, value):
            if asked in REFUSED:
                raise UnsupportedOption(f"embedded:{model}", asked, REFUSED[asked])
        if key not in EmbeddedOptions.model_fields:
            raise UnknownName("option of embedded models", key, EmbeddedOptions.model_fields)
        if key == "lora":
            values[key] = (*values.get(key, ()), value)
        elif key in values:
            raise UsageError(f"embedded:{model}: {key} is given twice; leave it out once")
        else:
            values[key] = value
    if query and not values:
        raise UsageError(f"embedded:{model}: '{query[:80]}' is no option; write for example ?kv_k=q8_0")
    try:
        return model, EmbeddedOptions.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"embedded:{model}: {_said(error)}") from error


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    return f"{first['loc'][0]} = {first['input']!r} is wrong: {message}" if first["loc"] else message


def _query(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs, safe='/:')}" if pairs else ""
