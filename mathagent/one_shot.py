"""One problem, one call: ``solve``, ``stream`` and ``solve_sync`` open a Solver of their own and close it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from mathagent import _sync
from mathagent.events import Event
from mathagent.solver import Solver
from mathagent.strategies import DEFAULT_STRATEGY
from mathagent.types import Problem, Solution


async def solve(
    problem: str | Problem, strategy: str = DEFAULT_STRATEGY, *, model: str | None = None, **options: Any
) -> Solution:
    """Solves one problem with a Solver of its own. ``options`` are those of Solver and of Solver.solve."""
    with_solver, with_solve = _split_options(options)
    async with Solver(model, **with_solver) as solver:
        return await solver.solve(problem, strategy, **with_solve)


async def stream(
    problem: str | Problem, strategy: str = DEFAULT_STRATEGY, *, model: str | None = None, **options: Any
) -> AsyncIterator[Event]:
    """Yields the events of solving one problem, as they happen; takes the options of ``solve``."""
    with_solver, with_solve = _split_options(options)
    async with Solver(model, **with_solver) as solver:
        async for event in solver.stream(problem, strategy, **with_solve):
            yield event


def solve_sync(
    problem: str | Problem, strategy: str = DEFAULT_STRATEGY, *, model: str | None = None, **options: Any
) -> Solution:
    """``solve`` for synchronous code; works in Jupyter, too. ``solve_sync("What is 6*7?").answer == "42"``."""
    return _sync.run(solve(problem, strategy, model=model, **options))


_SOLVER_OPTIONS = frozenset(
    {
        "base_url",
        "api_key",
        "sandbox",
        "cache",
        "checkpoints",
        "memory",
        "memory_mode",
        "max_parallel",
        "on_progress",
    }
)


def _split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    with_solver = {name: value for name, value in options.items() if name in _SOLVER_OPTIONS}
    return with_solver, {name: value for name, value in options.items() if name not in _SOLVER_OPTIONS}
