"""Plan-and-Solve over modules: one call says which of them work on a problem, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from mathagent.agents.ask import ask
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.types import Problem, SamplingParams, Value

LAST = "solution"


class ModulePlan(Value):
    """Which modules, in which order."""

    modules: tuple[str, ...] = Field(min_length=1, max_length=12, description="name of a module; solution is last")


PLANNER = Role("planner", "mathsensei/plan", SamplingParams(temperature=0.0, max_tokens=128), ModulePlan)


async def plan_modules(
    context: RunContext, problem: Problem, offered: Mapping[str, str], default: Sequence[str], about: str = ""
) -> tuple[tuple[str, ...], str | None]:
    """The modules to run, of those ``offered`` (name → task), and the limit that ended the asking.

    One reply is read; ``default`` stands where it cannot be, or where the model cannot be reached (Warned).
    """
    fallback = ModulePlan(modules=tuple(default))
    try:
        asked = await ask(
            context,
            PLANNER,
            fallback=fallback,
            retries=0,
            problem=problem_text(problem),
            modules=dict(offered),
            about=about,
        )
    except BackendError as error:
        context.emit(Warned(message=f"no modules could be planned: {error}"))
        return tuple(default), None
    if asked.fell_back:
        return tuple(default), asked.limit
    return known_modules(asked.reply.modules, offered), asked.limit


def known_modules(names: Sequence[str], offered: Mapping[str, str]) -> tuple[str, ...]:
    """``names`` without those that are not ``offered`` and without repetitions; the last is solution. Pure."""
    plain = [name.strip(" .`*'\"").lower() for name in names]
    kept = dict.fromkeys(name for name in plain if name in offered and name != LAST)
    return (*kept, LAST)
