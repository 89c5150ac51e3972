"""What a calling model hears of a Solution."""

from __future__ import annotations

from typing import Any

from mathagent.interop.tool_reply import tool_reply
from mathagent.types import Check, Problem, Solution


def reply(answer: str | None = "42", **fields: Any) -> str:
    given = {"confidence": 0.9, "confidence_basis": "votes", "strategy": "s", "model": "m", **fields}
    return tool_reply(Solution(problem=Problem(text="x"), answer=answer, **given))


def test_answer_confidence_and_evidence() -> None:
    weak = Check(kind="domain", program="1", expected="1", outcome="holds")
    strong = Check(kind="substitution", program="1", expected="1", outcome="holds")
    failed = Check(kind="numeric", program="1", expected="2", outcome="fails")
    said = reply(certificate=(weak, strong, failed))
    assert said.splitlines() == [
        "Answer: 42",
        "Confidence: 0.90 (votes)",
        "Evidence: 2 executed checks hold, 1 of them strong",
    ]


def test_no_answer_unsure_and_ended_early() -> None:
    assert reply(None) == "No answer was found."
    assert reply(abstained=True).startswith("Unsure; the best candidate: 42")
    assert (
        reply(stopped="budget", detail="a\nb " * 400)
        .splitlines()[-1]
        .startswith("It ended early (budget): a b a b")
    )
    assert len(reply(stopped="budget", detail="x" * 10_000)) < 500
