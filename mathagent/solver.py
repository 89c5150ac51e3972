"""Solver: the facade. The only place that opens resources and builds a RunContext."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mathagent.agents.blocks.teacher_note import write_note
from mathagent.agents.checkpoints import Checkpoints, SolveSpec, method_version, new_solve_id
from mathagent.agents.context import RunContext
from mathagent.agents.follow_up import Earlier, Understood, understand
from mathagent.agents.human import ApprovedSandbox, Hinted, Human
from mathagent.agents.problem_text import as_problem
from mathagent.agents.solve_run import Emitter, SolveRun, forward_interrupt
from mathagent.agents.solver_memory import MemoryMode, SolverMemory
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.thread import begin_thread, resume_thread
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget, Meter
from mathagent.config import settings
from mathagent.errors import UnsupportedOption, UsageError
from mathagent.events import Event
from mathagent.memory.base import ExperienceStore
from mathagent.memory.experience import Lesson
from mathagent.models.base import Backend, ConnectOptions, PullProgress
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import connect_backend
from mathagent.models.wrappers import wrap
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.scorers.confidence import Calibrations, abstaining, checked_share, with_confidence
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools.toolbox import Means, Toolbox
from mathagent.types import Candidate, Problem, Response, Solution


class Solver:
    """Keeps a model, a sandbox and the completion cache open for many problems.

    Use it as an async context manager, from one event loop; solves may run concurrently. ``model`` is a name
    (``embedded:…``, ``openai:…``, …) or a Backend of your own, which you close yourself; so is ``sandbox``
    (``process``, ``docker``, ``subprocess``, …). ``checkpoints`` says whether, or in which folder, solves are
    kept while they last, so that a killed one can be resumed. ``max_parallel`` is how many requests are sent at once
    (None: as many as the backend answers well). ``memory`` is a store of experiences, which you close
    yourself, or the file of one (None: the user's own); ``memory_mode`` says whether solves read it ("read") and write
    to it, too ("learn").
    ``on_progress`` hears of a model's download.
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
        max_parallel: int | None = None,
        memory: Path | ExperienceStore | None = None,
        memory_mode: MemoryMode = "off",
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
        self._others: dict[tuple[str, str | None], tuple[Backend, asyncio.Semaphore]] = {}
        self.calls = ConfinedCalls()
        self.comparer = AnswerComparer(self.calls.call)
        self._cache = CompletionCache(settings().cache_path) if cache else None
        self._semaphore = asyncio.Semaphore(max_parallel or self.backend.max_parallel)
        folder = checkpoints if isinstance(checkpoints, Path) else settings().solves_dir
        self.checkpoints = Checkpoints(folder) if checkpoints else None
        self._tidy = False
        self.memory = SolverMemory(memory, memory_mode)
        self._calibrations = Calibrations(settings().calibrations_dir)

    @property
    def caches(self) -> bool:
        """Whether replies come from the completion cache where it has them."""
        return self._cache is not None

    async def __aenter__(self) -> Solver:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends processes, closes connections and files; safe to call twice."""
        if self._owns_sandbox:
            await self.sandbox.aclose()
        await self.calls.aclose()
        await self.memory.aclose()
        if self._owns_backend:
            await self.backend.aclose()
        for other, _ in self._others.values():
            await other.aclose()
        if self._cache is not None:
            self._cache.close()

    async def solve(
        self,
        problem: str | Problem | None = None,
        strategy: str | Strategy = DEFAULT_STRATEGY,
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
        measured: bool = False,
    ) -> Solution:
        """Solves ``problem``, or goes on with the solve that ``resume`` names (its ``solve_id``), which needs no more.

        ``strategy`` is a name, a composition of names such as ``pal | vote(cot, tir)``, or a Strategy of your own
        (whose solve is resumed with it). ``config`` overrides its settings. ``on_event`` hears every event as it
        happens, pieces of replies included. Setting ``interrupt`` ends the solve with the best answer so far, as does
        the budget.
        ``human`` is the person beside it; a solve that needs them when nobody can be asked stops with
        ``waiting_for`` set, and is resumed with their ``answer``. An answer whose confidence is unknown or below
        ``min_confidence`` comes back as the best candidate of a Solution that has ``abstained``. Where the solve is
        ``measured`` (an evaluation), memory shows nothing that gives its answer away, and is not written: that is
        ``memory.remember``, once the solution is graded.
        Raises UsageError for wrong input; ResourceError where the model or the sandbox failed before there was
        any answer (afterwards the best so far is returned with ``stopped="error"``).
        """
        checked_share(min_confidence)
        person = human or Human()
        emitter = Emitter(on_event)
        if resume is not None:
            if measured or not (problem is None and budget is None and config is None and seed is None):
                raise UsageError("a resumed solve has its problem, budget, settings and seed; give none of them")
            thread = await resume_thread(self.checkpoints, resume, answer, emitter)
        else:
            if problem is None or answer is not None:
                raise UsageError("give a problem, or the id of a solve to resume")
            spec = self._spec(as_problem(problem), strategy, config or {}, budget, seed, person)
            spec = spec.model_copy(update={"measured": measured})
            thread = await begin_thread(await self._tidied(), spec, emitter)
        keep = thread.resumed
        try:
            chosen, configured = self._strategy(thread.spec, strategy if isinstance(strategy, Strategy) else None)
            run = SolveRun(thread, person, emitter)
            try:
                solution, keep = await run.solve(self._context(run), chosen, configured, interrupt)
            except BaseException:
                keep = thread.resumed or run.meter.usage.calls > 0
                raise
            solution = with_confidence(solution, self._calibrations.find(solution, self.backend.identity))
            solution = abstaining(solution, min_confidence)
            if not (keep or thread.spec.measured):
                await self.memory.remember_solve(solution, chosen, emitter, resumed=thread.resumed)
        finally:
            await asyncio.shield(thread.aclose(keep=keep))
        emitter.finish(solution)
        return solution

    def _spec(
        self,
        problem: Problem,
        strategy: str | Strategy,
        config: Mapping[str, Any],
        budget: Budget | None,
        seed: int | None,
        human: Human,
    ) -> SolveSpec:
        """What is asked, checked. Raises UsageError."""
        chosen: Strategy = STRATEGIES.load(strategy) if isinstance(strategy, str) else strategy
        configured = chosen.configure(config)
        if seed is not None and not self.backend.capabilities.seed:
            raise UnsupportedOption(self.backend.name, "seed")
        if self.checkpoints is None and human.on_interrupt is None and (human.approve_code or human.review_plans):
            raise UsageError("nobody is there to ask: give Human(on_interrupt=…), or a Solver with checkpoints")
        return SolveSpec(
            solve_id=new_solve_id(),
            problem=problem.without_reference(),
            strategy=strategy if isinstance(strategy, str) else strategy.name,
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
            memory=self.memory.mode,
            memory_path=self.memory.path,
            code=method_version(chosen),
        )

    def _strategy(self, spec: SolveSpec, own: Strategy | None) -> tuple[Strategy, StrategyConfig]:
        """The strategy of ``spec``: ``own``, or the one of its name. Raises UsageError where this is not what the solve
        was begun with."""
        chosen: Strategy = STRATEGIES.load(spec.strategy) if own is None else own
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
        approve, measured = run.human.approve_code, run.spec.measured
        sandbox = ApprovedSandbox(self.sandbox, run.interrupts) if approve else self.sandbox
        memory = self.memory.of_solve(run.spec.problem, measured=measured)
        hinted = Hinted(backend, run.human)
        means = Means(sandbox, self.sandbox, hinted, settings(), memory, measured)

        def open_model(model: str, base_url: str | None) -> Backend:
            other, semaphore = self._other(model, base_url)
            wrapped = wrap(
                other,
                meter=run.meter,
                cache=self._cache,
                semaphore=semaphore,
                emit=run.emit,
                journal=run.thread.saver,
            )
            return Hinted(wrapped, run.human)

        return RunContext(
            backend=hinted,
            sandbox=sandbox,
            comparer=self.comparer,
            meter=run.meter,
            emit=run.emit,
            seed=run.spec.seed,
            stream_tokens=run.emit.on_event is not None,
            interrupts=run.interrupts,
            memory=memory,
            tools=Toolbox(means),
            open_model=open_model,
        )

    def _other(self, model: str, base_url: str | None) -> tuple[Backend, asyncio.Semaphore]:
        """Another model that a strategy works with, opened once. Raises UsageError where there is none of that name."""
        key = (model, base_url)
        if key not in self._others:
            other = connect_backend(model, ConnectOptions(base_url=base_url))
            self._others[key] = (other, asyncio.Semaphore(other.max_parallel))
        return self._others[key]

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
        meter = Meter(budget)
        context = self.side_context(meter, on_event)
        watcher = asyncio.ensure_future(forward_interrupt(interrupt, meter))
        try:
            return await understand(context, text, earlier, names)
        finally:
            watcher.cancel()

    async def teach(self, problem: Problem, right_answer: str, wrong: Candidate) -> Lesson | None:
        """What the model, as a teacher who knows ``right_answer``, notes on the candidate that got ``problem`` wrong.

        None where it wrote nothing of use. Raises ResourceError where it cannot be asked.
        """
        return await write_note(self.side_context(Meter()), problem, right_answer, wrong)

    def side_context(
        self, meter: Meter, on_event: Callable[[Event], None] | None = None, *, seed: int | None = None
    ) -> RunContext:
        """What a question beside a solve may use, such as one to a single role: the model, nothing that is kept.

        ``meter`` counts it and holds its budget; ``seed`` None: the backend's own.
        """
        emit = Emitter(on_event)
        return RunContext(
            backend=wrap(self.backend, meter=meter, cache=self._cache, semaphore=self._semaphore, emit=emit),
            sandbox=self.sandbox,
            comparer=self.comparer,
            meter=meter,
            emit=emit,
            seed=self.backend.default_seed if seed is None else seed,
            stream_tokens=emit.on_event is not None,
        )

    async def _tidied(self) -> Checkpoints | None:
        """The checkpoints, cleared up once."""
        if self.checkpoints is not None and not self._tidy:
            self._tidy = True
            await self.checkpoints.tidy()
        return self.checkpoints

    async def stream(
        self, problem: str | Problem | None = None, strategy: str | Strategy = DEFAULT_STRATEGY, **options: Any
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
