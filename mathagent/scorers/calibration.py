"""Calibration: what turns a Solution's features into the probability that its answer is right, as a stored value.

One is fitted for each backend, strategy and settings (``calibration_fit.py``) and says nothing of any other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from math import exp
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from mathagent.scorers.features import FEATURE_NAMES, FEATURES_VERSION, features
from mathagent.scorers.logistic import Line
from mathagent.types import Solution, Value

CALIBRATION_VERSION = 1

Basis = Literal["all features", "own confidence", "base rate"]

_LESS: dict[Basis, str] = {
    "all features": "",
    "own confidence": ", by its own estimate alone",
    "base rate": ", base rate only",
}


class Fit(Value):
    """A fitted model: ``line`` over the features ``names`` (none of them for the base rate).

    ``basis`` says how much the data could bear, ``penalty`` is that of the line, None for the base rate. ``records``
    and ``right`` are how many answers it rests on and how many of these were right.
    """

    basis: Basis
    names: tuple[str, ...]
    line: Line
    penalty: float | None
    records: int = Field(ge=1)
    right: int = Field(ge=0)

    @model_validator(mode="after")
    def _one_number_a_name(self) -> Self:
        lengths = {len(self.names), len(self.line.weights), len(self.line.mean), len(self.line.scale)}
        if len(lengths) != 1 or not all(self.line.scale):
            raise ValueError("weights, means and scales (not 0) must be as many as the names")
        return self

    def probability(self, row: tuple[float, ...]) -> float:
        """The probability that an answer with the features ``row`` (all of FEATURE_NAMES) is right.

        Within 1/(records + 2) of 0 and 1: so many records show no more.
        """
        by_name = dict(zip(FEATURE_NAMES, row, strict=True))
        odds = self.line.log_odds([by_name[name] for name in self.names])
        least = 1 / (self.records + 2)
        odds = min(700.0, max(-700.0, odds))  # e^710 is no float
        return min(1 - least, max(least, 1 / (1 + exp(-odds))))


class Quality(Value):
    """How good a set of probabilities is, over the answers that there were: see evals/metrics/calibration.py."""

    brier: float
    ece: float
    aurc: float


class Calibration(Value):
    """A fit, what it is for and what it rests on.

    ``backend`` is the backend's identity; ``config`` the strategy's settings, all of them. ``before`` is the quality
    of the strategy's own confidence on the data, ``after`` that of the calibrated one, by cross-validation. ``made_by``
    is the version of mathagent, ``made_on`` the day (UTC).
    """

    version: int = CALIBRATION_VERSION
    features_version: int = FEATURES_VERSION
    backend: str
    strategy: str
    config: dict[str, JsonValue]
    fit: Fit
    problems: int = Field(ge=1)
    datasets: tuple[str, ...]
    made_on: date
    made_by: str
    before: Quality
    after: Quality

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_version(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for name, ours in (("version", CALIBRATION_VERSION), ("features_version", FEATURES_VERSION)):
                if given.get(name, ours) != ours:
                    raise ValueError(f"{name} is {given[name]}, and this mathagent's is {ours}")
        return given

    @model_validator(mode="after")
    def _features_are_known(self) -> Self:
        unknown = sorted(set(self.fit.names) - set(FEATURE_NAMES))
        if unknown:
            raise ValueError(f"there is no feature {', '.join(unknown)}")
        return self

    @property
    def file_name(self) -> str:
        """Where it is stored: its strategy, and a hash of all that it is for."""
        return calibration_file(self.backend, self.strategy, self.config)

    @property
    def basis(self) -> str:
        """What a person is told that a confidence rests on: ``calibrated on 60 problems of gsm8k (2026-11-28)``."""
        data = f"{self.problems} problems of {' and '.join(self.datasets)} ({self.made_on.isoformat()})"
        return f"calibrated on {data}{_LESS[self.fit.basis]}"

    def probability(self, solution: Solution) -> float:
        """The probability that the answer of ``solution`` is right. ValueError where there is none."""
        return self.fit.probability(features(solution))


def calibration_file(backend: str, strategy: str, config: Mapping[str, JsonValue]) -> str:
    """The file name of the calibration for this backend (its identity), strategy and settings."""
    identity = json.dumps([backend, strategy, dict(config)], sort_keys=True)
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{re.sub(r'[^a-zA-Z0-9-]+', '_', strategy)[:60]}-{digest}.json"
