"""From a chat request to the order of a solve. Pure."""

from __future__ import annotations

from typing import Any

from mathagent.agents.follow_up import Earlier
from mathagent.server.api_errors import ApiError, unsupported
from mathagent.server.chat_wire import ChatMessage, ChatRequestBody, refuse_unsupported
from mathagent.server.job import SolveOrder
from mathagent.types import Problem

ALIAS = "mathagent"
"""The model name that stands for the server's own strategy."""


def chosen(model: str, *, strategy: str, default: str) -> tuple[str, str]:
    """(strategy, model) of the ``model`` of a request: ``pal``, ``pal@openai:gpt-4o-mini``, ``mathagent``."""
    name, _, wanted = model.partition("@")
    name = name.strip()
    return (strategy if name in ("", ALIAS) else name), (wanted.strip() or default)


def order_of(body: ChatRequestBody, *, strategy: str, default_model: str) -> SolveOrder:
    """What ``body`` asks for. Raises ApiError for what cannot be honoured."""
    refuse_unsupported(body)
    system, earlier, question = conversation(body.messages)
    name, model = chosen(body.model, strategy=strategy, default=default_model)
    ours = body.mathagent
    settings: dict[str, Any] = dict(ours.settings)
    for option in ("temperature", "top_p"):
        value = getattr(body, option)
        if value is not None and settings.setdefault(option, value) != value:
            raise ApiError(
                400, f"'{option}' and mathagent.settings.{option} differ", code="invalid_value", param=option
            )
    tokens = [
        one for one in (body.max_tokens, body.max_completion_tokens, ours.budget.max_tokens) if one is not None
    ]
    return SolveOrder(
        problem=Problem(text=question),
        strategy=name,
        model=model,
        budget=ours.budget.model_copy(update={"max_tokens": min(tokens, default=None)}),
        settings=settings,
        seed=body.seed,
        min_confidence=ours.min_confidence,
        earlier=earlier,
        hints=system,
    )


def conversation(messages: list[ChatMessage]) -> tuple[tuple[str, ...], tuple[Earlier, ...], str]:
    """(what the system says, the earlier questions with their answers, the question).

    What the system (or developer) says is shown to the model as a hint with every request. Raises ApiError where the
    last turn is not a question, or a turn holds what is no text.
    """
    system: list[str] = []
    earlier: list[Earlier] = []
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        if message.role in ("tool", "function") or message.tool_calls or message.function_call:
            raise unsupported(place, "calls of a client's tools have no place in a solve; leave such turns out")
        text = message.text(place)
        if message.role in ("system", "developer"):
            system += [text] if text.strip() else []
        elif message.role == "user":
            earlier.append(Earlier(question=text, answer=None))
        elif earlier and earlier[-1].answer is None:
            earlier[-1] = Earlier(question=earlier[-1].question, answer=text or None)
    if messages[-1].role != "user" or not earlier[-1].question.strip():
        raise ApiError(
            400,
            "the last message must be the user's, and hold the problem",
            code="invalid_value",
            param=f"messages.{len(messages) - 1}",
        )
    return tuple(system), tuple(earlier[:-1]), earlier[-1].question
