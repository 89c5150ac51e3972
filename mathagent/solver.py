"""Solver: the facade. The only place that opens resources and builds a RunContext."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mathagent import _sync
from mathagent.agents.checkpoints import Checkpoints, SolveSpec, method_version, new_solve_id
from mathagent.agents.context import RunContext
from mathagent.agents.follow_up import Earlier, Understood, understand
from mathagent.agents.human import ApprovedSandbox, Hinted, Human
from mathagent.agents.solve_run import Emitter, SolveRun, forward_interrupt
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.thread import begin_thread, resume_thread
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget, Meter
from mathagent.config import settings
from mathagent.errors import UnsupportedOption, UsageError
from mathagent.events import Event
from mathagent.models.base import Backend, ConnectOptions, PullProgress
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import connect_backend
from mathagent.models.wrappers import wrap
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.scorers.confidence import Calibrations, abstaining, checked_share, with_confidence
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.types import Problem, Response, Solution

MAX_PROBLEM_CHARACTERS = 100_000


class Solver:
    """Keeps a model, a sandbox and the completion cache open for many problems.

    Use it as an async context manager, from one event loop; solves may run concurrently. ``model`` is a name
    (``embedded:…``, ``openai:…``, …) or a Backend of your own, which you close yourself; so is ``sandbox``
    (``process``, ``docker``, ``subprocess``, …). ``checkpoints`` says whether, or in which folder, solves are
    kept while they last, so that a killed one can be resumed. ``on_progress`` hears of a model's download.
    Nothing is fetched or started before it is needed.
    """

    def __init__(
        self,
        model: str | Backend | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        sandbox: str | Sandbox = DEFAULT_SANDBOX,
        cache: bool = True,
        checkpoints: bool | Path = True,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        options = ConnectOptions.model_validate(
            {"base_url": base_url, "api_key": api_key, "on_progress": on_progress}
        )
        self._base_url = base_url or settings().openai_base_url
        self._owns_backend = model is None or isinstance(model, str)
        self.backend: Backend = (
            connect_backend(model, options) if model is None or isinstance(model, str) else model
        )
        self._owns_sandbox = isinstance(sandbox, str)
        self.sandbox: Sandbox = SANDBOXES.load(sandbox)() if isinstance(sandbox, str) else sandbox
        self.calls = ConfinedCalls()
        self.comparer = AnswerComparer(self.calls.call)
        self._cache = CompletionCache(settings().cache_path) if cache else None
        self._semaphore = asyncio.Semaphore(self.backend.max_parallel)
        folder = checkpoints if isinstance(checkpoints, Path) else settings().solves_dir
        self.checkpoints = Checkpoints(folder) if checkpoints else None
        self._tidy = False
        self._calibrations = Calibrations(settings().calibrations_dir)

    async def __aenter__(self) -> Solver:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends processes, closes connections and files; safe to call twice."""
        if self._owns_sandbox:
            await self.sandbox.aclose()
        await self.calls.aclose()
        if self._owns_backend:
            await self.backend.aclose()
        if self._cache is not None:
            self._cache.close()

    async def solve(
        self,
        problem: str | Problem | None = None,
        strategy: str = DEFAULT_STRATEGY,
        *,
        budget: Budget | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        on_event: Callable[[Event], None] | None = None,
        interrupt: asyncio.Event | None = None,
        human: Human | None = None,
        resume: str | None = None,
        answer: Response | None = None,
        min_confidence: float | None = None,
    ) -> Solution:
        """Solves ``problem``, or goes on with the solve that ``resume`` names (its ``solve_id``), which needs no more.

        ``config`` overrides the strategy's settings. ``on_event`` hears every event as it happens, pieces of
        replies included. Setting ``interrupt`` ends the solve with the best answer so far, as does the budget.
        ``human`` is the person beside it; a solve that needs them when nobody can be asked stops with
        ``waiting_for`` set, and is resumed with their ``answer``. An answer whose confidence is unknown or below
        ``min_confidence`` comes back as the best candidate of a Solution that has ``abstained``.
        Raises UsageError for wrong input; ResourceError where the model or the sandbox failed before there was
        any answer (afterwards the best so far is returned with ``stopped="error"``).
        """
        checked_share(min_confidence)
        person = human or Human()
        emitter = Emitter(on_event)
        if resume is not None:
            if not (problem is None and budget is None and config is None and seed is None):
                raise UsageError("a resumed solve has its problem, budget, settings and seed; give none of them")
            thread = await resume_thread(self.checkpoints, resume, answer, emitter)
        else:
            if problem is None or answer is not None:
                raise UsageError("give a problem, or the id of a solve to resume")
            spec = self._spec(as_problem(problem), strategy, config or {}, budget, seed, person)
            thread = await begin_thread(await self._tidied(), spec, emitter)
        keep = thread.resumed
        try:
            chosen, configured = self._strategy(thread.spec)
            run = SolveRun(thread, person, emitter)
            try:
                solution, keep = await run.solve(self._context(run), chosen, configured, interrupt)
            except BaseException:
                keep = thread.resumed or run.meter.usage.calls > 0
                raise
        finally:
            await asyncio.shield(thread.aclose(keep=keep))
        solution = with_confidence(solution, self._calibrations.find(solution, self.backend.identity))
        solution = abstaining(solution, min_confidence)
        emitter.finish(solution)
        return solution

    def _spec(
        self,
        problem: Problem,
        strategy: str,
        config: Mapping[str, Any],
        budget: Budget | None,
        seed: int | None,
        human: Human,
    ) -> SolveSpec:
        """What is asked, checked. Raises UsageError."""
        chosen: Strategy = STRATEGIES.load(strategy)
        configured = chosen.configure(config)
        if seed is not None and not self.backend.capabilities.seed:
            raise UnsupportedOption(self.backend.name, "seed")
        if self.checkpoints is None and human.on_interrupt is None and (human.approve_code or human.review_plans):
            raise UsageError("nobody is there to ask: give Human(on_interrupt=…), or a Solver with checkpoints")
        return SolveSpec(
            solve_id=new_solve_id(),
            problem=problem.without_reference(),
            strategy=strategy,
            config=configured.model_dump(mode="json"),
            budget=budget or Budget(),
            seed=self.backend.default_seed if seed is None else seed,
            model=self.backend.name,
            identity=self.backend.identity,
            base_url=self._base_url,
            sandbox=self.sandbox.name,
            cache=self._cache is not None,
            approve_code=human.approve_code,
            review_plans=human.review_plans,
            code=method_version(chosen),
        )

    def _strategy(self, spec: SolveSpec) -> tuple[Strategy, StrategyConfig]:
        """The strategy of ``spec``. Raises UsageError where this is not what the solve was begun with."""
        chosen: Strategy = STRATEGIES.load(spec.strategy)
        if spec.identity != self.backend.identity:
            raise UsageError(
                f"solve {spec.solve_id} was begun with {spec.model}, and this is {self.backend.name} (or another"
                " address of it); resume it with the same model"
            )
        if spec.code != method_version(chosen):
            raise UsageError(
                f"solve {spec.solve_id} was begun with other code of strategy '{spec.strategy}'; its steps may not"
                " fit: solve the problem anew"
            )
        return chosen, chosen.configure(spec.config)

    def _context(self, run: SolveRun) -> RunContext:
        backend = wrap(
            self.backend,
            meter=run.meter,
            cache=self._cache,
            semaphore=self._semaphore,
            emit=run.emit,
            journal=run.thread.saver,
        )
        approve = run.human.approve_code
        return RunContext(
            backend=Hinted(backend, run.human),
            sandbox=ApprovedSandbox(self.sandbox, run.interrupts) if approve else self.sandbox,
            comparer=self.comparer,
            meter=run.meter,
            emit=run.emit,
            seed=run.spec.seed,
            stream_tokens=run.emit.on_event is not None,
            interrupts=run.interrupts,
        )

    async def understand(
        self,
        text: str,
        earlier: Sequence[Earlier],
        names: Mapping[str, str] | None = None,
        *,
        budget: Budget | None = None,
        on_event: Callable[[Event], None] | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> Understood:
        """A follow-up question as a problem that is complete in itself, to be solved next: see agents/follow_up.py.

        ``budget`` is for this alone; setting ``interrupt`` ends it. Where the model fails, the text stays as it is.
        """
        meter, emit = Meter(budget), Emitter(on_event)
        backend = wrap(self.backend, meter=meter, cache=self._cache, semaphore=self._semaphore, emit=emit)
        context = RunContext(
            backend=backend,
            sandbox=self.sandbox,
            comparer=self.comparer,
            meter=meter,
            emit=emit,
            seed=self.backend.default_seed,
            stream_tokens=on_event is not None,
        )
        watcher = asyncio.ensure_future(forward_interrupt(interrupt, meter))
        try:
            return await understand(context, text, earlier, names)
        finally:
            watcher.cancel()

    async def _tidied(self) -> Checkpoints | None:
        """The checkpoints, cleared up once."""
        if self.checkpoints is not None and not self._tidy:
            self._tidy = True
            await self.checkpoints.tidy()
        return self.checkpoints

    async def stream(
        self, problem: str | Problem | None = None, strategy: str = DEFAULT_STRATEGY, **options: Any
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


_SOLVER_OPTIONS = frozenset({"base_url", "api_key", "sandbox", "cache", "checkpoints", "on_progress"})


def _split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    with_solver = {name: value for name, value in options.items() if name in _SOLVER_OPTIONS}
    return with_solver, {name: value for name, value in options.items() if name not in _SOLVER_OPTIONS}
