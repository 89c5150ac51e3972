"""Solver: the facade. The only place that opens resources and builds a RunContext."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from mathagent import _sync
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.graph import run_graph
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget, Meter
from mathagent.config import settings
from mathagent.errors import MathagentError, UnsupportedOption, UsageError
from mathagent.events import CandidateProposed, Event, SolveFinished, SolveStarted
from mathagent.models.base import Backend, ConnectOptions, PullProgress
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import connect_backend
from mathagent.models.wrappers import wrap
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.types import Candidate, Problem, Solution, Stopped

MAX_PROBLEM_CHARACTERS = 100_000


class Solver:
    """Keeps a model, a sandbox and the completion cache open for many problems.

    Use it as an async context manager, from one event loop; solves may run concurrently. ``model`` is a name
    (``embedded:…``, ``openai:…``, …) or a Backend of your own, which you close yourself; so is ``sandbox``
    (``process``, ``docker``, ``subprocess``, …). ``on_progress`` hears of a model's download. Nothing is fetched or
    started before it is needed.
    """

    def __init__(
        self,
        model: str | Backend | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        sandbox: str | Sandbox = DEFAULT_SANDBOX,
        cache: bool = True,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        options = ConnectOptions.model_validate(
            {"base_url": base_url, "api_key": api_key, "on_progress": on_progress}
        )
        self._owns_backend = model is None or isinstance(model, str)
        self.backend: Backend = (
            connect_backend(model, options) if model is None or isinstance(model, str) else model
        )
        self._owns_sandbox = isinstance(sandbox, str)
        self.sandbox: Sandbox = SANDBOXES.load(sandbox)() if isinstance(sandbox, str) else sandbox
        self._calls = ConfinedCalls()
        self.comparer = AnswerComparer(self._calls.call)
        self._cache = CompletionCache(settings().cache_path) if cache else None
        self._semaphore = asyncio.Semaphore(self.backend.max_parallel)

    async def __aenter__(self) -> Solver:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends processes, closes connections and files; safe to call twice."""
        if self._owns_sandbox:
            await self.sandbox.aclose()
        await self._calls.aclose()
        if self._owns_backend:
            await self.backend.aclose()
        if self._cache is not None:
            self._cache.close()

    async def solve(
        self,
        problem: str | Problem,
        strategy: str = DEFAULT_STRATEGY,
        *,
        budget: Budget | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        on_event: Callable[[Event], None] | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> Solution:
        """Solves ``problem``.

        ``config`` overrides the strategy's settings. ``on_event`` hears every event as it happens, pieces of
        replies included. Setting ``interrupt`` ends the solve with the best answer so far, as does the budget.
        Raises UsageError for wrong input; ResourceError where the model or the sandbox failed before there was
        any answer (afterwards the best so far is returned with ``stopped="error"``).
        """
        asked = as_problem(problem)
        chosen: Strategy = STRATEGIES.load(strategy)
        configured = chosen.configure(config or {})
        if seed is not None and not self.backend.capabilities.seed:
            raise UnsupportedOption(self.backend.name, "seed")
        meter = Meter(budget)
        proposed: list[Candidate] = []

        def emit(event: Event) -> None:
            if isinstance(event, CandidateProposed):
                proposed.append(event.candidate)
            if on_event is not None:
                on_event(event)

        context = RunContext(
            backend=wrap(self.backend, meter=meter, cache=self._cache, semaphore=self._semaphore, emit=emit),
            sandbox=self.sandbox,
            comparer=self.comparer,
            meter=meter,
            emit=emit,
            seed=self.backend.default_seed if seed is None else seed,
            stream_tokens=on_event is not None,
        )
        started = SolveStarted(
            problem_id=asked.id, strategy=chosen.name, model=self.backend.name, samples=configured.n
        )
        emit(started)
        watcher = asyncio.ensure_future(_forward(interrupt, meter))
        try:
            state, error = await _search(chosen, configured, asked, context, proposed)
        finally:
            watcher.cancel()
        solution = _solution(state, error, asked, chosen, configured, self.backend.name, meter)
        emit(SolveFinished(solution=solution))
        return solution

    async def stream(
        self, problem: str | Problem, strategy: str = DEFAULT_STRATEGY, **options: Any
    ) -> AsyncIterator[Event]:
        """Yields the events of ``solve`` (same options) as they happen; the last is SolveFinished."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.ensure_future(self.solve(problem, strategy, **options, on_event=queue.put_nowait))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()


async def _forward(interrupt: asyncio.Event | None, meter: Meter) -> None:
    if interrupt is not None:
        await interrupt.wait()
        meter.interrupt()


async def _search(
    strategy: Strategy, config: StrategyConfig, problem: Problem, context: RunContext, proposed: list[Candidate]
) -> tuple[SolveState, MathagentError | None]:
    """Runs the strategy's graph; after a failure, votes over the candidates that were proposed before it."""
    start = SolveState(problem=problem.without_reference())
    state, error = await run_graph(strategy.build(config), start, context)
    if error is None:
        return state, None
    if not any(candidate.answer is not None for candidate in proposed):
        raise error
    update = await vote(context, proposed)
    return state.model_copy(update={**update, "candidates": list(proposed)}), error


def _solution(
    state: SolveState,
    error: MathagentError | None,
    problem: Problem,
    strategy: Strategy,
    config: StrategyConfig,
    model: str,
    meter: Meter,
) -> Solution:
    stopped: Stopped = "finished"
    detail = ""
    exhausted = meter.limit_reached()
    if error is not None:
        stopped, detail = "error", str(error)
    elif meter.interrupted:
        stopped, detail = "interrupted", "interrupted; this is the best so far"
    elif state.limit is not None or (state.answer is None and exhausted is not None):
        stopped, detail = "budget", state.limit or str(exhausted)
    return Solution(
        problem=problem.without_reference(),
        answer=state.answer,
        confidence=state.confidence,
        confidence_basis=state.confidence_basis,
        certificate=state.certificate,
        candidates=tuple(state.candidates),
        usage=meter.usage,
        stopped=stopped,
        detail=detail,
        strategy=strategy.name,
        config=config.model_dump(mode="json"),
        model=model,
        seconds=round(meter.seconds, 3),
    )


def as_problem(problem: str | Problem) -> Problem:
    """A checked Problem with an id. Raises UsageError where it is empty, too long, or not text."""
    asked = problem if isinstance(problem, Problem) else Problem(text=problem)
    length = len(asked.text)
    if not asked.text.strip():
        raise UsageError('the problem is empty; give its text, for example mathagent solve "What is 12 * 12?"')
    if length > MAX_PROBLEM_CHARACTERS:
        limit = f"{MAX_PROBLEM_CHARACTERS:,}"
        raise UsageError(f"the problem has {length:,} characters, more than {limit}; shorten it to the question")
    if "\x00" in asked.text:
        raise UsageError("the problem holds NUL bytes: it is not text; give plain UTF-8 text")
    return asked if asked.id else asked.model_copy(update={"id": asked.content_hash()})


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


_SOLVER_OPTIONS = frozenset({"base_url", "api_key", "sandbox", "cache", "on_progress"})


def _split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    with_solver = {name: value for name, value in options.items() if name in _SOLVER_OPTIONS}
    return with_solver, {name: value for name, value in options.items() if name not in _SOLVER_OPTIONS}
