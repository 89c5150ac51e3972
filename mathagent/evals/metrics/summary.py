"""One arm in numbers: accuracy, costs, failures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mathagent.evals.metrics.intervals import estimate
from mathagent.evals.metrics.items import Ungraded, is_graded, items
from mathagent.evals.records import Record
from mathagent.types import Value


class Summary(Value):
    """One arm of a benchmark in numbers.

    ``accuracy`` is correct / (correct + incorrect), over several attempts the mean of the items' shares; attempts that
    ran out of their time are wrong. Undecided grades and other errors are counted apart, never as wrong:
    ``accuracy_at_least`` is what it would be if they were, and ``ungraded`` how many they are.
    ``low`` and ``high`` are its 95% Wilson interval, and ``standard_error`` its error, both over the ``scored`` of the
    ``problems``, and over families where these form some: ``clusters`` is how many stand alone. The counts are of
    attempts. Tokens, calls and seconds are means an attempt; ``seconds`` (wall clock) leaves out attempts with cached
    replies, None where all had some.
    """

    strategy: str
    model: str
    dataset: str
    problems: int
    attempts: int = 0
    scored: int = 0
    clusters: int = 0
    correct: int
    incorrect: int
    undecided: int
    errors: int
    ungraded: int = 0
    accuracy: float | None
    accuracy_at_least: float | None = None
    standard_error: float | None = None
    low: float
    high: float
    completion_tokens: float
    prompt_tokens: float
    calls: float
    seconds: float | None
    failures: dict[str, int]


def summarize(
    records: Sequence[Record], *, strategy: str, model: str, dataset: str, ungraded: Ungraded = "leave-out"
) -> Summary:
    """The summary of the records of one arm; ``ungraded`` says what undecided grades and errors count as."""
    outcomes = Counter(record.outcome for record in records)
    all_items = items(records, ungraded=ungraded)
    scored = [(item.score, item.cluster) for item in all_items if item.score is not None]
    found = estimate([score for score, _ in scored], [cluster for _, cluster in scored]) if scored else None
    lowest = [item.score or 0.0 for item in items(records, ungraded="wrong")]
    fresh = [record.seconds for record in records if record.usage.cached_calls == 0 and record.outcome != "error"]
    return Summary(
        strategy=strategy,
        model=model,
        dataset=dataset,
        problems=len(all_items),
        attempts=len(records),
        scored=len(scored),
        clusters=found.clusters if found else 0,
        correct=outcomes["correct"],
        incorrect=outcomes["incorrect"],
        undecided=outcomes["undecided"],
        errors=outcomes["error"],
        ungraded=sum(not is_graded(record) for record in records),
        accuracy=found.mean if found else None,
        accuracy_at_least=_mean(lowest) if lowest else None,
        standard_error=found.standard_error if found and found.clusters > 1 else None,
        low=found.low if found else 0.0,
        high=found.high if found else 1.0,
        completion_tokens=_mean([record.usage.completion_tokens for record in records]),
        prompt_tokens=_mean([record.usage.prompt_tokens for record in records]),
        calls=_mean([record.usage.calls for record in records]),
        seconds=_mean(fresh) if fresh else None,
        failures=dict(Counter(record.failure for record in records if record.failure)),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
