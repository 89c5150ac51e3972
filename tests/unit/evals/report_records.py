"""Records for the tests of reports."""

from __future__ import annotations

from typing import Any

from mathagent.evals.records import Outcome, Record
from mathagent.types import Answer, Candidate, Check, Execution, Failure, Problem, Solution, Step, Usage


def solution(text: str, answer: str | None, *, strategy: str = "pal", said: str = "We add.") -> Solution:
    """A solve with one candidate: words, a program, its output and a check."""
    program = "def solution():\n    return 3 + 4"
    check = Check(kind="execution", program=program, expected=answer or "", outcome="holds")
    steps = (
        Step(kind="thought", text=said),
        Step(kind="code", text=program),
        Step(kind="observation", text="7", origin="tool", execution=Execution(status="ok", value="7")),
    )
    failure = Failure(kind="truncated", message="cut at 512 tokens") if answer is None else None
    candidate = Candidate(
        steps=steps,
        answer=None if answer is None else Answer(raw=answer, normal=answer),
        failure=failure,
        checks=() if answer is None else (check,),
    )
    return Solution(
        problem=Problem(text=text),
        answer=answer,
        confidence=None,
        confidence_basis="votes",
        candidates=(candidate,),
        strategy=strategy,
        model="m",
    )


def record(
    item: int,
    outcome: Outcome = "correct",
    *,
    strategy: str = "cot",
    attempt: int = 0,
    confidence: float | None = None,
    said: str = "We add.",
    **fields: Any,
) -> Record:
    """One attempt at item ``item``, whose reference is 7."""
    answer = {"correct": "7", "incorrect": "8", "undecided": "x", "error": None}[outcome]
    solved = (
        None if outcome == "error" else solution(f"Item {item}: $3 + 4$?", answer, strategy=strategy, said=said)
    )
    values: dict[str, Any] = {
        "key": f"{strategy}/{item}/{attempt}",
        "dataset": "sums",
        "problem_id": f"sums/{item}",
        "item_hash": f"hash-{item}",
        "attempt": attempt,
        "strategy": strategy,
        "config": {"n": 1},
        "model": "openai:m@http://127.0.0.1:1/v1",
        "reference": "7",
        "answer": answer,
        "outcome": outcome,
        "reason": "same",
        "error": "no endpoint" if outcome == "error" else None,
        "confidence": confidence,
        "usage": Usage(calls=1, prompt_tokens=100, completion_tokens=50),
        "seconds": 2.0,
        "solution": solved,
    }
    return Record(**(values | fields))
