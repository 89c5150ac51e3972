"""The result of a prompt search: scores on both splits with intervals, and a file that a strategy can take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from mathagent.errors import StorageError, UsageError
from mathagent.evals.failures import failure_of
from mathagent.evals.metrics import summarize
from mathagent.evals.metrics.items import items
from mathagent.evals.metrics.paired import compare_pairs, pair_items
from mathagent.evals.prompt_search.spec import Method, Origin, Wording
from mathagent.evals.records import Record
from mathagent.types import Value

UNREAD = frozenset({"format", "no-answer", "truncated"})
"""Failures to give an answer that can be read: a text may cure these and not the reasoning."""


class SplitScore(Value):
    """How one text did on one split: ``low`` to ``high`` is the 95% interval of ``accuracy`` (Wilson's).

    ``unread`` counts the problems without an answer that could be read. ``tokens`` are completion tokens a problem.
    """

    dataset: str
    problems: int
    correct: int
    accuracy: float
    low: float
    high: float
    unread: int
    tokens: float


class Against(Value):
    """Validation accuracy of the chosen text less that of another, with its 95% interval and the p of the exact
    test."""

    difference: float
    low: float
    high: float
    p: float
    test: str


class Tried(Value):
    """A text with what it came to; ``validation`` None: it was not measured there."""

    text: str
    hash: str
    origin: Origin
    train: SplitScore
    validation: SplitScore | None = None


class SearchResult(Value):
    """What a search came to. ``settings`` are what a strategy is told: ``--set @FILE``.

    ``texts`` counts all that were tried, ``solves`` the attempts on the train split, ``refused`` edits that were not
    tried: empty, known already, or telling an example. ``best`` are the texts of the last round, best first.
    """

    settings: dict[str, str]
    strategy: str
    strategy_settings: dict[str, Any] = Field(default_factory=dict)
    model: str
    optimizer: str = ""
    method: Method
    seed: int | None
    chosen: Tried
    baseline: Tried
    empty: Tried
    over_baseline: Against | None
    over_empty: Against | None
    texts: int
    solves: int
    refused: int = 0
    stopped: str = ""
    best: tuple[Tried, ...] = ()


def score_of(records: Sequence[Record], dataset: str) -> SplitScore:
    """The score of one text's records. An attempt that failed or could not be graded counts as wrong: no text is to
    gain
    by it."""
    found = summarize(records, strategy="", model="", dataset=dataset, ungraded="wrong")
    return SplitScore(
        dataset=dataset,
        problems=found.problems,
        correct=found.correct,
        accuracy=found.accuracy or 0.0,
        low=found.low,
        high=found.high,
        unread=sum(failure_of(record) in UNREAD for record in records),
        tokens=found.completion_tokens,
    )


def against(chosen: Sequence[Record], other: Sequence[Record]) -> Against | None:
    """The chosen text's records less the other's, pair by pair; None where they have no pair."""
    pairs = pair_items(items(other, ungraded="wrong"), items(chosen, ungraded="wrong")).pairs
    if not pairs:
        return None
    one = compare_pairs(pairs)
    return Against(difference=one.difference, low=one.low, high=one.high, p=one.p, test=one.test)


def tried(
    wording: Wording, train: Sequence[Record], validation: Sequence[Record] | None, names: tuple[str, str]
) -> Tried:
    """What ``wording`` came to on the splits called ``names``."""
    return Tried(
        text=wording.text,
        hash=wording.hash,
        origin=wording.origin,
        train=score_of(train, names[0]),
        validation=None if validation is None else score_of(validation, names[1]),
    )


def write_result(path: Path, result: SearchResult) -> None:
    """Writes the result as JSON. Raises StorageError."""
    try:
        path.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the same command finds all that was solved"
        ) from error


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file that ``optimize-prompt`` wrote, or in any JSON object with settings. Raises UsageError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--set @{path}: cannot read the file: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--set @{path}: the file is not JSON: {error}") from error
    settings = told.get("settings") if isinstance(told, dict) else None
    if not isinstance(settings, dict) or not settings:
        raise UsageError(
            f'--set @{path}: the file has no settings; it must hold {{"settings": {{"name": "value"}}}}'
        )
    return settings
