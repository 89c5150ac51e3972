"""Fitting a calibration on few answers (60 to 300): the least cross-validated log-loss chooses how much to believe.

Three families compete, each only where its data suffice: the base rate alone; a line over the strategy's own estimate
(Platt scaling, "Probabilistic Outputs for Support Vector Machines", 1999); a line over all features. The penalty is
chosen along with the family.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from math import log
from statistics import fmean

from mathagent.scorers.calibration import Basis, Fit
from mathagent.scorers.features import FEATURE_NAMES, OWN_CONFIDENCE
from mathagent.scorers.logistic import Line, fit_line
from mathagent.types import Value

FOLDS = 5
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
LEAST_FOR_ONE_FEATURE = 5
LEAST_FOR_ALL_FEATURES = 20
"""How many right and how many wrong answers there must be at least."""


class Example(Value):
    """One answer: its features (all, in order), whether it is right, and the problem, whose answers stay together."""

    row: tuple[float, ...]
    right: bool
    problem: str


class _Family(Value):
    basis: Basis
    names: tuple[str, ...]
    penalty: float | None


_BASE_RATE = _Family(basis="base rate", names=(), penalty=None)


def fit(examples: Sequence[Example]) -> Fit:
    """The fit of ``examples``: the family with the least cross-validated log-loss, the simpler of equal ones.

    ValueError where there are no examples.
    """
    if not examples:
        raise ValueError("nothing can be fitted to no answers")
    families = _families(examples)
    if len(families) == 1:
        return _fitted(_BASE_RATE, examples)
    losses = [_cross_validated_loss(family, examples) for family in families]
    return _fitted(families[losses.index(min(losses))], examples)


def cross_validated(examples: Sequence[Example]) -> list[float]:
    """For each example the probability by a fit of the other folds: what a new answer would have been given.

    The choice of family and penalty is made anew in every fold, so that these say honestly how good ``fit`` is.
    """
    found = [0.0] * len(examples)
    for train, test in folds(examples):
        model = fit([examples[index] for index in train])
        for index in test:
            found[index] = model.probability(examples[index].row)
    return found


def folds(examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
    """(train, test) indices, the same for the same examples in any order; right and wrong ones spread evenly.

    Answers to one problem are in one fold. Fewer than FOLDS where there are fewer problems; one problem alone is its
    own test.
    """
    by_problem: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        by_problem[example.problem].append(index)

    def place(problem: str) -> tuple[float, str]:
        share = fmean(examples[index].right for index in by_problem[problem])
        return share, hashlib.sha256(problem.encode("utf-8", "surrogatepass")).hexdigest()

    ordered = sorted(by_problem, key=place)
    count = min(FOLDS, len(ordered))
    everything = list(range(len(examples)))
    if count < 2:
        return [(everything, everything)]
    found = []
    for number in range(count):
        test = sorted(index for problem in ordered[number::count] for index in by_problem[problem])
        found.append((sorted(set(everything) - set(test)), test))
    return found


def _families(examples: Sequence[Example]) -> list[_Family]:
    """What may be fitted, the simplest first."""
    right = sum(example.right for example in examples)
    rarer = min(right, len(examples) - right)
    families = [_BASE_RATE]
    if rarer >= LEAST_FOR_ONE_FEATURE:
        families += [
            _Family(basis="own confidence", names=(OWN_CONFIDENCE,), penalty=penalty) for penalty in PENALTIES
        ]
    if rarer >= LEAST_FOR_ALL_FEATURES:
        families += [_Family(basis="all features", names=FEATURE_NAMES, penalty=penalty) for penalty in PENALTIES]
    return families


def _cross_validated_loss(family: _Family, examples: Sequence[Example]) -> float:
    losses = []
    for train, test in folds(examples):
        model = _fitted(family, [examples[index] for index in train])
        for index in test:
            chance = model.probability(examples[index].row)
            losses.append(-log(chance if examples[index].right else 1 - chance))
    return fmean(losses)


def _fitted(family: _Family, examples: Sequence[Example]) -> Fit:
    right = sum(example.right for example in examples)
    if family.penalty is None or right in (0, len(examples)):
        family, line = _BASE_RATE, _base_rate(right, len(examples))
    else:
        places = [FEATURE_NAMES.index(name) for name in family.names]
        rows = [[example.row[place] for place in places] for example in examples]
        line = fit_line(rows, [example.right for example in examples], family.penalty)
    return Fit(
        basis=family.basis,
        names=family.names,
        line=line,
        penalty=family.penalty,
        records=len(examples),
        right=right,
    )


def _base_rate(right: int, records: int) -> Line:
    """The rule of succession, (right + 1) / (records + 2), as a line without features."""
    return Line(intercept=log((right + 1) / (records - right + 1)), weights=(), mean=(), scale=())
