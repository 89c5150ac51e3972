"""Block learn: what a finished solve leaves for the memory. Pure; solver.py writes it, once, after the run."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.agents.strategy import Strategy
from mathagent.memory.distil import experiences_of
from mathagent.memory.experience import Experience, Lesson, Provenance
from mathagent.types import Solution


def learned(
    solution: Solution,
    strategy: Strategy,
    *,
    right: bool | None,
    person: bool,
    provenance: Provenance,
    lessons: Sequence[Lesson] = (),
) -> list[Experience]:
    """What ``solution`` teaches: exemplars and lessons (memory/distil.py), as ``strategy`` would have them.

    ``right`` says whether a reference (or, where ``person``, a person) found the answer right; None: nobody said, so
    that only its certificate speaks for it. ``lessons`` are what a model wrote on it.
    """
    found = experiences_of(
        solution,
        reference_grade=None if person else right,
        person=right if person else None,
        provenance=provenance,
        lessons=lessons,
    )
    if strategy.learn is not None:
        found = strategy.learn(solution, found)
    return [one if one.provenance.created else _from(one, provenance) for one in found]


def _from(experience: Experience, provenance: Provenance) -> Experience:
    """``experience`` with what it does not say of its origin."""
    own = {name: value for name, value in experience.provenance.model_dump().items() if value}
    return experience.model_copy(update={"provenance": provenance.model_copy(update=own)})
