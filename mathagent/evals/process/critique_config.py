"""How critics are asked: what may be set, and what is in force for a role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from mathagent.agents.role import Role
from mathagent.agents.strategy import StrategyConfig
from mathagent.errors import UsageError
from mathagent.evals.process.scored import SCORER_MARK
from mathagent.types import SamplingParams, Value

VOTES_TEMPERATURE, VOTES_TOP_P = 1.0, 0.9
"""How ProcessBench samples several critiques (arXiv 2412.06559); a single one is greedy."""


class CritiqueSettings(Value):
    """What may be set of critics. None: the role's own; of several critiques, ProcessBench's."""

    n: int = Field(default=1, ge=1, le=64, description="Critiques of each item; the majority counts.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sampling temperature.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus of sampling.")
    max_tokens: int | None = Field(default=None, ge=1, description="Completion tokens of one critique.")
    threshold: float = Field(
        default=0.5, gt=0, le=1, description="A judge's, or scorer's, score from which on it says correct."
    )

    def of(self, role: Role) -> CritiqueConfig:
        """The settings in force for ``role``. Raises UsageError for several critiques at temperature 0, or where a
        scorer would have to sample."""
        sampling = self.model_dump(exclude={"threshold"}, exclude_defaults=True)
        if role.name.startswith(SCORER_MARK) and sampling:
            raise UsageError(f"a scorer has no setting '{next(iter(sampling))}'; it has: threshold")
        several = self.n > 1
        temperature = VOTES_TEMPERATURE if several else role.params.temperature
        top_p = VOTES_TOP_P if several else role.params.top_p
        temperature = temperature if self.temperature is None else self.temperature
        if several and temperature == 0:
            raise UsageError("several critiques at temperature 0 are one; leave out --n or the temperature")
        return CritiqueConfig(
            n=self.n,
            temperature=temperature,
            top_p=top_p if self.top_p is None else self.top_p,
            max_tokens=self.max_tokens or role.params.max_tokens,
            threshold=self.threshold,
        )


class CritiqueConfig(StrategyConfig):
    """How an item is really judged."""

    threshold: float = Field(default=0.5, description="A judge's score from which on it says correct.")

    def params_of(self, role: Role) -> SamplingParams:
        """The sampling that is sent for ``role``."""
        return SamplingParams(
            temperature=self.sampling_temperature,
            top_p=self.top_p,
            n=self.n,
            max_tokens=self.max_tokens,
            stop=role.params.stop,
        )


def critique_settings(given: Mapping[str, Any]) -> CritiqueSettings:
    """The settings that are ``given`` over the defaults. Raises UsageError naming a wrong key or value."""
    try:
        return CritiqueSettings.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(CritiqueSettings.model_fields)
            raise UsageError(f"critics have no setting '{key}'; they have: {known}") from error
        raise UsageError(f"critics: {key} = {first['input']!r} is wrong: {first['msg']}") from error
