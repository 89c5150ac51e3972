"""Learning from a data set: its problems are solved, graded by its references, and what follows is remembered.

Not an evaluation: references are read here to teach. A problem that was learned from is left out of the next run, so
that one that was broken off goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mathagent.errors import BackendError, ResourceError, StorageError
from mathagent.evals.dataset import Dataset, subject_of
from mathagent.evals.grader import Grader
from mathagent.memory.failure_lessons import key_text
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Candidate, Problem, Solution, Value


class Learned(Value):
    """What became of one problem: whether it came out right, and how many experiences are new. ``error``: no solve."""

    problem_id: str
    right: bool | None = None
    new: int = 0
    error: str = ""


class Learning:
    """Solves the problems of ``dataset`` by ``strategy`` with a solver whose memory learns.

    ``notes``: where an answer is wrong, the model writes a note on it that knows the right one (NesyCD).
    """

    def __init__(
        self, solver: Solver, dataset: Dataset, strategy: str, config: dict[str, Any], *, notes: bool = False
    ) -> None:
        self.solver, self.dataset, self.notes = solver, dataset, notes
        self.strategy, self.config = STRATEGIES.load(strategy), config
        self.strategy.configure(config)
        self.grader = Grader(solver.comparer)

    async def waiting(self) -> list[Problem]:
        """The problems that this strategy and model have not been tried on, in the data set's order."""
        store = self.solver.memory.store
        assert store is not None
        done = {  # by its text: two data sets may have one name, and number their problems alike
            one.key_text
            async for one in store.scan(("statistics",))
            if one.provenance.dataset == self.dataset.name
            and one.provenance.strategy == self.strategy.name
            and one.provenance.model == self.solver.backend.name
        }
        return [problem for problem in self.dataset.problems if key_text(problem) not in done]

    async def run(self, on_learned: Callable[[Learned], None]) -> None:
        """Learns from what waits, several at once. Raises ResourceError where all further problems would fail alike."""
        todo = iter(await self.waiting())

        async def work() -> None:
            for problem in todo:
                on_learned(await self._learn(problem))

        workers = [asyncio.ensure_future(work()) for _ in range(self.solver.backend.max_parallel)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _learn(self, problem: Problem) -> Learned:
        try:
            return await self._learn_from(problem)
        except ResourceError as error:
            if isinstance(error, StorageError) or (isinstance(error, BackendError) and error.status in (401, 403)):
                raise
            return Learned(problem_id=problem.id, error=str(error))

    async def _learn_from(self, problem: Problem) -> Learned:
        solution = await self.solver.solve(
            problem.without_reference(), self.strategy.name, config=self.config, measured=True
        )
        grade = await self.grader.grade(solution.answer, problem)
        right = {"correct": True, "incorrect": False}.get(grade.outcome)
        if right is None or solution.stopped == "error":
            return Learned(problem_id=problem.id, error=solution.detail or grade.reason)
        wrong = first_wrong(solution) if self.notes and not right else None
        note = (
            await self.solver.beside.teach(problem, problem.reference or "", wrong) if wrong is not None else None
        )
        added = await self.solver.memory.remember(
            solution,
            self.strategy,
            right=right,
            dataset=self.dataset.name,
            item=problem.id,
            subject=subject_of(problem),
            lessons=() if note is None else (note,),
        )
        return Learned(problem_id=problem.id, right=right, new=added.new)


def first_wrong(solution: Solution) -> Candidate | None:
    """The candidate that stands for a solution that was graded wrong: one that gives its answer, else any. Pure."""
    giving = (
        one for one in solution.candidates if one.answer is not None and one.answer.normal == solution.answer
    )
    return next(giving, solution.candidates[0] if solution.candidates else None)
