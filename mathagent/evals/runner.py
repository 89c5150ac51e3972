"""The benchmark runner: problems through one strategy, several at once, each record kept as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mathagent.agents.strategy import Strategy
from mathagent.budget import Budget
from mathagent.errors import BackendError, MathagentError, ResourceError, StorageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.grader import Grader
from mathagent.evals.records import Record, RecordStore, record_key
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Solution, Value


class Arm(Value):
    """One way to solve the problems of a benchmark: a strategy with its settings, a seed and a budget."""

    strategy: str
    config: dict[str, Any]
    seed: int | None = None
    budget: Budget = Budget()


class Benchmark:
    """Runs arms over a data set with one solver; resumes from ``store``, whatever ended an earlier run."""

    def __init__(
        self, solver: Solver, store: RecordStore, dataset: Dataset, *, concurrency: int | None = None
    ) -> None:
        self.solver, self.store, self.dataset = solver, store, dataset
        self.grader = Grader(solver.comparer)
        self.concurrency = concurrency or solver.backend.max_parallel

    def keys(self, arm: Arm) -> dict[str, Problem]:
        """The record key of each problem under ``arm``. Raises UsageError for a wrong strategy or setting."""
        strategy: Strategy = STRATEGIES.load(arm.strategy)
        config = strategy.configure(arm.config).model_dump(mode="json")
        prompts = prompt_hash(*strategy.prompts)
        seed = self.solver.backend.default_seed if arm.seed is None else arm.seed
        return {
            record_key(
                problem,
                strategy=strategy.name,
                config=config,
                model=self.solver.backend.identity,
                seed=seed,
                budget=arm.budget,
                prompts=prompts,
            ): problem
            for problem in self.dataset.problems
        }

    async def run(
        self, arm: Arm, on_record: Callable[[Record, bool], None], *, rerun: bool = False
    ) -> list[Record]:
        """Solves and grades what has no record yet (all, if ``rerun``); returns all records in the data set's order.

        ``on_record`` hears of each record and whether it was there already. A problem whose solve fails becomes
        a record with the outcome "error", which the next run tries again; a failing store or a refused key ends
        the run (ResourceError), since every further problem would fail alike.
        """
        keys = self.keys(arm)
        records = {} if rerun else self.store.get(list(keys))
        for record in records.values():
            on_record(record, True)
        waiting = [(key, problem) for key, problem in keys.items() if key not in records]
        todo = iter(waiting)

        async def work() -> None:
            for key, problem in todo:
                record = await self._attempt(arm, key, problem)
                self.store.put(record)
                records[key] = record
                on_record(record, False)

        workers = [asyncio.ensure_future(work()) for _ in range(min(self.concurrency, len(waiting)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [records[key] for key in keys]

    async def _attempt(self, arm: Arm, key: str, problem: Problem) -> Record:
        try:
            solution = await self.solver.solve(
                problem.without_reference(), arm.strategy, budget=arm.budget, config=arm.config, seed=arm.seed
            )
        except ResourceError as error:
            if isinstance(error, StorageError) or (isinstance(error, BackendError) and error.status in (401, 403)):
                raise
            return self._failed(arm, key, problem, error)
        if solution.stopped == "error":
            return self._failed(arm, key, problem, BackendError(solution.detail))
        grade = await self.grader.grade(solution.answer, problem)
        return Record(
            **self._identity(arm, key, problem, solution.config),
            answer=solution.answer,
            outcome=grade.outcome,
            reason=grade.reason,
            failure=None if grade.outcome == "correct" else failure_kind(solution),
            confidence=solution.confidence,
            usage=solution.usage,
            seconds=solution.seconds,
            sandbox=self.solver.sandbox.label,
            solution=solution,
        )

    def _failed(self, arm: Arm, key: str, problem: Problem, error: MathagentError) -> Record:
        return Record(
            **self._identity(arm, key, problem, arm.config),
            answer=None,
            outcome="error",
            reason="the solve failed",
            failure="error",
            error=str(error),
        )

    def _identity(self, arm: Arm, key: str, problem: Problem, config: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "key": key,
            "dataset": self.dataset.name,
            "problem_id": problem.id,
            "strategy": arm.strategy,
            "config": dict(config),
            "model": self.solver.backend.name,
            "backend": self.solver.backend.identity,
            "reference": problem.reference or "",
        }


def failure_kind(solution: Solution) -> str:
    """Why a solution is not right: "wrong" where it has an answer, else its candidates' most frequent failure."""
    if solution.answer is not None:
        return "wrong"
    kinds: Sequence[str] = [candidate.failure.kind for candidate in solution.candidates if candidate.failure]
    return max(kinds, key=kinds.count) if kinds else solution.stopped
