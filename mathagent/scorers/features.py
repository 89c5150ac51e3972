"""Features: what a Solution says about how far to trust its answer, as a fixed vector of numbers. Pure.

Answers are told apart by their normal forms, letter by letter: nothing is run, so that a record gives the same vector
for ever. A new, removed or changed feature is a new FEATURES_VERSION: calibrations of another version are not used.
No strategy asks for log-probabilities today, and so no feature holds any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, log1p, log2

from mathagent.types import Candidate, Check, Solution

FEATURES_VERSION = 1

OWN_CONFIDENCE = "own_confidence"
MOST_LOG_ODDS = log(99)
NO_ESTIMATE = 0.5

FEATURES: dict[str, str] = {
    OWN_CONFIDENCE: "log-odds of the strategy's own estimate, within 1% and 99%; 0 where it makes none",
    "votes_share": "share of the candidates that give the answer",
    "margin": "that share, less the share of the next answer",
    "rivals": "log(1 + how many other answers were given)",
    "failed_share": "share of the candidates without an answer",
    "truncated_share": "share of the candidates that were cut at their token limit",
    "samples": "log2 of the number of candidates",
    "first_agrees": "1 if the first candidate gives the answer, else 0",
    "views_agree": "1 if a program and words both give the answer, -1 if only one of the two views does, "
    "0 if there was one view only",
    "strong_holding": "log(1 + strong checks of the certificate that hold)",
    "strong_failing": "log(1 + strong checks that fail)",
    "weak_failing": "log(1 + weak checks that fail)",
    "undecided": "log(1 + checks that are undecided)",
    "repairs": "log(1 + failed programs and critiques in a candidate that gives the answer, on average)",
    "late_extraction": "share of the answer's candidates whose answer had to be asked for",
    "tokens": "log(1 + completion tokens a candidate)",
    "stopped_early": "1 if a budget, a person or an error ended the solve, else 0",
}
"""Name and meaning of each feature, in their order."""
FEATURE_NAMES = tuple(FEATURES)


def own_confidence(solution: Solution) -> float:
    """What the strategy itself estimated, whether or not that has been calibrated since; 0.5 where it did not."""
    estimates = (solution.raw_confidence, solution.confidence)
    return next((one for one in estimates if one is not None), NO_ESTIMATE)


def features(solution: Solution) -> tuple[float, ...]:
    """The vector of ``solution``, in the order of FEATURE_NAMES. ValueError where it has no answer to be sure of."""
    if solution.answer is None:
        raise ValueError("a solution without an answer has no features")
    candidates = solution.candidates
    total = max(1, len(candidates))
    votes = Counter(one.answer.normal for one in candidates if one.answer is not None)
    supporters = [one for one in candidates if _gives(one, solution.answer)]
    runner_up = max((count for answer, count in votes.items() if answer != solution.answer), default=0)
    values = {
        OWN_CONFIDENCE: _log_odds(own_confidence(solution)),
        "votes_share": len(supporters) / total,
        "margin": (len(supporters) - runner_up) / total,
        "rivals": log1p(sum(answer != solution.answer for answer in votes)),
        "failed_share": sum(one.answer is None for one in candidates) / total,
        "truncated_share": sum(_truncated(one) for one in candidates) / total,
        "samples": log2(total),
        "first_agrees": float(bool(candidates) and _gives(candidates[0], solution.answer)),
        "views_agree": _views_agree(candidates, supporters),
        **_check_counts(solution.certificate),
        "repairs": log1p(_mean([_repairs(one) for one in supporters])),
        "late_extraction": _mean([float((one.extraction_stage or 1) > 1) for one in supporters]),
        "tokens": log1p(solution.usage.completion_tokens / total),
        "stopped_early": float(solution.stopped != "finished"),
    }
    return tuple(values[name] for name in FEATURE_NAMES)


def _log_odds(share: float) -> float:
    if not 0.01 < share < 0.99:
        return MOST_LOG_ODDS if share > 0.5 else -MOST_LOG_ODDS
    return log(share / (1 - share))


def _gives(candidate: Candidate, answer: str) -> bool:
    return candidate.answer is not None and candidate.answer.normal == answer


def _truncated(candidate: Candidate) -> bool:
    return candidate.failure is not None and candidate.failure.kind == "truncated"


def _views_agree(candidates: Sequence[Candidate], supporters: Sequence[Candidate]) -> float:
    tried = {_by_program(one) for one in candidates if one.answer is not None}
    if len(tried) < 2:
        return 0.0
    return 1.0 if len({_by_program(one) for one in supporters}) == 2 else -1.0


def _by_program(candidate: Candidate) -> bool:
    return any(step.kind == "code" for step in candidate.steps)


def _check_counts(checks: Sequence[Check]) -> dict[str, float]:
    counts = Counter((check.strength, check.outcome) for check in checks)
    undecided = sum(check.outcome == "undecided" for check in checks)
    return {
        "strong_holding": log1p(counts["strong", "holds"]),
        "strong_failing": log1p(counts["strong", "fails"]),
        "weak_failing": log1p(counts["weak", "fails"]),
        "undecided": log1p(undecided),
    }


def _repairs(candidate: Candidate) -> float:
    """How often the candidate was set right on its way: programs that failed, and critiques."""
    failed = sum(step.execution is not None and not step.execution.ok for step in candidate.steps)
    return float(failed + sum(step.kind == "critique" for step in candidate.steps))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
