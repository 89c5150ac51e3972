"""A whole grid: its data sets and arms by every model, one model after the other, as one run in the store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from mathagent.errors import StorageError, UsageError
from mathagent.evals.bench_spec import BenchSpec, ModelSpec
from mathagent.evals.dataset import Dataset
from mathagent.evals.datasets.identity import item_hash
from mathagent.evals.plan import Arm, Planned
from mathagent.evals.records import Record, RecordStore, code_version
from mathagent.evals.run_tables import RunInfo, RunStatus
from mathagent.evals.runner import Benchmark, OnRecord
from mathagent.evals.selection import select
from mathagent.models.base import PullProgress
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES


class Grid:
    """The run that ``spec`` asks for; an async context manager, which closes what it opened.

    All is planned on entering, before anything is asked of a model: a wrong setting of the last arm should not be
    found after hours of the first, nor that the memory to be read is not there. Raises UsageError. ``run`` is then the
    run in the store.
    """

    def __init__(
        self,
        spec: BenchSpec,
        datasets: Sequence[Dataset],
        store: RecordStore,
        *,
        on_progress: Callable[[PullProgress], None] | None = None,
    ) -> None:
        self.spec, self.store, self._on_progress = spec, store, on_progress
        self.datasets = selected(spec, datasets)
        self.arms: list[Arm] = spec.all_arms()
        if spec.memory_used == "read" and spec.memory is not None and not spec.memory.expanduser().exists():
            raise UsageError(f"there is no memory {spec.memory} to read: `mathagent memory learn` makes one")
        self.planned: list[list[Planned]] = []
        self.run: RunInfo
        self._benchmarks: list[tuple[Solver, Benchmark]] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Grid:
        try:
            for model in self.spec.models:
                solver = await self._open.enter_async_context(self._solver(model))
                self._benchmarks.append((solver, await self._benchmark(solver)))
            total = sum(map(len, self.planned))
            self.run = self.store.start_run(self._recorded(), self.spec.name, planned=total)
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._open.aclose()

    def _solver(self, model: ModelSpec) -> Solver:
        return Solver(
            model.name,
            base_url=model.base_url,
            sandbox=self.spec.sandbox,
            cache=self.spec.cache,
            checkpoints=False,  # a run resumes by its records
            max_parallel=self.spec.concurrency,
            memory=self.spec.memory,
            memory_mode=self.spec.memory_used,
            on_progress=self._on_progress,
        )

    async def _benchmark(self, solver: Solver) -> Benchmark:
        first = sum(map(len, self.planned))
        benchmark = Benchmark(
            solver,
            self.store,
            *self.datasets,
            concurrency=self.spec.concurrency,
            first=first,
            item_seconds=self.spec.item_seconds,
        )
        if any(solver.backend.identity == other.backend.identity for other, _ in self._benchmarks):
            raise UsageError(f"the model {solver.backend.name} is given twice; leave it out once")
        self.planned.append(await benchmark.plan(*self.arms))
        return benchmark

    async def measure(
        self, on_record: OnRecord, *, rerun: bool = False, finish: asyncio.Event | None = None
    ) -> list[Record]:
        """Makes all attempts that have no record (all, if ``rerun``); returns the records, in the plan's order.

        Once ``finish`` is set, what is in flight is finished and nothing else begun. Raises as Benchmark.run does;
        whatever ends it, the run in the store says how it ended, and has every record that was made.
        """
        status: RunStatus = "failed"
        records: list[Record] = []
        try:
            for solver, benchmark in self._benchmarks:
                benchmark.run_id = self.run.id
                records += await benchmark.run(self.arms, on_record, rerun=rerun, finish=finish)
                await solver.aclose()  # the next model may need the memory of this one
            status = "finished" if len(records) == self.run.planned else "interrupted"
        except asyncio.CancelledError:
            status = "interrupted"
            raise
        finally:
            self._end(status)
        return records

    def _end(self, status: RunStatus) -> None:
        try:
            self.store.finish_run(self.run.id, status)
        except StorageError:
            if status != "failed":  # else the error that ended the run, most often the same one, is on its way
                raise

    @property
    def models(self) -> list[str]:
        """The names of the models, in their order."""
        return [solver.backend.name for solver, _ in self._benchmarks]

    @property
    def given_up(self) -> int:
        """How many attempts were given up: some of their tasks or threads may still be there, and never end."""
        return sum(len(benchmark.attempter.given_up) for _, benchmark in self._benchmarks)

    def _recorded(self) -> dict[str, Any]:
        """The spec as the run keeps it, with what it means now: with other problems, code or prompts it is another run,
        which would mix records."""
        strategies = [STRATEGIES.load(arm.strategy) for arm in self.arms]
        return {
            **self.spec.recorded(),
            "items": {one.name: f"{len(one.problems)} problems, {_content(one)}" for one in self.datasets},
            "code": code_version(),
            "prompts": {one.name: prompt_hash(*one.prompts) for one in strategies},
        }


def selected(spec: BenchSpec, datasets: Sequence[Dataset]) -> list[Dataset]:
    """The data sets as ``spec`` takes them. Raises UsageError: none left, or two of one name."""
    names = [one.name for one in datasets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two data sets are named '{twice}', and their records would be mixed; rename a file")
    judged = next((one.name for one in datasets if one.task == "judge"), None)
    if judged is not None:
        raise UsageError(
            f"data set {judged} asks for judgements of given solutions, which is nothing that a strategy solves; take"
            " `mathagent judge-bench`"
        )
    return [
        select(one, subset=spec.subset, shuffle=spec.shuffle, seed=spec.seed, limit=spec.limit) for one in datasets
    ]


def _content(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for problem in dataset.problems:
        digest.update(f"{problem.id}\x00{item_hash(problem)}\x00".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]
