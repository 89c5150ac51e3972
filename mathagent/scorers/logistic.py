"""Logistic regression with an L2 penalty, by Newton's method (iteratively reweighted least squares).

Source: Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning" (2nd edition, 2009), section 4.4.1. Small
data only: each step solves a dense system of one row a feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import FiniteFloat

from mathagent.types import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_STEPS = 100
SMALLEST_GAIN = 1e-14  # of the log-loss, by one more step
SMALLEST_DEVIATION = 1e-9  # relative to the mean: less is rounding
MAX_LOG_ODDS = 15.0  # without a penalty, a fit that goes beyond is one that never ends


class Line(Value):
    """Log-odds as a linear function: ``intercept`` plus the sum of ``weights`` times the standardised features.

    A feature is standardised by subtracting ``mean`` and dividing by ``scale``.
    """

    intercept: FiniteFloat
    weights: tuple[FiniteFloat, ...]
    mean: tuple[FiniteFloat, ...]
    scale: tuple[FiniteFloat, ...]

    def log_odds(self, row: Sequence[float]) -> float:
        """The log-odds of one row of features. ValueError where their number is another."""
        terms = zip(self.weights, row, self.mean, self.scale, strict=True)
        return self.intercept + sum(weight * (value - mean) / scale for weight, value, mean, scale in terms)


def fit_line(rows: Sequence[Sequence[float]], outcomes: Sequence[bool], penalty: float) -> Line:
    """The line with the least log-loss (summed) + ``penalty``/2 times the squared weights; the intercept is free.

    Features are standardised to mean 0 and standard deviation 1; one that never changes gets the weight 0. Raises
    ValueError where the outcomes are all alike, or where there is no least (separable, and no penalty).
    """
    import numpy as np

    if len(set(outcomes)) < 2:
        raise ValueError("outcomes of one kind only have no line")
    raw = np.asarray(rows, dtype=float).reshape(len(outcomes), -1)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    moves = deviation > SMALLEST_DEVIATION * (1 + abs(mean))
    scale = np.where(moves, deviation, 1.0)
    columns = np.where(moves, (raw - mean) / scale, 0.0)
    design = np.column_stack([np.ones(len(outcomes)), columns])
    penalties = np.full(design.shape[1], penalty)
    penalties[0] = 0.0
    still = np.append(False, ~moves)
    penalties[still] = 1.0  # else the system is singular where the penalty is 0; their weight is 0 all the same
    weights = _newton(design, np.asarray(outcomes, dtype=float), penalties)
    return Line(
        intercept=float(weights[0]),
        weights=tuple(float(weight) for weight in weights[1:]),
        mean=tuple(float(value) for value in mean),
        scale=tuple(float(value) for value in scale),
    )


def _newton(design: NDArray[Any], outcomes: NDArray[Any], penalties: NDArray[Any]) -> NDArray[Any]:
    """Newton's method with halved steps from the best constant; the loss is convex and falls with each step."""
    import numpy as np

    def loss_of(weights: NDArray[Any]) -> float:
        odds = design @ weights
        # log(1 + e^odds) - y odds, without overflow
        return float(np.sum(np.logaddexp(0.0, odds) - outcomes * odds) + 0.5 * np.sum(penalties * weights**2))

    weights = np.zeros(design.shape[1])
    weights[0] = np.log(outcomes.mean() / (1 - outcomes.mean()))
    loss = loss_of(weights)
    for _ in range(MAX_STEPS):
        odds = design @ weights
        if abs(odds).max() > MAX_LOG_ODDS and not penalties[1:].all():
            break
        chances = 1 / (1 + np.exp(-odds))
        gradient = design.T @ (chances - outcomes) + penalties * weights
        curvature = (design.T * (chances * (1 - chances))) @ design + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < SMALLEST_GAIN * len(outcomes):
            return weights - step
        share = 1.0
        while (new := loss_of(weights - share * step)) > loss and share > 1e-6:
            share /= 2
        weights, loss = weights - share * step, new
    raise ValueError("the log-loss has no least value: the outcomes are separable; give a penalty")
