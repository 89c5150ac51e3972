"""The form of a reply, or of a piece of one, in the OpenAI wire format, read leniently: fields that we do not know are
skipped, and log-probs that are none are left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from mathagent.models.token_counts import StatedTokens


class _Wire(BaseModel):
    """Base of what we read."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


def _is_finite(logprob: Any) -> bool:
    return type(logprob) in (int, float) and bool(-(2**53) < logprob < 2**53)


def _possible(alternatives: object) -> object:
    """Without those of probability 0, which servers give as null or -Infinity: neither is kept by JSON as it is."""
    if not isinstance(alternatives, list):
        return alternatives
    return [one for one in alternatives if isinstance(one, Mapping) and _is_finite(one.get("logprob"))]


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


class AlternativeForm(_Wire):
    """A token and its log-probability."""

    token: str
    logprob: float = Field(allow_inf_nan=False)


class TokenForm(AlternativeForm):
    """A token of the reply, and what might have stood in its place."""

    top_logprobs: Annotated[list[AlternativeForm] | None, BeforeValidator(_possible)] = None


class LogprobsForm(_Wire):
    """The tokens of a reply or of a piece."""

    content: list[TokenForm] | None = None


class FunctionForm(_Wire):
    """What a tool call calls, or a piece of it."""

    name: str | None = None
    arguments: Any = None  # a text by the format, the JSON value itself with some servers


class ToolCallForm(_Wire):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: FunctionForm | None = None


class PartForm(_Wire):
    """A part of a turn's content: text, or (Mistral) thinking, whose parts are of this form again."""

    text: str | None = None
    thinking: Any = None

    @property
    def thought(self) -> str:
        parts = self.thinking if isinstance(self.thinking, list) else [{"text": self.thinking}]
        found = [part.get("text") for part in parts if isinstance(part, Mapping)]
        return "".join(one for one in found if isinstance(one, str))


class TurnForm(_Wire):
    """A turn of the assistant, or what a piece adds to it."""

    content: str | list[PartForm] | None = None
    reasoning_content: Any = None  # DeepSeek, vLLM, SGLang, llama.cpp
    reasoning: Any = None  # OpenRouter, newer vLLM, Ollama
    tool_calls: list[ToolCallForm] | None = None

    @property
    def text(self) -> str:
        parts = self.content or ""
        return parts if isinstance(parts, str) else "".join(part.text or "" for part in parts)

    @property
    def thinking(self) -> str:
        """What a reasoning parser has taken out of the text; a server that sends several names says it as often."""
        parts = self.content if isinstance(self.content, list) else []
        said = (self.reasoning_content, self.reasoning, "".join(part.thought for part in parts))
        return next((one for one in said if isinstance(one, str) and one), "")


class ChoiceForm(_Wire):
    """One sample, or a piece of it."""

    index: int | None = None
    message: TurnForm | None = None
    delta: TurnForm | None = None
    finish_reason: str | None = None
    logprobs: Annotated[LogprobsForm | None, WrapValidator(_or_none)] = None


class ReplyForm(_Wire):
    """A reply, or a chunk of a stream."""

    choices: list[ChoiceForm] = Field(default_factory=list)
    usage: Any = None

    @property
    def tokens(self) -> StatedTokens | None:
        return StatedTokens.model_validate(self.usage) if isinstance(self.usage, Mapping) else None

    def numbered(self) -> list[tuple[int, ChoiceForm]]:
        """The samples by their index; by their place where it is missing or, in a whole reply, stands twice."""
        found = [place if one.index is None else one.index for place, one in enumerate(self.choices)]
        is_whole = all(one.message is not None for one in self.choices)
        if is_whole and len(set(found)) < len(found):
            found = list(range(len(self.choices)))
        return list(zip(found, self.choices, strict=True))
