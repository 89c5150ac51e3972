"""Records as a benchmark writes them, made for tests."""

from __future__ import annotations

from typing import Any

from mathagent.evals.records import Outcome, Record
from mathagent.types import Usage


def made_record(
    item: int, outcome: Outcome | bool, *, attempt: int = 0, tokens: int = 10, **fields: Any
) -> Record:
    """One attempt at item ``item``, right or wrong (True, False) or with another outcome."""
    told: Outcome = ("correct" if outcome else "incorrect") if isinstance(outcome, bool) else outcome
    strategy = fields.get("strategy", "pal")
    values: dict[str, Any] = {
        "key": f"{strategy}/{fields.get('dataset', 'd')}/{fields.get('model', '')}/{item}/{attempt}",
        "dataset": "d",
        "problem_id": f"p{item}",
        "item_hash": f"hash-{item}",
        "strategy": "pal",
        "config": {"n": 1},
        "model": "script:x",
        "reference": "7",
        "answer": "7" if told == "correct" else "8",
        "reason": "",
    }
    return Record(
        **{**values, **fields}, attempt=attempt, outcome=told, usage=Usage(calls=1, completion_tokens=tokens)
    )


def made_arm(outcomes: str, **fields: Any) -> list[Record]:
    """One attempt an item: 1 right, 0 wrong, ? undecided, ! failed."""
    told: dict[str, Outcome] = {"1": "correct", "0": "incorrect", "?": "undecided", "!": "error"}
    return [made_record(item, told[one], **fields) for item, one in enumerate(outcomes)]
