"""A strategy's graph run against a scripted model and a fake memory, without a Solver around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mathagent.agents.context import Memory
from mathagent.agents.graph import GraphRun, run_graph
from mathagent.agents.saver import SolveSaver
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget
from mathagent.events import Event
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.types import Problem
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.scripted_context import scripted_context


async def graph_solve(
    strategy: Strategy,
    backend: ScriptedBackend,
    problem: Problem,
    *,
    store: FakeStore | None = None,
    machinery: tuple[Sandbox, AnswerComparer] | None = None,
    saver: SolveSaver | None = None,
    resume: bool = False,
    budget: Budget | None = None,
    seed: int | None = None,
    **config: Any,
) -> tuple[GraphRun, list[Event]]:
    """How the run ended, and its events."""
    context, events = scripted_context(backend, budget=budget)
    memory = None if store is None else Memory(store, guard=None)
    sandbox, comparer = machinery or (context.sandbox, context.comparer)
    context = replace(context, memory=memory, seed=seed, sandbox=sandbox, comparer=comparer)
    graph = strategy.build(strategy.configure(config))
    run = await run_graph(graph, SolveState(problem=problem), context, saver, resume=resume)
    return run, events


async def final_state(strategy: Strategy, backend: ScriptedBackend, problem: Problem, **more: Any) -> SolveState:
    """The state that a run without an error ends in; the script must be used up."""
    run, _ = await graph_solve(strategy, backend, problem, **more)
    if run.error is not None:
        raise run.error
    backend.assert_finished()
    return run.state
