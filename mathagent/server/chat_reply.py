"""From a solution to OpenAI's reply, whole or in pieces. Pure."""

from __future__ import annotations

import json
import time
from typing import Any

from mathagent import __version__
from mathagent.types import Solution, Usage

FINGERPRINT = f"mathagent-{__version__}"


class ChatReply:
    """The replies to one chat request: ``model`` is the name that was asked for, ``as_json`` whether the content is an
    object, ``aside`` what was used beside the solve."""

    def __init__(self, solve_id: str, model: str, *, as_json: bool = False) -> None:
        self._head = {
            "id": f"chatcmpl-{solve_id}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }
        self._as_json = as_json

    def whole(self, solution: Solution, reasoning: str, aside: Usage) -> dict[str, Any]:
        """The reply in one piece."""
        content, refusal = self._said(solution)
        message = {
            "role": "assistant",
            "content": content,
            "refusal": refusal,
            "reasoning_content": reasoning or None,
        }
        choice = {"index": 0, "message": message, "finish_reason": finish_reason(solution), "logprobs": None}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_of(solution.usage + aside),
            "mathagent": about(solution),
        }

    def first(self) -> dict[str, Any]:
        """The piece that begins a reply."""
        return self._piece({"role": "assistant", "content": ""})

    def reasoning(self, text: str) -> dict[str, Any]:
        """A piece of the trace."""
        return self._piece({"reasoning_content": text})

    def last(self, solution: Solution) -> list[dict[str, Any]]:
        """The answer, and the piece that ends the reply."""
        content, refusal = self._said(solution)
        said = {"content": content} if content is not None else {"refusal": refusal}
        end = self._piece({}, finish_reason(solution))
        return [self._piece(said), {**end, "mathagent": about(solution)}]

    def usage(self, usage: Usage) -> dict[str, Any]:
        """The piece that tells the usage."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage_of(usage)}

    def _piece(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def _said(self, solution: Solution) -> tuple[str | None, str | None]:
        """(content, refusal): exactly one of them. That there is no answer is no answer."""
        if solution.answer is None:
            return None, f"no answer was found ({solution.stopped})"
        if solution.abstained:
            return None, f"unsure: the best candidate is {solution.answer}"
        if not self._as_json:
            return solution.answer, None
        known = {
            "answer": solution.answer,
            "confidence": solution.confidence,
            "confidence_basis": solution.confidence_basis,
            "stopped": solution.stopped,
        }
        return json.dumps(known, ensure_ascii=False), None


def finish_reason(solution: Solution) -> str:
    """``length`` where a budget ended the search before there was an answer."""
    return "length" if solution.answer is None and solution.stopped == "budget" else "stop"


def usage_of(usage: Usage) -> dict[str, Any]:
    """What all requests of the solve used together; replies out of our own cache are counted, too."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def about(solution: Solution) -> dict[str, Any]:
    """What OpenAI's reply has no field for."""
    return {
        "solve_id": solution.solve_id,
        "strategy": solution.strategy,
        "model": solution.model,
        "answer": solution.answer,
        "confidence": solution.confidence,
        "confidence_basis": solution.confidence_basis,
        "abstained": solution.abstained,
        "stopped": solution.stopped,
        "detail": solution.detail,
        "resumable": solution.resumable,
        "seconds": solution.seconds,
        "checks": [
            {"kind": check.kind, "outcome": check.outcome, "strength": check.strength, "claim": check.claim}
            for check in solution.certificate
        ],
        "usage": solution.usage.model_dump(),
    }
