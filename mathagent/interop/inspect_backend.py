"""InspectBackend: inspect's model under evaluation as a Backend, so that its usage, cache, limits and log hold."""

from __future__ import annotations

import asyncio
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
)
from inspect_ai.tool import ToolCall as InspectToolCall
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import LimitExceededError

from mathagent.errors import BackendError
from mathagent.models.base import (
    Capabilities,
    ChatRequest,
    OnDelta,
    ToolSpec,
    require_capabilities,
)
from mathagent.types import Completion, Message, ToolCall, Usage

if TYPE_CHECKING:
    from typing import Literal

MAX_PARALLEL = 1024
"""Inspect itself limits the connections (``--max-connections``)."""


class LimitWatch:
    """Hears of inspect's limit for one sample: keeps the error, and ends the solve with the best answer so far."""

    def __init__(self) -> None:
        self.error: LimitExceededError | None = None
        self.interrupt = asyncio.Event()

    def reached(self, error: LimitExceededError) -> None:
        self.error = self.error or error
        self.interrupt.set()


limit_watch: ContextVar[LimitWatch | None] = ContextVar("limit_watch", default=None)
"""The watch of the sample that is being solved."""


class InspectBackend:
    """Asks an inspect model. Each sample is a request of its own (no ``n``): not every provider can draw several.

    Log-probabilities, grammars and JSON schemas are not passed on, since what a provider makes of them differs.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = self.identity = f"inspect:{model}"
        self.max_parallel = MAX_PARALLEL
        self.default_seed: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(seed=True, tool_calls=True)

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. A limit of inspect's ends the solve through ``limit_watch``."""
        require_capabilities(self, request)
        completions = [await self._sample(request, offset) for offset in range(request.params.n)]
        if on_delta is not None:
            for index, completion in enumerate(completions):
                on_delta(index, completion.text)
        return completions

    async def aclose(self) -> None:
        """Inspect closes its models."""

    async def _sample(self, request: ChatRequest, offset: int) -> Completion:
        # Inspect's cache knows a request by its messages: without a mark, all samples would be the first one again.
        mark = {"mathagent": {"role": request.role, "sample": request.first_sample + offset}}
        try:
            output = await self._model.generate(
                [as_inspect_message(message, mark) for message in request.messages],
                tools=[_tool_info(tool) for tool in request.tools],
                config=_generate_config(request, offset),
            )
        except LimitExceededError as error:
            watch = limit_watch.get()
            if watch is not None:
                watch.reached(error)
            raise BackendError(f"inspect's limit is reached: {error}") from error
        except Exception as error:  # a provider's SDK may raise anything
            raise BackendError(f"{self.name}: {type(error).__name__}: {error}") from error
        if output.error or not output.choices:
            raise BackendError(f"{self.name}: {output.error or 'the reply is empty'}")
        return as_completion(output, first=offset == 0)


def as_inspect_message(message: Message, metadata: dict[str, Any]) -> ChatMessage:
    """Our chat turn as inspect's."""
    match message.role:
        case "system":
            return ChatMessageSystem(content=message.content, metadata=metadata)
        case "user":
            return ChatMessageUser(content=message.content, metadata=metadata)
        case "tool":
            return ChatMessageTool(content=message.content, tool_call_id=message.tool_call_id, metadata=metadata)
        case _:
            calls = [_inspect_call(call) for call in message.tool_calls] or None
            return ChatMessageAssistant(content=message.content, tool_calls=calls, metadata=metadata)


def as_completion(output: ModelOutput, *, first: bool) -> Completion:
    """Inspect's reply as ours; prompt tokens count with the first sample of a request only."""
    message, used = output.choices[0].message, output.usage
    calls = tuple(
        ToolCall(id=call.id, name=call.function, arguments=json.dumps(call.arguments))
        for call in message.tool_calls or ()
    )
    prompt = 0 if used is None else used.total_tokens - used.output_tokens
    return Completion(
        text=message.text,
        tool_calls=calls,
        finish_reason=_finish_reason(output.stop_reason, bool(calls)),
        usage=Usage(
            calls=1,
            prompt_tokens=max(prompt, 0) if first else 0,
            completion_tokens=0 if used is None else used.output_tokens,
        ),
    )


def _finish_reason(reason: str, called: bool) -> Literal["stop", "length", "tool_calls", "content_filter"]:
    if reason in ("max_tokens", "model_length"):
        return "length"
    if reason == "content_filter":
        return "content_filter"
    return "tool_calls" if called else "stop"


def _inspect_call(call: ToolCall) -> InspectToolCall:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:  # as a model wrote it: what is no JSON object goes back as text
        arguments = None
    if not isinstance(arguments, dict):
        arguments = {"arguments": call.arguments}
    return InspectToolCall(id=call.id, function=call.name, arguments=arguments)


def _tool_info(tool: ToolSpec) -> ToolInfo:
    known = {name: tool.parameters[name] for name in ToolParams.model_fields if name in tool.parameters}
    return ToolInfo(name=tool.name, description=tool.description, parameters=ToolParams.model_validate(known))


def _generate_config(request: ChatRequest, offset: int) -> GenerateConfig:
    params = request.params
    return GenerateConfig(
        temperature=params.temperature,
        top_p=params.top_p,
        max_tokens=params.max_tokens,
        stop_seqs=list(params.stop) or None,
        seed=request.sample_seed(offset),
    )
