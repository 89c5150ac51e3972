"""What clients send to ``/v1/chat/completions``: OpenAI's request, every field of it known or refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from mathagent.agents.problem_text import is_text
from mathagent.budget import Budget
from mathagent.server.api_errors import ApiError, unsupported

MOST_MESSAGES = 200


class Sent(BaseModel):
    """Base of what clients send: unknown fields are refused, and strings that are no text wherever they stand."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _holds_text(cls, sent: Any) -> Any:
        r"""JSON can write half a character (``"\ud800"``), which no file, model or reply can hold."""
        left = [sent]
        while left:
            match left.pop():
                case str(text) if not is_text(text):
                    message = "a string holds half a character (a lone surrogate); send whole UTF-8 text"
                    raise PydanticCustomError("not_text", message)
                case dict(fields):
                    left += [*fields, *fields.values()]
                case list(items):
                    left += items
        return sent


class ContentPart(BaseModel):
    """A piece of a message; only text is taken."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """One turn. What other servers have put into it (``reasoning_content``, …) is passed over."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_calls: JsonValue = None
    function_call: JsonValue = None

    def text(self, place: str) -> str:
        """The text of the turn. Raises ApiError where it holds anything else."""
        if not isinstance(self.content, list):
            return self.content or ""
        for number, part in enumerate(self.content):
            if part.type not in ("text", "refusal"):
                raise ApiError(
                    400,
                    f"a part of type '{part.type[:40]}' is not supported; send text",
                    code="unsupported_content",
                    param=f"{place}.content.{number}",
                )
        return "".join(part.text for part in self.content)


class ResponseFormat(BaseModel):
    """``text``, or ``json_object``: see docs/server.md for the object."""

    model_config = ConfigDict(extra="allow")

    type: str


class StreamOptions(Sent):
    """``include_usage``: a last piece tells the usage."""

    include_usage: bool = False
    include_obfuscation: bool = False


class OurOptions(Sent):
    """What OpenAI's request has no field for, as ``extra_body={"mathagent": {…}}``."""

    settings: dict[str, JsonValue] = Field(default_factory=dict, description="Settings of the strategy.")
    budget: Budget = Field(default=Budget(), description="Limits of the solve.")
    min_confidence: float | None = Field(default=None, ge=0, le=1, description="Less sure: no answer is given.")


Number = Annotated[float, Field(allow_inf_nan=False)]


class ChatRequestBody(Sent):
    """A chat request. ``model`` is a strategy, ``strategy@model``, or ``mathagent``."""

    model: str = Field(min_length=1, max_length=400)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: Number | None = Field(default=None, ge=0, le=2)
    top_p: Number | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    response_format: ResponseFormat | None = None
    mathagent: OurOptions = OurOptions()

    n: JsonValue = None
    stop: JsonValue = None
    tools: JsonValue = None
    tool_choice: JsonValue = None
    parallel_tool_calls: JsonValue = None
    functions: JsonValue = None
    function_call: JsonValue = None
    frequency_penalty: JsonValue = None
    presence_penalty: JsonValue = None
    logit_bias: JsonValue = None
    logprobs: JsonValue = None
    top_logprobs: JsonValue = None
    store: JsonValue = None
    service_tier: JsonValue = None
    reasoning_effort: JsonValue = None
    verbosity: JsonValue = None
    modalities: JsonValue = None
    audio: JsonValue = None
    prediction: JsonValue = None
    web_search_options: JsonValue = None
    user: JsonValue = None
    safety_identifier: JsonValue = None
    prompt_cache_key: JsonValue = None
    metadata: JsonValue = None


_TOOLS = "strategies use tools of their own; leave it out"
_SAMPLING = "strategies sample in their own way; leave it out"
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "one answer is given, from as many samples as mathagent.settings.n says; leave it out"),
    "stop": (([], ""), "an answer is given whole; leave it out"),
    "tools": (([],), _TOOLS),
    "tool_choice": (("none", "auto"), _TOOLS),
    "functions": (([],), _TOOLS),
    "function_call": (("none", "auto"), _TOOLS),
    "frequency_penalty": ((0,), _SAMPLING),
    "presence_penalty": ((0,), _SAMPLING),
    "logit_bias": (({},), _SAMPLING),
    "logprobs": ((False,), "an answer is no text of one sample; leave it out"),
    "top_logprobs": ((0,), "an answer is no text of one sample; leave it out"),
    "store": ((False,), "solutions are at /v1/solutions; leave it out"),
    "service_tier": (("auto", "default"), "there is one tier; leave it out"),
    "reasoning_effort": ((), "choose a strategy by 'model', or a budget; leave it out"),
    "verbosity": ((), "the answer is given as it is; leave it out"),
    "modalities": ((["text"],), "text is given; leave it out"),
    "audio": ((), "text is given; leave it out"),
    "prediction": ((), "leave it out"),
    "web_search_options": ((), "the server decides what may be searched; leave it out"),
}
"""Fields that are honoured at these values (and null) only, and what to do instead. Fields in neither this table nor
``order_of`` only say who asks, and change no answer."""


def refuse_unsupported(body: ChatRequestBody) -> None:
    """Raises ApiError naming the first field that cannot be honoured."""
    for name, (harmless, advice) in _REFUSED.items():
        value = getattr(body, name)
        if value is not None and not any(_same(value, one) for one in harmless):
            raise unsupported(name, advice)
    form = body.response_format
    if form is not None and form.type not in ("text", "json_object"):
        raise unsupported(
            "response_format",
            f"of type '{form.type[:40]}' cannot be promised; json_object gives an object with the answer",
        )
    if body.stream_options is not None and not body.stream:
        raise ApiError(400, "'stream_options' needs 'stream': true", code="invalid_value", param="stream_options")


def _same(value: Any, harmless: Any) -> bool:
    """Whether both are the same JSON value: 0 and 0.0 are, 1 and true are not."""
    return bool(value == harmless) and isinstance(value, bool) is isinstance(harmless, bool)
