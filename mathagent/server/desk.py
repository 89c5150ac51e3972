"""SolveDesk: takes orders, gives each its turn, its limits and its place in the books, and ends all of them well."""

from __future__ import annotations

import asyncio

from mathagent.agents.checkpoints import StoredSolve as Unfinished
from mathagent.agents.gate import Gate
from mathagent.agents.outside_requests import allowed_settings, allowed_strategy
from mathagent.agents.problem_text import as_problem
from mathagent.agents.transcribe import Transcription
from mathagent.budget import Budget, noting_meters
from mathagent.errors import MathagentError, UnsupportedOption
from mathagent.events import Event, ModelReplied
from mathagent.sandbox.base import Limits
from mathagent.scorers.checks import run_certificate
from mathagent.server.allowance import Allowance
from mathagent.server.api_errors import ApiError, ended
from mathagent.server.books import Books, paid_tokens
from mathagent.server.job import Job, SolveOrder
from mathagent.server.metrics import ServerMetrics
from mathagent.server.model_table import ModelTable
from mathagent.server.options import ServeLimits, ServerKey
from mathagent.server.store import SolutionStore, StoredSolve
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Check, Image, Problem, Solution

BACKSTOP_S = 30.0
"""A solve that has not ended so long after its deadline is given up."""
CANCEL_S = 10.0
"""How long given-up solves may take to clear up when the server ends."""


class SolveDesk:
    """All solves of a server. ``orders`` are checked, counted, run and written down; jobs are found by their id."""

    def __init__(
        self, models: ModelTable, store: SolutionStore, limits: ServeLimits, metrics: ServerMetrics
    ) -> None:
        self.models, self.store, self.limits = models, store, limits
        self.gate = Gate(at_once=limits.solves, waiting=limits.waiting, longest_s=limits.seconds)
        self.allowance = Allowance(store)
        self.books = Books(store, self.allowance, metrics)
        self._metrics = metrics
        self._jobs: set[Job] = set()
        metrics.watch(self.gate)

    @property
    def busy(self) -> bool:
        """Whether any solve runs, waits, or is being written down."""
        return bool(self._jobs)

    def check(self, order: SolveOrder) -> SolveOrder:
        """``order``, within the server's limits. Raises UsageError for what may not be asked for."""
        self.models.check(order.model)
        if order.resume is None:
            strategy = STRATEGIES.load(allowed_strategy(order.strategy, STRATEGIES))
            strategy.configure(allowed_settings(order.settings))
            as_problem(order.problem or "")
        return order.model_copy(update={"budget": self._bounded(order.budget)})

    async def start(self, job: Job) -> None:
        """Begins the work on ``job``; returns when it runs. Raises what keeps it from that.

        Busy, Closing and UsedUp say when to try again; ApiError, that the solve that it resumes runs already, or that
        it was ended while it waited. Where the caller is cancelled, so is the job.
        """
        self.gate.check()
        if job.solve_id and any(other.solve_id == job.solve_id for other in self._jobs):
            raise ApiError(409, "this solve is running: it was resumed already", code="running")
        # No await up to here: of two that resume one solve at once, the second finds the first.
        job.listen(lambda event: self._count(job, event))
        job.run(asyncio.create_task(self._work(job)))
        self._jobs.add(job)
        assert job.task is not None
        job.task.add_done_callback(lambda _: self._jobs.discard(job))
        try:
            await job.begun()
        except asyncio.CancelledError as error:
            if job.was_ended:
                raise ended() from error
            job.cancel()
            raise

    def job(self, solve_id: str, key: ServerKey) -> Job | None:
        """The running job of that id; None where ``key`` has none."""
        return next((job for job in self._jobs if job.solve_id == solve_id and job.key.name == key.name), None)

    async def verify(self, solution: Solution, model: str) -> list[Check]:
        """The checks of the solution's certificate, run again; no model is asked. It has its turn as a solve has, and
        ``verify_s`` seconds from then on: checks that have not ended by then are undecided, and say so."""
        solver = self._any_solver(model)
        limits = Limits(timeout_s=self.limits.check_s, cpu_s=self.limits.check_s)
        async with self.gate.entered():
            return await run_certificate(
                solver.sandbox, solver.comparer, solution, limits, within_s=self.limits.verify_s
            )

    async def transcribe(self, image: Image, model: str, key: ServerKey) -> Transcription:
        """The problem that a photo shows, as ``model`` reads it. It has its turn and its limits as a solve has, and
        counts as one for what ``key`` may use in a day.

        Raises UnsupportedOption, at no cost, where the model does not see pictures; else as ``start`` and Asides do.
        """
        self.gate.check()
        self.models.check(model)
        solver = self.models.solver(model)
        if not await solver.beside.sees_images(self.limits.seconds):
            raise UnsupportedOption(
                model, "images", "no picture can be read; type the problem, or name another model"
            )
        await self.allowance.admit(key)
        day, budget = "", Budget(max_tokens=self.limits.tokens)
        with noting_meters() as meters:
            try:
                async with self.gate.entered():
                    day = self.allowance.begin(key)
                    await self.allowance.note(key, day)
                    async with asyncio.timeout(self.limits.seconds):
                        return await solver.beside.transcribe(
                            image, budget=budget, on_event=self._metrics.on_event
                        )
            finally:
                if day:
                    used = paid_tokens(meters)
                    await asyncio.shield(self.books.settle_use(key, day, counted=0, used=used))
                else:
                    self.allowance.give_back(key)

    async def delete(self, solve_id: str, key: ServerKey, model: str) -> None:
        """Forgets a solve, with what was kept to resume it; ends it, where it runs. Raises ApiError where another
        process works on it."""
        job = self.job(solve_id, key)
        if job is not None:
            job.cancel()
            await self.ended(job)
        checkpoints = self._any_solver(model).checkpoints
        if checkpoints is not None and not await checkpoints.forget(solve_id):
            raise ApiError(409, "another process works on this solve; stop it there first", code="running")
        await self.store.delete(solve_id, key.name)

    async def found(self, solve_id: str, key: ServerKey) -> tuple[StoredSolve, Solution | None] | None:
        """The solve of that id, running or not, with its solution; None where ``key`` has none."""
        job = self.job(solve_id, key)
        if job is not None:
            await self.books.written(job)
        return await self.store.solve(solve_id, key.name)

    async def unfinished(self, solve_id: str, model: str) -> Unfinished | None:
        """What is kept of a solve that can be resumed; None where it cannot."""
        checkpoints = self._any_solver(model).checkpoints
        if checkpoints is None:
            return None
        try:
            return await asyncio.to_thread(checkpoints.stored, solve_id)
        except MathagentError:
            return None

    async def ended(self, job: Job) -> None:
        """Returns once ``job`` has ended, however."""
        if job.task is not None:
            await asyncio.wait({job.task})

    async def drain(self) -> None:
        """Lets no more in; gives what runs ``drain_s`` seconds to finish, then has it give its best so far; what does
        not end even so is cancelled, to be resumed."""
        self.gate.close()
        await self._all_ended(self.limits.drain_s)
        for job in self._jobs:
            job.interrupt.set()
        await self._all_ended(CANCEL_S)
        for job in list(self._jobs):
            job.cancel()
        await self._all_ended(CANCEL_S)

    async def _all_ended(self, within_s: float) -> None:
        running = {job.task for job in self._jobs if job.task is not None}
        if running:
            await asyncio.wait(running, timeout=within_s)

    async def _work(self, job: Job) -> Solution:
        await self.allowance.admit(job.key)
        with noting_meters() as meters:
            try:
                async with self.gate.entered():
                    job.day = self.allowance.begin(job.key)
                    await self.allowance.note(job.key, job.day)
                    solution = await self._solve(job)
            except BaseException as error:
                await asyncio.shield(self.books.failed(job, error))
                raise
            finally:
                if job.day:
                    await asyncio.shield(self.books.settle(job, meters))
                else:
                    self.allowance.give_back(job.key)
        if job.cut and solution.stopped == "interrupted":
            detail = "the key's allowance for today is used up; this is the best so far"
            solution = solution.model_copy(update={"stopped": "budget", "detail": detail})
        await self.books.ended(job, solution)
        return solution

    async def _solve(self, job: Job) -> Solution:
        order = job.order
        solver = self.models.solver(order.model)
        seconds = order.budget.max_seconds or self.limits.seconds
        async with asyncio.timeout(seconds + BACKSTOP_S):
            if order.resume is not None:
                return await solver.solve(
                    resume=order.resume,
                    answer=order.answer,
                    on_event=job.on_event,
                    interrupt=job.interrupt,
                    human=job.human,
                    min_confidence=order.min_confidence,
                )
            return await solver.solve(
                await self._understood(job, solver, seconds),
                order.strategy,
                budget=order.budget,
                config=order.settings,
                seed=order.seed,
                on_event=job.on_event,
                interrupt=job.interrupt,
                human=job.human,
                min_confidence=order.min_confidence,
            )

    async def _understood(self, job: Job, solver: Solver, seconds: float) -> Problem:
        """The problem, complete in itself; where it had to be asked for, that comes out of the solve's seconds."""
        order = job.order
        assert order.problem is not None
        if not order.earlier:
            return order.problem
        budget = order.budget.model_copy(update={"max_seconds": min(BACKSTOP_S, seconds / 2)})
        understood = await solver.beside.understand(
            order.problem.text, order.earlier, budget=budget, interrupt=job.interrupt
        )
        job.aside = understood.usage
        if not understood.rewritten:
            return order.problem
        job.rewritten = understood.text
        return order.problem.model_copy(update={"text": understood.text})

    def _bounded(self, budget: Budget) -> Budget:
        most = {"max_seconds": self.limits.seconds, "max_tokens": self.limits.tokens}
        given = {name: getattr(budget, name) for name in most}
        bounded = {
            name: min(one for one in (given[name], most[name]) if one is not None)
            for name in most
            if not (given[name] is None and most[name] is None)
        }
        return budget.model_copy(update=bounded)

    def _any_solver(self, model: str) -> Solver:
        """The solver of ``model``; where the server has it no more, that of the default model."""
        return self.models.solver(model if model in self.models.names() else self.models.default)

    def _count(self, job: Job, event: Event) -> None:
        self.books.on_event(job, event)
        if isinstance(event, ModelReplied) and not event.cached:
            job.counted += event.usage.completion_tokens
            if not self.allowance.spend(job.key, job.day, event.usage.completion_tokens):
                for other in self._jobs:
                    if other.key.name == job.key.name:
                        other.cut = True
                        other.interrupt.set()
