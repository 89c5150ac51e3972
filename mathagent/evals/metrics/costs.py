"""What correct answers cost, and who is better at the same cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.evals.metrics.attempts import Pool, majority_at_k
from mathagent.evals.metrics.intervals import Z_95, standard_error
from mathagent.evals.metrics.items import Item
from mathagent.evals.metrics.resampling import bootstrap_ratio
from mathagent.evals.metrics.significance import sign_flip
from mathagent.types import Value

RATIO_DRAWS = 2000
"""Enough for two digits of an interval that stands beside each arm."""


class TokensPerSolved(Value):
    """Completion tokens spent on all items for each that was solved, with the 95% interval of the bootstrap."""

    tokens: float
    low: float
    high: float


class EqualTokens(Value):
    """The cheaper of two arms votes over ``k`` attempts: as many as one attempt of the dearer one pays for.

    ``voted`` and ``dearer`` are accuracies over the ``items`` common items; ``difference`` is dearer - voted, with its
    95% interval and the p value of the sign-flip test. ``voted_tokens`` and ``dearer_tokens`` are means an item.
    """

    k: int
    items: int
    voted: float
    dearer: float
    voted_tokens: float
    dearer_tokens: float
    difference: float
    low: float
    high: float
    p: float


def tokens_per_solved(items: Sequence[Item], *, seed: int = 0) -> TokensPerSolved | None:
    """The ratio over ``items`` (those without a score spend tokens, too); None where nothing was solved."""
    tokens = [item.completion_tokens for item in items]
    solved = [item.score or 0.0 for item in items]
    if not sum(solved):
        return None
    found = bootstrap_ratio(tokens, solved, [item.cluster for item in items], draws=RATIO_DRAWS, seed=seed)
    if found is None:  # only where no resample solved any
        return None
    return TokensPerSolved(tokens=sum(tokens) / sum(solved), low=found.low, high=found.high)


def equal_tokens(cheaper: Sequence[Pool], dearer: Sequence[Item], *, seed: int = 0) -> EqualTokens | None:
    """The comparison at equal tokens, over the items that both have; None where there is none to make.

    That is where the tokens pay for fewer than two attempts of the cheaper arm. Where they pay for more than it has, it
    has all of its attempts, and fewer tokens: ``voted_tokens`` says so.
    """
    scored = {item.key: item for item in dearer if item.score is not None}
    both = [(pool, scored[pool.key]) for pool in cheaper if pool.key in scored and pool.completion_tokens]
    if not both:
        return None
    spent = sum(item.completion_tokens for _, item in both) / len(both)
    each = sum(sum(pool.completion_tokens) / pool.attempts for pool, _ in both) / len(both)
    most = min(pool.attempts for pool, _ in both)
    k = min(most, int(spent / each + 1e-9)) if each else most
    if k < 2:
        return None
    voted = [majority_at_k(pool, k, seed=seed).value for pool, _ in both]
    scores = [item.score or 0.0 for _, item in both]
    differences = [score - vote for score, vote in zip(scores, voted, strict=True)]
    clusters = [item.cluster for _, item in both]
    mean, half = sum(differences) / len(both), Z_95 * standard_error(differences, clusters)
    return EqualTokens(
        k=k,
        items=len(both),
        voted=sum(voted) / len(both),
        dearer=sum(scores) / len(both),
        voted_tokens=k * each,
        dearer_tokens=spent,
        difference=mean,
        low=max(-1.0, mean - half),
        high=min(1.0, mean + half),
        p=sign_flip(differences, clusters, seed=seed),
    )
