"""How a typed function works: which model, within what, how its replies are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.solver import Solver
from mathagent.types import SamplingParams


class NoFallback:
    """Stands for a fallback that there is not."""

    def __repr__(self) -> str:
        return "NO_FALLBACK"


NO_FALLBACK = NoFallback()

Validator = Callable[[Any], str | None]
"""Says of a value what is wrong with it ("it is negative"); None where nothing is."""


@dataclass(frozen=True)
class Options:
    """Settings of typed functions; the numbers are those of AskIt (arXiv 2308.15645).

    ``model`` is a name, as Solver takes it (None: the default one); ``solver`` a Solver of your own, which you close,
    instead. ``budget`` bounds each call, and the writing of code. ``attempts`` is how many replies are read until one
    is a value (or, for code, passes its tests). ``strict``: values are of the JSON types that were asked for; else
    "72.0" and "$72" are whole numbers, too. ``params`` is how the first try is sampled; fresh starts after failures are
    sampled at 0.7 at least. ``validator`` sees each value: what it finds wrong is told to the model, which corrects
    itself. ``fallback`` is returned where no value could be had (default: FunctionError is raised). ``timeout_s`` is
    how long one run of written code may take, in seconds.
    """

    model: str | None = None
    solver: Solver | None = None
    budget: Budget | None = None
    attempts: int = 10
    strict: bool = False
    params: SamplingParams = field(default_factory=SamplingParams)
    validator: Validator | None = None
    fallback: Any = NO_FALLBACK
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if self.model is not None and self.solver is not None:
            raise UsageError("give a model or a solver, not both: a solver has a model of its own")
        if self.attempts < 1:
            raise UsageError(f"{self.attempts} attempts are too few; give 1 or more")
        if self.timeout_s <= 0:
            raise UsageError(f"a time limit of {self.timeout_s:g} s is too short; give more than 0")


DEFAULTS = Options()
