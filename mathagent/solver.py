"""Solver: the facade. Solves by any strategy, one problem or many, for async and for synchronous code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from mathagent._sync import HomeLoop, at_home, iterating_twin, twin
from mathagent.agents.asides import Asides
from mathagent.agents.checkpoints import SolveSpec, method_version, new_solve_id
from mathagent.agents.event_stream import events_of
from mathagent.agents.human import Human
from mathagent.agents.problem_text import as_problem
from mathagent.agents.solve_many import Problems, SolveOutcome, outcomes
from mathagent.agents.solve_options import EachOptions, StreamOptions
from mathagent.agents.solve_run import Emitter, SolveRun
from mathagent.agents.solver_memory import MemoryMode, SolverMemory
from mathagent.agents.solver_resources import SolverResources
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.thread import begin_thread, resume_thread
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.errors import UnsupportedOption, UsageError
from mathagent.events import Event
from mathagent.memory.base import ExperienceStore
from mathagent.models.base import Backend, ConnectOptions, PullProgress
from mathagent.models.connect import ModelLike
from mathagent.models.router import Router
from mathagent.sandbox import DEFAULT_SANDBOX
from mathagent.sandbox.base import Sandbox
from mathagent.scorers.confidence import Calibrations, abstaining, checked_share, with_confidence
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.types import Problem, Response, Solution

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from mathagent.agents.subgraph import GraphState, SolveInput, SolveOutput


class Solver:
    """Keeps a model, a sandbox and the completion cache open for many problems.

    A context manager, ``async with`` or ``with``; solves may run concurrently. ``model`` is a name
    (``embedded:…``, ``openai:…``, …) or a Backend of your own, which you close yourself; so is ``sandbox``
    (``process``, ``docker``, ``subprocess``, …). Several models are a cascade from the cheapest, ``roles`` are models
    for single roles, such as the verifier (docs/backends.md). ``checkpoints`` says whether, or in which folder, solves
    are kept while they last, so that a killed one can be resumed. ``max_parallel`` is how many requests are sent at
    once (None: as many as the backend answers well). ``memory`` is a store of experiences, which you close yourself,
    or the file of one (None: the user's own); ``memory_mode`` says whether solves read it ("read") and write to it,
    too ("learn"). ``on_progress`` hears of a model's download. Nothing is fetched or started before it is needed.

    All methods may be called from any thread. Connections and processes live on the event loop that the solver is
    first used on (of synchronous code: mathagent's own); calls from other loops are done there, and callbacks such as
    ``on_event`` are made there. Methods raise RuntimeError once that loop has ended.
    """

    def __init__(
        self,
        model: ModelLike | Sequence[ModelLike] | None = None,
        *,
        roles: Mapping[str, ModelLike] | None = None,
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
        self.home = HomeLoop()
        self.memory = SolverMemory(memory, memory_mode)
        self._resources = SolverResources.open(
            model,
            options,
            roles=roles,
            sandbox=sandbox,
            memory=self.memory,
            cache=cache,
            checkpoints=checkpoints,
            max_parallel=max_parallel,
        )
        self.sandbox, self.calls = self._resources.sandbox, self._resources.calls
        self.comparer = self._resources.comparer
        self.checkpoints = self._resources.checkpoints
        self.beside = Asides(self._resources)
        self._base_url = base_url or settings().openai_base_url
        self._calibrations = Calibrations(settings().calibrations_dir)

    @property
    def backend(self) -> Backend:
        """The model that solves from now on."""
        return self._resources.backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._resources.backend = backend

    @property
    def caches(self) -> bool:
        """Whether replies come from the completion cache where it has them."""
        return self._resources.cache is not None

    async def __aenter__(self) -> Solver:
        self.home.settle(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __enter__(self) -> Solver:
        self.home.settle()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def aclose(self) -> None:
        """Ends processes, closes connections and files; safe to call twice."""
        if self.home.has_ended:  # with all that lived on it
            await self._resources.aclose()
        else:
            await self.home.call(self._resources.aclose())

    @at_home
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
        began = time.monotonic()
        await self._resources.prepare(None if budget is None else budget.max_seconds)
        waited_s = time.monotonic() - began
        if resume is not None:
            if measured or not (problem is None and budget is None and config is None and seed is None):
                raise UsageError("a resumed solve has its problem, budget, settings and seed; give none of them")
            thread = await resume_thread(self.checkpoints, resume, answer, emitter)
        else:
            if problem is None or answer is not None:
                raise UsageError("give a problem, or the id of a solve to resume")
            chosen, configured = self._configured(strategy, config or {}, seed)
            spec = self._spec(as_problem(problem), strategy, chosen, configured, budget, seed, person, measured)
            thread = await begin_thread(await self._resources.tidied(), spec, emitter)
        keep = thread.resumed
        try:
            if thread.resumed:
                own = strategy if isinstance(strategy, Strategy) else None
                chosen, configured = self._strategy(thread.spec, own)
            run = SolveRun(thread, person, emitter, waited_s=waited_s)
            try:
                context, outside = self._resources.context(run), self._resources.outside
                solution, keep = await run.solve(context, self._routed(chosen), configured, interrupt, outside)
            except BaseException:
                keep = thread.resumed or run.meter.usage.calls > 0
                raise
            if self._routed(chosen) is chosen:  # a cascade has calibrated that of each stage
                solution = with_confidence(solution, self._calibrations.find(solution, self.backend.identity))
            solution = abstaining(solution, min_confidence)
            if not (keep or thread.spec.measured):
                await self.memory.remember_solve(solution, chosen, emitter, resumed=thread.resumed)
        finally:
            await asyncio.shield(thread.aclose(keep=keep))
        emitter.finish(solution)
        return solution

    async def stream(
        self,
        problem: str | Problem | None = None,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[Event]:
        """Yields the events of ``solve`` (same options) as they happen; the last, SolveFinished, has the Solution.

        Closing the iterator, or cancelling its task, ends the solve, and waits until its programs are stopped. To
        leave a loop early, wrap it in ``contextlib.aclosing``: a mere ``break`` leaves the closing to Python.
        """
        events = events_of(lambda on_event: self.solve(problem, strategy, **options, on_event=on_event))
        async with aclosing(events):
            async for event in events:
                yield event

    async def solve_many(
        self,
        problems: Problems,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        **options: Unpack[EachOptions],
    ) -> AsyncGenerator[SolveOutcome]:
        """Solves ``problems`` (an iterable, also an async one, read as needed), ``concurrency`` at a time (None: as
        many as the backend answers well).

        Yields for each problem its Solution or a named failure, as they are ready or, ``ordered``, in the order of the
        problems; none ends the others. ``options`` are those of ``solve`` and hold for each problem. Closing the
        iterator ends what is being solved. Raises UsageError for a strategy, setting or option that is wrong for all.
        """
        unknown = options.keys() - EachOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"solve_many() has no option {', '.join(sorted(unknown))}")
        checked_share(options.get("min_confidence"))
        self._configured(strategy, options.get("config") or {}, options.get("seed"))
        results = outcomes(
            lambda problem: self.solve(problem, strategy, **options),
            problems,
            concurrency=self.backend.max_parallel if concurrency is None else concurrency,
            ordered=ordered,
        )
        async with aclosing(results):
            async for outcome in results:
                yield outcome

    def graph(
        self,
        strategy: str | Strategy = DEFAULT_STRATEGY,
        *,
        approve_code: bool = False,
        review_plans: bool = False,
        **options: Unpack[EachOptions],
    ) -> CompiledStateGraph[GraphState, None, SolveInput, SolveOutput]:
        """The solve as a compiled LangGraph graph: ``{"problem": …}`` goes in, ``{"solution": Solution}`` comes out.

        A node of any graph whose state has these two keys (agents/subgraph.py says what it streams, and how it asks a
        person where ``approve_code`` or ``review_plans`` is set). ``options`` are those of ``solve`` and hold for each
        run. The solver must stay open as long as the graph is used. Raises UsageError as ``solve`` does.
        """
        from mathagent.agents.subgraph import solve_graph

        self._configured(strategy, options.get("config") or {}, options.get("seed"))
        own = strategy if isinstance(strategy, Strategy) else DEFAULT_STRATEGY

        async def solve(problem: str | Problem, on_event: Callable[[Event], None]) -> Solution:
            human = Human(approve_code=approve_code, review_plans=review_plans)
            return await self.solve(problem, strategy, **options, human=human, on_event=on_event)

        async def resume(solve_id: str, answer: Response, on_event: Callable[[Event], None]) -> Solution:
            return await self.solve(
                None,
                own,
                resume=solve_id,
                answer=answer,
                on_event=on_event,
                interrupt=options.get("interrupt"),
                min_confidence=options.get("min_confidence"),
            )

        return solve_graph(solve, resume, self.home)

    solve_sync = twin(solve)
    stream_sync = iterating_twin(stream)
    solve_many_sync = iterating_twin(solve_many)
    close = twin(aclose)

    def _spec(
        self,
        problem: Problem,
        strategy: str | Strategy,
        chosen: Strategy,
        configured: StrategyConfig,
        budget: Budget | None,
        seed: int | None,
        human: Human,
        measured: bool,
    ) -> SolveSpec:
        """What is asked, of ``chosen``, which ``strategy`` names. Raises UsageError where nobody could be asked."""
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
            cache=self.caches,
            approve_code=human.approve_code,
            review_plans=human.review_plans,
            memory=self.memory.mode,
            memory_path=self.memory.path,
            measured=measured,
            code=method_version(chosen),
        )

    def _configured(
        self, strategy: str | Strategy, config: Mapping[str, Any], seed: int | None
    ) -> tuple[Strategy, StrategyConfig]:
        """The strategy with its settings. Raises UsageError."""
        chosen: Strategy = STRATEGIES.load(strategy) if isinstance(strategy, str) else strategy
        if seed is not None and not self.backend.capabilities.seed:
            raise UnsupportedOption(self.backend.name, "seed")
        return chosen, chosen.configure(config)

    def _routed(self, strategy: Strategy) -> Strategy:
        """``strategy`` as the models of this solver work by it: one after the other, where it is a cascade."""
        if not isinstance(self.backend, Router) or len(self.backend.stages) == 1:
            return strategy
        from mathagent.agents.cascade import in_cascade

        return in_cascade(strategy, self.backend, self._calibrations)

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
