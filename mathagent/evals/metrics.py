"""Numbers over records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt

from mathagent.evals.records import Record
from mathagent.types import Value

Z_95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval for a proportion (95% for the default z), within [0, 1]; (0, 1) for no trials.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. Raises ValueError unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials is impossible")
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends rounding could leave the interval or exclude the share itself.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


class Summary(Value):
    """One arm of a benchmark in numbers.

    ``accuracy`` is correct / (correct + incorrect); undecided grades and errors are counted apart, never as
    wrong. ``low`` and ``high`` are its 95% Wilson interval. Tokens, calls and seconds are means a problem;
    ``seconds`` (wall clock) leaves out problems with cached replies and is None where all had some.
    """

    strategy: str
    model: str
    dataset: str
    problems: int
    correct: int
    incorrect: int
    undecided: int
    errors: int
    accuracy: float | None
    low: float
    high: float
    completion_tokens: float
    prompt_tokens: float
    calls: float
    seconds: float | None
    failures: dict[str, int]


def summarize(records: Sequence[Record], *, strategy: str, model: str, dataset: str) -> Summary:
    """The summary of the records of one arm."""
    outcomes = Counter(record.outcome for record in records)
    graded = outcomes["correct"] + outcomes["incorrect"]
    low, high = wilson_interval(outcomes["correct"], graded)
    fresh = [record.seconds for record in records if record.usage.cached_calls == 0 and record.outcome != "error"]
    return Summary(
        strategy=strategy,
        model=model,
        dataset=dataset,
        problems=len(records),
        correct=outcomes["correct"],
        incorrect=outcomes["incorrect"],
        undecided=outcomes["undecided"],
        errors=outcomes["error"],
        accuracy=outcomes["correct"] / graded if graded else None,
        low=low,
        high=high,
        completion_tokens=_mean([record.usage.completion_tokens for record in records]),
        prompt_tokens=_mean([record.usage.prompt_tokens for record in records]),
        calls=_mean([record.usage.calls for record in records]),
        seconds=_mean(fresh) if fresh else None,
        failures=dict(Counter(record.failure for record in records if record.failure)),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
