"""The benchmark runner: data sets and arms through one solver, many attempts at once, each record kept as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from mathagent.evals.attempt import Attempter
from mathagent.evals.dataset import Dataset
from mathagent.evals.plan import Arm, Planned, plan
from mathagent.evals.records import Record, RecordStore, labels_of
from mathagent.solver import Solver
from mathagent.types import Problem

__all__ = ["Arm", "Benchmark", "OnRecord"]

OnRecord = Callable[[Record, bool], None]
"""Hears of each record, and whether it was there already."""

APART_S = 0.002
"""Between the first attempts. Begun all at once they stay in step: the replies of a server that takes equally long for
each come in one lump, and the next request of any waits until all of them are dealt with."""
ALL_BEGUN_S = 0.2


class Benchmark:
    """Runs arms over data sets with one solver; resumes from ``store``, whatever ended an earlier run.

    ``concurrency`` attempts are made at a time over the whole grid (None: what the backend answers well). Where a
    ``run_id`` is given, its run has the records, from the place ``first`` on. ``item_seconds``: see Attempter.
    """

    def __init__(
        self,
        solver: Solver,
        store: RecordStore,
        *datasets: Dataset,
        concurrency: int | None = None,
        run_id: str | None = None,
        first: int = 0,
        item_seconds: float | None = None,
    ) -> None:
        self.solver, self.store, self.datasets = solver, store, datasets
        self.concurrency = concurrency or solver.backend.max_parallel
        self.run_id, self.first = run_id, first
        self.attempter = Attempter(solver, item_seconds=item_seconds)

    async def plan(self, *arms: Arm) -> list[Planned]:
        """All attempts at all problems by ``arms``. Raises UsageError for a wrong strategy or setting."""
        return await plan(self.solver, self.datasets, arms)

    async def keys(self, arm: Arm) -> dict[str, Problem]:
        """The record key of each attempt of ``arm``, and its problem. Raises UsageError as ``plan`` does."""
        return {one.key: one.problem for one in await self.plan(arm)}

    async def run(
        self,
        arm: Arm | Sequence[Arm],
        on_record: OnRecord,
        *,
        rerun: bool = False,
        finish: asyncio.Event | None = None,
    ) -> list[Record]:
        """Solves and grades what has no record yet (all, if ``rerun``); returns the records in the plan's order.

        An attempt that fails becomes a record with the outcome "error", which the next run tries again; a failing
        store or a refused key ends the run (ResourceError), since every further attempt would fail alike. Once
        ``finish`` is set nothing new is begun: what is in flight is finished, and the records so far are returned.
        """
        planned = await self.plan(*([arm] if isinstance(arm, Arm) else arm))
        learns = self.solver.memory.mode == "learn"
        records: dict[int, Record] = {}  # by place
        alike: dict[str, list[Planned]] = {}  # a problem that stands in two data sets is solved once
        for one in planned:
            alike.setdefault(one.key, []).append(one)
        stored = {} if rerun else self.store.get(list(alike))

        def share(those: Sequence[Planned], record: Record) -> None:
            for one in those:
                records[one.place] = self._known(one, record)
                on_record(records[one.place], True)

        for key, record in stored.items():
            share(alike[key], record)
        waiting = [those for key, those in alike.items() if key not in stored]
        todo = _until(finish, waiting)

        async def work() -> None:
            for first, *others in todo:
                solved = sum(record.outcome != "error" for record in records.values()) if learns else 0
                record = await self.attempter.attempt(first, position=solved)
                self.store.put(record, self.run_id, place=self.first + first.place)
                records[first.place] = record
                on_record(record, False)
                share(others, record)

        at_once = 1 if learns else self.concurrency  # what was learned from one is there for the next
        workers: list[asyncio.Future[None]] = []
        try:
            for _ in range(min(at_once, len(waiting))):
                workers.append(asyncio.ensure_future(work()))
                await asyncio.sleep(min(APART_S, ALL_BEGUN_S / at_once))
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [records[place] for place in sorted(records)]

    def _known(self, planned: Planned, stored: Record) -> Record:
        """The stored record of ``planned`` as this run calls its item; the run has it from now on."""
        shown = self.attempter.labelled(planned)
        if self.run_id is None:
            return stored.model_copy(update=labels_of(shown, stored))
        return self.store.add_to_run(self.run_id, planned.key, shown=shown, place=self.first + planned.place)


def _until(finish: asyncio.Event | None, waiting: Sequence[list[Planned]]) -> Iterator[list[Planned]]:
    """``waiting``, one after the other, until ``finish`` is set."""
    for those in waiting:
        if finish is not None and finish.is_set():
            return
        yield those
