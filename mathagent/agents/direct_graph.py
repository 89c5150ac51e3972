"""DirectGraph: a strategy's graph walked by ourselves, where nothing of it is kept and nobody listens.

LangGraph prepares every step for checkpoints, callbacks and streams, which is a third of the CPU time of a benchmark
with a fast model. The walk is the same: steps of nodes side by side on one state, updates joined in the order of the
nodes' names by the state's reducers, then the edges. It knows the part of LangGraph that our strategies are written in;
``of`` refuses any other graph, and LangGraph runs that.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Self

from langgraph.channels import BinaryOperatorAggregate, LastValue
from langgraph.errors import GraphRecursionError, InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState

Update = Mapping[str, Any]
Node = Callable[[SolveState, Runtime[RunContext]], Coroutine[Any, Any, Update | None]]
Reducer = Callable[[Any, Any], Any]
NODE_OPTIONS = ("retry_policy", "cache_policy", "error_handler_node", "defer", "timeout", "ends")
"""What LangGraph can do around a node; ours do without."""


@dataclass(frozen=True)
class Branch:
    """A choice of the next nodes: ``choose`` names one or several of ``ends``."""

    choose: Callable[[SolveState, Runtime[RunContext]], Any]
    ends: Mapping[Any, str]

    async def targets(self, state: SolveState, runtime: Runtime[RunContext]) -> list[str]:
        chosen = self.choose(state, runtime)
        if isinstance(chosen, Awaitable):
            chosen = await chosen
        return [self.ends[one] for one in (chosen if isinstance(chosen, list | tuple) else [chosen])]


@dataclass(frozen=True)
class DirectGraph:
    """``nodes`` by name, ``edges`` and ``branches`` by the node that they leave; ``joins`` are edges that several nodes
    leave together, once all of them have ended; ``reducers`` of the state's fields (None: the latest value stands, and
    one step writes it once)."""

    nodes: Mapping[str, Node]
    edges: Mapping[str, tuple[str, ...]]
    branches: Mapping[str, tuple[Branch, ...]]
    joins: tuple[tuple[tuple[str, ...], str], ...]
    reducers: Mapping[str, Reducer | None]

    @classmethod
    def of(cls, graph: StateGraph[Any, Any, Any, Any]) -> Self | None:
        """``graph`` to be walked; None where it needs more than a walk."""
        if graph.state_schema is not SolveState:
            return None
        nodes: dict[str, Node] = {}
        for name, spec in graph.nodes.items():
            function = _function(spec.runnable)
            options = any(getattr(spec, option, None) for option in NODE_OPTIONS)
            if function is None or not inspect.iscoroutinefunction(function) or options:
                return None
            if spec.input_schema is not SolveState:
                return None
            nodes[name] = _with_runtime(function)
        branches: dict[str, tuple[Branch, ...]] = {}
        for name, named in graph.branches.items():
            choices = []
            for branch in named.values():
                choose = _function(branch.path)
                if choose is None or branch.ends is None:
                    return None
                choices.append(Branch(_with_runtime(choose), branch.ends))
            branches[name] = tuple(choices)
        reducers = {
            name: _reducer(channel) for name, channel in graph.channels.items() if name in SolveState.model_fields
        }
        if any(reducer is NotImplemented for reducer in reducers.values()):
            return None
        edges = {name: tuple(end for start, end in graph.edges if start == name) for name in (START, *nodes)}
        return cls(nodes, edges, branches, tuple(graph.waiting_edges), reducers)

    async def stream(
        self, start: SolveState, context: RunContext, *, recursion_limit: int
    ) -> AsyncIterator[dict[str, Any]]:
        """The values of the state at the begin and after each step, as LangGraph streams them.

        Raises what a node raises, once those beside it are cancelled; GraphRecursionError after ``recursion_limit``
        steps; InvalidUpdateError where nodes side by side write a field that has no reducer.
        """
        runtime: Runtime[RunContext] = Runtime(context=context)
        values = dict(start)
        yield values
        waiting = {join: set(join[0]) for join in self.joins}
        due = await self._after({START: values}, runtime, waiting)
        for _ in range(recursion_limit):
            if not due:
                return
            state = SolveState.model_validate(values)
            updates = await _side_by_side({name: self.nodes[name](state, runtime) for name in due})
            before, values = values, self._joined(values, updates)
            alone = {
                name: values if len(due) == 1 else self._joined(before, {name: updates[name]}) for name in due
            }
            yield values
            due = await self._after(
                alone, runtime, waiting
            )  # a choice sees what its own node has written, and no other's
        if due:
            raise GraphRecursionError(f"the graph did not end within {recursion_limit} steps")

    def _joined(self, values: Mapping[str, Any], updates: Mapping[str, Update | None]) -> dict[str, Any]:
        joined = dict(values)
        written = set()
        for update in updates.values():
            for name, value in (update or {}).items():
                if name not in self.reducers:
                    continue
                reducer = self.reducers[name]
                if reducer is not None:
                    joined[name] = reducer(joined[name], value)
                elif name in written:
                    raise InvalidUpdateError(f"two nodes of one step write '{name}', which has no reducer")
                else:
                    joined[name] = value
                written.add(name)
        return joined

    async def _after(
        self,
        ended: Mapping[str, Mapping[str, Any]],
        runtime: Runtime[RunContext],
        waiting: dict[tuple[tuple[str, ...], str], set[str]],
    ) -> list[str]:
        """The nodes that follow those that ``ended``, each with the state's values as it left them; by name.

        ``waiting`` are the nodes that each join still waits for."""
        targets: set[str] = set()
        for name, values in ended.items():
            targets.update(self.edges[name])
            for branch in self.branches.get(name, ()):
                targets.update(await branch.targets(SolveState.model_validate(values), runtime))
        for join, missing in waiting.items():
            missing.difference_update(ended)
            if not missing:
                targets.add(join[1])
                missing.update(join[0])
        return sorted(targets - {END})


async def _side_by_side(work: Mapping[str, Coroutine[Any, Any, Any]]) -> dict[str, Any]:
    """What each gives. Each has a context of its own; where one raises the others are cancelled."""
    tasks = {name: asyncio.create_task(one) for name, one in work.items()}
    try:
        if len(tasks) > 1:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
            failed = next((task for task in tasks.values() if task.done() and task.exception() is not None), None)
            if failed is not None:
                failed.result()
        return {name: await task for name, task in tasks.items()}
    finally:
        running = [task for task in tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.gather(*running, return_exceptions=True)


def _function(runnable: Any) -> Callable[..., Any] | None:
    """The function that LangGraph made ``runnable`` of; None where it is something else."""
    return getattr(runnable, "afunc", None) or getattr(runnable, "func", None)


def _with_runtime(function: Callable[..., Any]) -> Callable[[SolveState, Runtime[RunContext]], Any]:
    parameters = inspect.signature(function).parameters
    if "runtime" in parameters:
        return lambda state, runtime: function(state, runtime=runtime)
    return lambda state, _: function(state)


def _reducer(channel: Any) -> Any:
    """How a field's values are joined; None: the latest stands; NotImplemented: otherwise."""
    if isinstance(channel, BinaryOperatorAggregate):
        return channel.operator
    return None if type(channel) is LastValue else NotImplemented
