"""Books: what is written down of every solve, in the store, the log and the metrics. A log holds no problems."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from mathagent.budget import Meter
from mathagent.errors import MathagentError, StorageError
from mathagent.events import Event, SolveStarted
from mathagent.server.allowance import Allowance
from mathagent.server.job import Job
from mathagent.server.metrics import ServerMetrics
from mathagent.server.options import ServerKey
from mathagent.server.public_text import public_text
from mathagent.server.store import SolutionStore, Status, StoredSolve
from mathagent.types import Solution

logger = logging.getLogger("mathagent.server")


def paid_tokens(meters: Sequence[Meter]) -> int:
    """The completion tokens that ``meters`` have counted, without those that came from the cache."""
    totals = [meter.usage for meter in meters]
    return sum(one.completion_tokens - one.cached_completion_tokens for one in totals)


class Books:
    """Notes beginnings and ends. A store that cannot be written is told to the log; it ends no solve."""

    def __init__(self, store: SolutionStore, allowance: Allowance, metrics: ServerMetrics) -> None:
        self._store, self._allowance, self._metrics = store, allowance, metrics
        self._noting: dict[Job, asyncio.Task[None]] = {}  # by job: two may want to resume the same solve

    def on_event(self, job: Job, event: Event) -> None:
        """Hears every event of every solve."""
        self._metrics.on_event(event)
        if isinstance(event, SolveStarted):
            order = job.order
            logger.info(
                "solve started",
                extra={
                    "solve": event.solve_id,
                    "key": job.key.name,
                    "strategy": order.strategy,
                    "model": order.model,
                    "characters": 0 if order.problem is None else len(order.problem.text),
                    "resumed": event.resumed,
                },
            )
            self._noting[job] = asyncio.ensure_future(self._begun(job))

    async def written(self, job: Job) -> None:
        """Returns once the beginning of ``job`` is written down."""
        noting = self._noting.get(job)
        if noting is not None:
            await asyncio.shield(noting)

    async def ended(self, job: Job, solution: Solution) -> None:
        """Notes the solution of ``job``."""
        self._metrics.ended(job.order.strategy, job.order.model, solution)
        logger.info(
            "solve ended",
            extra={
                "solve": job.solve_id,
                "key": job.key.name,
                "stopped": solution.stopped,
                "answered": solution.answer is not None,
                "calls": solution.usage.calls,
                "tokens": solution.usage.completion_tokens,
                "seconds": solution.seconds,
            },
        )
        await self._note(job, "resumable" if solution.resumable else "finished", solution=solution)

    async def failed(self, job: Job, error: BaseException) -> None:
        """Notes that ``error`` ended ``job`` before it had a solution."""
        status: Status = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
        self._metrics.failed(job.order.strategy, job.order.model, status)
        name = type(error).__name__
        logger.info("solve %s", status, extra={"solve": job.solve_id, "key": job.key.name, "error": name})
        message = public_text(str(error)) if isinstance(error, MathagentError) else name
        await self._note(job, status, error=message if status == "failed" else None)

    async def settle(self, job: Job, meters: Sequence[Meter]) -> None:
        """Takes from the key's allowance what ``job`` has really used, by its meters."""
        resumed = job.order.resume is not None  # its meter goes on from what was counted before
        used = job.counted if resumed else paid_tokens(meters)
        await self.settle_use(job.key, job.day, counted=job.counted, used=used)

    async def settle_use(self, key: ServerKey, day: str, *, counted: int, used: int) -> None:
        """Takes ``used`` completion tokens from the allowance of ``key``, of which ``counted`` were taken before."""
        try:
            await self._allowance.end(key, day, counted=counted, used=used)
        except StorageError:
            logger.exception("what a key has used cannot be written down")

    async def _begun(self, job: Job) -> None:
        order, now = job.order, time.time()
        row = StoredSolve(
            id=job.solve_id,
            created=now,
            updated=now,
            status="running",
            strategy=order.strategy,
            model=order.model,
            problem=job.rewritten or ("" if order.problem is None else order.problem.text),
        )
        try:
            await self._store.begin(row, job.key.name)
        except StorageError:
            logger.exception("a solve cannot be written down", extra={"solve": job.solve_id})

    async def _note(
        self, job: Job, status: Status, *, solution: Solution | None = None, error: str | None = None
    ) -> None:
        begun = self._noting.pop(job, None)
        if begun is None:  # it ended before it had begun
            return
        try:
            await begun
            await self._store.end(job.solve_id, status, solution=solution, error=error)
        except StorageError:
            logger.exception("a solve cannot be written down", extra={"solve": job.solve_id})
