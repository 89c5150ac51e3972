"""Robustness in numbers: what changes between originals and their variants, and what chance alone would do. Pure.

Formulas as in GSM-Symbolic (arXiv 2410.05229) with the spread that sampling alone explains, which the paper leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from mathagent.evals.metrics.intervals import estimate
from mathagent.evals.metrics.paired import Difference, Pair, compare_pairs
from mathagent.types import Value


class Drop(Value):
    """Originals and their variants, pair by pair.

    ``original`` and ``variant`` are accuracies over the pairs, ``drop`` is original - variant with its 95% interval
    ``low`` to ``high``, ``relative`` the drop's share of ``original`` (None where that is 0). ``lost`` pairs are right
    originals with a wrong variant, ``gained`` the other way round: alike in number they are noise, unlike they are
    fragility. ``kept`` is the share of variants that are right where the original is (None where no original is), with
    its Wilson interval, by families. ``p`` is two-sided.
    """

    pairs: int
    families: int
    original: float
    variant: float
    drop: float
    low: float
    high: float
    relative: float | None
    p: float
    test: str
    lost: int
    gained: int
    kept: float | None
    kept_low: float
    kept_high: float


class Spread(Value):
    """The accuracies of data sets that hold one instance of every template each.

    ``mean``, ``sd`` (sample), ``lowest``, ``highest`` are over the ``instances`` data sets; ``expected_sd`` is what
    sampling alone gives, sqrt(Σ p(1 - p)) / templates with each template's own share p of right instances; ``ratio`` is
    sd / expected_sd: only well over 1 do the data sets themselves differ. ``z`` = (original - mean) / sd says how
    unusual the original data set is. ``consistent`` is the share of templates that are always or never right. None:
    undefined.
    """

    templates: int
    instances: int
    mean: float
    sd: float
    lowest: float
    highest: float
    expected_sd: float
    ratio: float | None
    original: float | None
    z: float | None
    consistent: float


class DistractorUse(Value):
    """Wrong answers that equal the right one with the irrelevant number added or subtracted."""

    wrong: int
    used: int

    @property
    def rate(self) -> float | None:
        """used / wrong; None where nothing is wrong."""
        return self.used / self.wrong if self.wrong else None


def drop_of(pairs: Sequence[Pair], *, seed: int = 0) -> Drop:
    """The drop from the first items of ``pairs`` (originals) to the second (variants). Raises ValueError without any.

    The interval and p value are those of ``compare_pairs``, clustered by family where originals have several variants.
    """
    found: Difference = compare_pairs(pairs, seed=seed)
    right = [pair for pair in pairs if pair.first.score == 1]
    kept = (
        estimate([one.second.score or 0.0 for one in right], [one.first.cluster for one in right])
        if right
        else None
    )
    drop = -found.difference
    return Drop(
        pairs=found.items,
        families=found.clusters,
        original=found.first,
        variant=found.second,
        drop=drop,
        low=-found.high,
        high=-found.low,
        relative=drop / found.first if found.first else None,
        p=found.p,
        test=found.test,
        lost=found.worse,
        gained=found.better,
        kept=kept.mean if kept else None,
        kept_low=kept.low if kept else 0.0,
        kept_high=kept.high if kept else 1.0,
    )


def spread_of(scores: Sequence[Sequence[float]], original: float | None = None) -> Spread:
    """The spread of ``scores[template][instance]``; ``original`` is the accuracy on the originals.

    Raises ValueError unless every template has the same number of instances, at least 2.
    """
    instances = len(scores[0]) if scores else 0
    if instances < 2 or any(len(row) != instances for row in scores):
        raise ValueError("a spread needs the same instances, at least 2, of every template")
    templates = len(scores)
    sets = [sum(row[place] for row in scores) / templates for place in range(instances)]
    mean = sum(sets) / instances
    sd = sqrt(sum((one - mean) ** 2 for one in sets) / (instances - 1))
    shares = [sum(row) / instances for row in scores]
    expected = sqrt(sum(share * (1 - share) for share in shares)) / templates
    return Spread(
        templates=templates,
        instances=instances,
        mean=mean,
        sd=sd,
        lowest=min(sets),
        highest=max(sets),
        expected_sd=expected,
        ratio=sd / expected if expected else None,
        original=original,
        z=(original - mean) / sd if original is not None and sd else None,
        consistent=sum(share in (0, 1) for share in shares) / templates,
    )
