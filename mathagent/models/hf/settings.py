"""How a local transformers model is run, as it stands behind its name: ``hf:NAME?dtype=bf16&kv_gb=8``. Pure.

Each setting is checked by itself; combinations that transformers cannot do are refused by name, before anything is
loaded (it would raise an IndexError in the middle of a reply, or leave the one of two out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from mathagent.errors import UnknownName, UnsupportedOption, UsageError
from mathagent.models.embedded_options import Adapter
from mathagent.models.plain_chat import Template
from mathagent.types import Value

DEFAULT_PARALLEL = 64
LORA = "lora"
Adapters = tuple[tuple[str, float], ...]
"""The adapters in use: (name, scale) of each, by name."""
Engine = Literal["batched", "one at a time", "speculative"]


def _switch(value: object) -> object:
    """``on`` and ``off`` beside what pydantic reads as truth values."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch)]


class RoleAdapter(Adapter):
    """An adapter (LoRA, arXiv 2106.09685) as a folder that PEFT has written; ``role`` "": for roles without one."""

    role: str = ""

    @property
    def name(self) -> str:
        """The folder's, a version's dots and all."""
        return Path(self.path).name


class HfSettings(Value):
    """One setting a field."""

    model_config = ConfigDict(allow_inf_nan=False)

    dtype: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        default="auto", description="bf16 on a GPU that can, fp32 on a CPU where that fits."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?|xpu(:\d+)?)$",
        description="auto: all GPUs, else the CPU.",
    )
    quantize: Literal["none", "8bit", "4bit"] = Field(
        default="none", description="Of the weights, by bitsandbytes."
    )
    attention: Literal["auto", "sdpa", "eager"] = Field(default="auto", description="Who computes attention.")
    context: int | None = Field(default=None, ge=64, description="Tokens of prompt and reply; none: the model's.")
    parallel: int | None = Field(default=None, ge=1, le=4096, description="Samples drawn in one batch at most.")
    kv_gb: float | None = Field(default=None, gt=0, description="Memory of keys and values; none: a safe share.")
    kv_cache: Literal["auto", "fp8", "int8", "int4", "int2", "static"] = Field(
        default="auto", description="How keys and values are kept; all but auto draw one sample at a time."
    )
    compile: Switch = Field(default=False, description="torch.compile; with kv_cache=static only.")
    prompt_lookup: int | None = Field(
        default=None, ge=1, le=64, description="Tokens copied from earlier text and checked at once (CopySpec)."
    )
    ngram: int = Field(default=3, ge=1, le=16, description="Of how many tokens a match for prompt_lookup is.")
    assistant: str = Field(default="", description="A small model that drafts: a name or a folder.")
    assistant_tokens: int = Field(default=20, ge=1, le=64, description="Drafted at once at most.")
    assistant_confidence: float = Field(
        default=0.4, ge=0, le=1, description="Drafting ends below this probability (adaptive length)."
    )
    template: Template | None = Field(
        default=None, description="plain: chats are shown as questions and answers, to base models."
    )
    thinking: Switch | None = Field(
        default=None, description="on or off, for templates that can (enable_thinking)."
    )
    thinking_tokens: int | None = Field(default=None, ge=0, description="How long it may think; 0: not at all.")
    top_k: int = Field(default=0, ge=0, description="Only the k likeliest tokens; 0: all.")
    min_p: float = Field(
        default=0.0, ge=0, lt=1, description="Only tokens this likely, measured by the likeliest."
    )
    lora: tuple[RoleAdapter, ...] = Field(
        default=(), description="lora=FOLDER or lora_ROLE=FOLDER, each with :SCALE behind; may be repeated."
    )
    steering: str = Field(default="", description="A file made by mathagent's steering vectors.")
    strength: float | None = Field(default=None, description="How strongly it steers; none: as the file says.")
    self_contrast: int | None = Field(
        default=None, ge=1, description="Replies are set against those of the expert of this rank alone (SCMoE)."
    )
    self_contrast_beta: float = Field(default=0.5, ge=0, description="How strongly they are.")
    self_contrast_alpha: float = Field(
        default=0.1, gt=0, le=1, description="Only tokens this likely without it, measured by the likeliest."
    )

    @property
    def engine(self) -> Engine:
        """What runs the model."""
        if self.prompt_lookup is not None or self.assistant:
            return "speculative"
        return "batched" if self.kv_cache == "auto" else "one at a time"

    @property
    def rows(self) -> int:
        """Samples in one batch at most."""
        return (self.parallel or DEFAULT_PARALLEL) if self.engine == "batched" else 1

    @property
    def template_arguments(self) -> dict[str, bool]:
        """What chat templates are told beside the messages."""
        thinking = False if self.thinking_tokens == 0 else self.thinking
        return {} if thinking is None else {"enable_thinking": thinking}

    @property
    def adapter_paths(self) -> dict[str, str]:
        """The folder of each adapter, by its name, which is the folder's own."""
        return {one.name: one.path for one in self.lora}

    def adapters(self, role: str, asked: Mapping[str, float] | None, backend: str) -> Adapters:
        """What ``role`` speaks with, or what its request has ``asked`` for: (name, scale) of each adapter in use.

        Raises UnknownName for an adapter that there is not.
        """
        if asked is None:
            own = [one for one in self.lora if one.role == role] or [one for one in self.lora if not one.role]
            asked = {one.name: one.scale for one in own}
        unknown = next((name for name in asked if name not in self.adapter_paths), None)
        if unknown is not None:
            raise UnknownName(f"adapter of {backend}", unknown, self.adapter_paths)
        return tuple(sorted((name, scale) for name, scale in asked.items() if scale))

    @property
    def shaping(self) -> dict[str, object]:
        """Those that decide what the model replies: they are part of its identity."""
        kept = self.model_dump(exclude_defaults=True, exclude={"device", "parallel", "kv_gb", "context", "lora"})
        written = {f"{LORA}_{one.role}".rstrip("_"): f"{one.path}:{one.scale:g}" for one in self.lora}
        return kept | written


def read_settings(name: str) -> tuple[str, HfSettings]:
    """The model's name, and the settings behind its ``?``.

    Raises UsageError for a setting that is not known or has a wrong value, UnsupportedOption for a combination that
    cannot be done.
    """
    model, _, query = name.partition("?")
    given: dict[str, object] = {}
    lora: list[dict[str, object]] = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == LORA or key.startswith(f"{LORA}_"):
            lora.append({"role": key.removeprefix(LORA).removeprefix("_"), **_adapter(value)})
        elif key in given:
            raise UsageError(f"hf:{model}: {key} is given twice; leave it out once")
        else:
            given[key] = value
    try:
        settings = HfSettings.model_validate(given | {"lora": lora})
    except ValidationError as error:
        first = error.errors()[0]
        setting = first["loc"][0]
        if first["type"] == "extra_forbidden":
            known = ", ".join(HfSettings.model_fields)
            raise UsageError(f"hf:{model} has no setting '{setting}'; known: {known}, lora_ROLE") from error
        raise UsageError(f"hf:{model}: {setting} = {first['input']!r} is wrong: {first['msg']}") from error
    check_combination(f"hf:{model}", settings)
    return model, settings


def _adapter(text: str) -> dict[str, object]:
    """``FOLDER`` or ``FOLDER:SCALE``."""
    path, separator, scale = text.rpartition(":")
    try:
        return {"path": path, "scale": float(scale)} if separator else {"path": text}
    except ValueError:
        return {"path": text}


_NEEDED = {
    "ngram": ("prompt_lookup", "add prompt_lookup=TOKENS"),
    "assistant_tokens": ("assistant", "add assistant=MODEL"),
    "assistant_confidence": ("assistant", "add assistant=MODEL"),
    "strength": ("steering", "add steering=FILE"),
    "self_contrast_beta": ("self_contrast", "add self_contrast=RANK"),
    "self_contrast_alpha": ("self_contrast", "add self_contrast=RANK"),
}
"""Settings that say how another is done: (the other, what to do where it is not there)."""


def check_combination(backend: str, settings: HfSettings) -> None:
    """Raises UnsupportedOption, by name, for settings that cannot be had together; UsageError for two adapters of one
    name."""
    names = {one.name: one.path for one in settings.lora}
    twice = next((one.name for one in settings.lora if names[one.name] != one.path), None)
    if twice is not None:
        raise UsageError(f"{backend}: two adapters are named {twice}; rename one of the folders")
    draft = "prompt_lookup" if settings.prompt_lookup is not None else "assistant" if settings.assistant else ""
    cache = "" if settings.kv_cache == "auto" else f"kv_cache={settings.kv_cache}"
    if draft and settings.prompt_lookup is not None and settings.assistant:
        raise UnsupportedOption(backend, "prompt_lookup with assistant", "choose who drafts: one of the two")
    if draft and cache:
        advice = "its drafts cannot be taken back out of such a cache; leave out one of the two"
        raise UnsupportedOption(backend, f"{draft} with {cache}", advice)
    if (draft or cache) and (settings.parallel or 1) > 1:
        advice = "transformers does this for one sample at a time; leave out one of the two"
        raise UnsupportedOption(backend, f"{draft or cache} with parallel={settings.parallel}", advice)
    if settings.compile and settings.kv_cache != "static":
        advice = "its shapes must stand still; add kv_cache=static"
        raise UnsupportedOption(backend, "compile without kv_cache=static", advice)
    if settings.steering and (draft or settings.compile):
        advice = (
            "drafts are checked several tokens at a time, and compiled code has no hooks; leave out one of the two"
        )
        raise UnsupportedOption(backend, f"steering with {draft or 'compile'}", advice)
    if draft and settings.thinking_tokens:
        raise UnsupportedOption(
            backend, f"thinking_tokens with {draft}", "it cannot be told to end within a draft"
        )
    if settings.thinking_tokens and settings.thinking is False:
        raise UnsupportedOption(backend, "thinking_tokens with thinking=off", "leave out one of the two")
    if settings.self_contrast is not None and (draft or settings.compile):
        advice = "each token is read twice, and compiled code cannot be routed anew; leave out one of the two"
        raise UnsupportedOption(backend, f"self_contrast with {draft or 'compile'}", advice)
    for name, (needed, advice) in _NEEDED.items():
        if name in settings.model_fields_set and not getattr(settings, needed):
            raise UnsupportedOption(backend, f"{name} without {needed}", advice)


def with_shaping(identity: str, settings: HfSettings, stamps: Sequence[str] = ()) -> str:
    """``identity`` of the weights, with the settings that decide the replies; ``stamps`` tell the files that those name
    from others in their place."""
    pairs = [*settings.shaping.items(), *(("stamp", stamp) for stamp in stamps if stamp)]
    return f"{identity}?{urlencode(pairs, safe='/:')}" if pairs else identity
