"""SolverResources: what a solver keeps open for its solves, and the context that each of them gets of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.agents.checkpoints import Checkpoints
from mathagent.agents.context import RunContext
from mathagent.agents.human import ApprovedSandbox, Hinted
from mathagent.agents.outside_tools import OutsideTools
from mathagent.agents.role_names import check_roles
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Meter
from mathagent.config import settings
from mathagent.events import Event
from mathagent.models.base import Backend, ConnectOptions, prepare
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import ModelLike, connect_backend, open_models
from mathagent.models.known_capabilities import KnownCapabilities
from mathagent.models.router import ByRole, Router
from mathagent.models.wrappers import wrap
from mathagent.sandbox import SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.tools.toolbox import Means, Toolbox

if TYPE_CHECKING:
    from mathagent.agents.saver import SolveSaver
    from mathagent.agents.solve_run import SolveRun
    from mathagent.agents.solver_memory import SolverMemory


@dataclass
class SolverResources:
    """The model, the sandbox, the memory, the completion cache and the checkpoints of a solver.

    A backend or sandbox that is given open is its owner's to close. Nothing is fetched or started before it is needed.
    """

    backend: Backend
    sandbox: Sandbox
    memory: SolverMemory
    cache: CompletionCache | None
    checkpoints: Checkpoints | None
    semaphore: asyncio.Semaphore
    to_close: list[Backend | Sandbox]
    calls: ConfinedCalls = field(default_factory=ConfinedCalls)
    outside: OutsideTools = field(default_factory=OutsideTools)
    known: KnownCapabilities = field(
        default_factory=lambda: KnownCapabilities(settings().capabilities_dir, settings().config_path)
    )
    comparer: AnswerComparer = field(init=False)
    _others: dict[tuple[str, str | None], tuple[Backend, asyncio.Semaphore]] = field(default_factory=dict)
    _semaphores: dict[int, asyncio.Semaphore] = field(default_factory=dict)
    _tidy: bool = False

    def __post_init__(self) -> None:
        self.comparer = AnswerComparer(self.calls.call)

    @classmethod
    def open(
        cls,
        model: ModelLike | Sequence[ModelLike] | None,
        options: ConnectOptions,
        *,
        roles: Mapping[str, ModelLike] | None = None,
        sandbox: str | Sandbox,
        memory: SolverMemory,
        cache: bool,
        checkpoints: bool | Path,
        max_parallel: int | None,
    ) -> SolverResources:
        """What these names stand for; parameters as Solver's. Raises UsageError."""
        backend, opened = open_models(model, options, roles)
        if isinstance(backend, Router):
            check_roles(backend.roles)
        runs_programs: Sandbox = SANDBOXES.load(sandbox)() if isinstance(sandbox, str) else sandbox
        own: list[Backend | Sandbox] = [*opened]
        if isinstance(sandbox, str):
            own.append(runs_programs)
        folder = checkpoints if isinstance(checkpoints, Path) else settings().solves_dir
        return cls(
            backend=backend,
            sandbox=runs_programs,
            memory=memory,
            cache=CompletionCache(settings().cache_path) if cache else None,
            checkpoints=Checkpoints(folder) if checkpoints else None,
            semaphore=asyncio.Semaphore(max_parallel or backend.max_parallel),
            to_close=own,
        )

    async def aclose(self) -> None:
        """Ends processes, closes connections and files: all of them, whatever one of them raises; that is raised then
        (the last of several, with the others as its context). Safe to call twice."""
        others = [other for other, _ in self._others.values()]
        async with AsyncExitStack() as closing:  # which goes from the last to the first
            if self.cache is not None:
                closing.callback(self.cache.close)
            for mine in (*others, self.memory, self.outside, self.calls, *reversed(self.to_close)):
                closing.push_async_callback(mine.aclose)

    async def prepare(self, within_s: float | None = None) -> None:
        """Lets the model find out what it can do, and tells it what is known of it: it may have other capabilities, and
        another identity, from then on. Raises UsageError, StorageError as KnownCapabilities does."""
        await prepare(self.backend, within_s)
        self.known.settle(self.backend)

    async def tidied(self) -> Checkpoints | None:
        """The checkpoints, cleared up once."""
        if self.checkpoints is not None and not self._tidy:
            self._tidy = True
            await self.checkpoints.tidy()
        return self.checkpoints

    def context(self, run: SolveRun) -> RunContext:
        """What one solve may use."""
        approve, measured = run.human.approve_code, run.spec.measured
        saver = run.thread.saver
        hinted = Hinted(self.wrapped(self.backend, self.semaphore, run.meter, run.emit, saver), run.human)
        sandbox = ApprovedSandbox(self.sandbox, run.interrupts) if approve else self.sandbox
        memory = self.memory.of_solve(run.spec.problem, measured=measured)
        means = Means(sandbox, self.sandbox, hinted, settings(), memory, measured)

        def open_model(model: str, base_url: str | None) -> Backend:
            other, semaphore = self._other(model, base_url)
            return Hinted(self.wrapped(other, semaphore, run.meter, run.emit, saver), run.human)

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
            durable=saver is not None,
        )

    def wrapped(
        self,
        backend: Backend,
        semaphore: asyncio.Semaphore,
        meter: Meter,
        emit: Callable[[Event], None],
        journal: SolveSaver | None = None,
    ) -> Backend:
        """``backend`` as one solve uses it: counted, cached, limited, tried again; of a Router its first stage, and the
        models of its roles."""

        def one(raw: Backend, at_once: asyncio.Semaphore) -> Backend:
            return wrap(raw, meter=meter, cache=self.cache, semaphore=at_once, emit=emit, journal=journal)

        if not isinstance(backend, Router):
            return one(backend, semaphore)
        first = one(backend.stages[0], semaphore)
        roles = {role: one(raw, self._at_once(raw)) for role, raw in backend.roles.items()}
        return ByRole(first, roles) if roles else first

    def _at_once(self, raw: Backend) -> asyncio.Semaphore:
        """How many requests a model of the router is sent at once, whoever asks."""
        if isinstance(self.backend, Router) and raw is self.backend.stages[0]:
            return self.semaphore
        return self._semaphores.setdefault(id(raw), asyncio.Semaphore(raw.max_parallel))

    def _other(self, model: str, base_url: str | None) -> tuple[Backend, asyncio.Semaphore]:
        """Another model that a strategy works with, opened once; a stage of the router keeps its roles.

        Raises UsageError where there is none of that name.
        """
        if isinstance(self.backend, Router):
            for stage in self.backend.stages:
                if (stage.name, None) == (model, base_url):
                    return Router([stage], self.backend.roles), self._at_once(stage)
        key = (model, base_url)
        if key not in self._others:
            other = connect_backend(model, ConnectOptions(base_url=base_url))
            self.known.settle(other)
            self._others[key] = (other, asyncio.Semaphore(other.max_parallel))
        return self._others[key]
