"""A scripted model that goes on with a text of its own from wherever its turn has come to, a few tokens at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.types import TokenLogprob

SURE = 0.9


def written_by(message_text: str, whole: str, unsure: Mapping[str, float], most: int) -> Reply:
    """What a model that would write ``whole`` goes on with behind ``message_text``: tokens are words with the blank
    before them. ``unsure`` are those that it is less sure of; behind a text that is not its own it ends."""
    rest = whole[len(message_text) :] if whole.startswith(message_text) else ""
    tokens = re.findall(r"\s*\S+", rest)
    said = tokens[:most]
    logprobs = [TokenLogprob(token=token, logprob=math.log(unsure.get(token.strip(), SURE))) for token in said]
    return Reply(
        text="".join(said),
        finish_reason="length" if len(tokens) > most else "stop",
        completion_tokens=len(said),
        logprobs=tuple(logprobs),
    )


def writing_model(
    name: str, whole: str | Callable[[ChatRequest], str], unsure: Mapping[str, float] | None = None, **options: Any
) -> ScriptedBackend:
    """A model that writes ``whole``, or what that makes of a request."""

    def respond(request: ChatRequest, index: int) -> Reply:
        begun = request.messages[-1].content if request.continue_assistant else ""
        text = whole if isinstance(whole, str) else whole(request)
        return written_by(begun, text, unsure or {}, request.params.max_tokens)

    return ScriptedBackend(respond, name=f"script:{name}", **options)
