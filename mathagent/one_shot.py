"""One problem, one call: ``solve``, ``stream`` and ``solve_sync`` open a Solver of their own and close it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Unpack

from mathagent import _sync
from mathagent.agents.solve_options import OneShotOptions, OneShotStreamOptions, SolverOptions
from mathagent.agents.strategy import Strategy
from mathagent.events import Event
from mathagent.models.connect import ModelLike
from mathagent.solver import Solver
from mathagent.strategies import DEFAULT_STRATEGY
from mathagent.types import Problem, Solution


async def solve(
    problem: str | Problem,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    *,
    model: ModelLike | Sequence[ModelLike] | None = None,
    **options: Unpack[OneShotOptions],
) -> Solution:
    """Solves one problem with a Solver of its own. ``options`` are those of Solver and of Solver.solve."""
    with_solver, with_solve = _split_options(options)
    async with Solver(model, **with_solver) as solver:
        return await solver.solve(problem, strategy, **with_solve)


async def stream(
    problem: str | Problem,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    *,
    model: ModelLike | Sequence[ModelLike] | None = None,
    **options: Unpack[OneShotStreamOptions],
) -> AsyncGenerator[Event]:
    """Yields the events of solving one problem, as they happen; takes the options of ``solve``. See Solver.stream."""
    with_solver, with_solve = _split_options(options)
    async with (
        Solver(model, **with_solver) as solver,
        aclosing(solver.stream(problem, strategy, **with_solve)) as events,
    ):
        async for event in events:
            yield event


def solve_sync(
    problem: str | Problem,
    strategy: str | Strategy = DEFAULT_STRATEGY,
    *,
    model: ModelLike | Sequence[ModelLike] | None = None,
    **options: Unpack[OneShotOptions],
) -> Solution:
    """``solve`` for synchronous code; works in Jupyter, too. ``solve_sync("What is 6*7?").answer == "42"``."""
    return _sync.run(solve(problem, strategy, model=model, **options))


def _split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    of_solver = SolverOptions.__annotations__.keys()
    with_solver = {name: value for name, value in options.items() if name in of_solver}
    return with_solver, {name: value for name, value in options.items() if name not in of_solver}
