"""One attempt: a problem solved, graded, and made a record, whatever happens: an answer, or a failure with a name."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from mathagent.budget import Meter, noting_meters
from mathagent.errors import BackendError, ResourceError, StorageError
from mathagent.evals.dataset import subject_of
from mathagent.evals.datasets.identity import item_hash
from mathagent.evals.failures import failure_kind
from mathagent.evals.grader import Grade, Grader
from mathagent.evals.plan import Planned, memory_use
from mathagent.evals.records import Record
from mathagent.evals.watchdog import Blocked
from mathagent.models.prices import dollars_of_all, usage_by_model
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Solution, Usage

T = TypeVar("T")

GRACE_S = 60.0
"""After the budget's seconds a solve ends by itself, with its best answer so far; it has so long to do it."""
LONGEST_S = 3600.0
"""When a solve without a limit of time is given up."""
GRADING_S = 120.0
"""When a grader is given up; its own limits are far below."""
LETTING_GO_S = 5.0
"""How long what was given up may take to clear up after itself."""


class TimeUp(Exception):
    """Something did not end in ``seconds``; it was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it did not end within {seconds:g} seconds and was given up")


class Attempter:
    """Solves and grades planned attempts with one solver.

    An attempt that has not ended ``item_seconds`` after its begin (None: ``GRACE_S`` after its budget's seconds, or
    ``LONGEST_S``) is given up: a record with the outcome "error" and the failure "timeout", which is tried again.
    ``given_up`` are the tasks of what did not end in time: some do not end even when they are cancelled, or leave a
    thread behind.
    """

    def __init__(self, solver: Solver, *, item_seconds: float | None = None) -> None:
        self.solver, self.item_seconds = solver, item_seconds
        self.grader = Grader(solver.comparer)
        self.given_up: list[asyncio.Task[Any]] = []

    async def attempt(self, planned: Planned, *, position: int = 0) -> Record:
        """The record of one attempt; ``position``: how many were solved before it, where memory learns.

        Whatever fails in it is a record with the outcome "error", with what it had used until then (requests that had
        no reply yet used nothing that is known). Raises only what would fail all others alike: StorageError, and
        BackendError for a key that is refused.
        """
        with noting_meters() as meters:
            return await self._attempt(planned, position, meters)

    async def _attempt(self, planned: Planned, position: int, meters: Sequence[Meter]) -> Record:
        started = time.monotonic()

        def failed(error: str, kind: str = "error") -> Record:
            return self._failed(planned, started, error, meters, kind)

        try:
            use = await memory_use(self.solver, planned.arm)
            solution = await self._in_time(self._solve(planned), self._seconds(planned))
            if (lost := _lost(solution)) is not None:
                return failed(lost)
            grade = await self._grade(solution, planned.problem)
            if use is not None:
                remembered = await self._learn(planned, solution, grade) if use.mode == "learn" else 0
                use = use.model_copy(
                    update={"shown": solution.recalled, "position": position, "remembered": remembered}
                )
        except (TimeUp, Blocked) as error:
            return failed(str(error), "timeout")
        except ResourceError as error:
            if isinstance(error, StorageError) or (isinstance(error, BackendError) and error.status in (401, 403)):
                raise
            return failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a strategy or a plugin does wrong: the others go on
            return failed(_told(error))
        return self.labelled(planned).model_copy(
            update={
                "config": dict(solution.config),
                "answer": solution.answer,
                "outcome": grade.outcome,
                "reason": grade.reason,
                "failure": _failure(grade, solution, planned.problem),
                "error": None,
                "confidence": solution.confidence,
                "usage": solution.usage,
                "dollars": dollars_of_all(solution.by_model),
                "seconds": solution.seconds,
                "sandbox": self._sandbox(solution),
                "memory": use,
                "solution": solution,
            }
        )

    async def _solve(self, planned: Planned) -> Solution:
        arm = planned.arm
        return await self.solver.solve(
            planned.problem.without_reference(),
            arm.strategy,
            budget=arm.budget,
            config=arm.config,
            seed=planned.seed,
            measured=True,
        )

    def _seconds(self, planned: Planned) -> float:
        limit = planned.arm.budget.max_seconds
        return self.item_seconds or (LONGEST_S if limit is None else limit + GRACE_S)

    async def _grade(self, solution: Solution, problem: Problem) -> Grade:
        try:
            return await self._in_time(self.grader.grade(solution.answer, problem), GRADING_S)
        except TimeUp as error:
            return Grade(outcome="undecided", reason=f"the grader: {error}", seconds=GRADING_S)

    async def _in_time(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """What ``work`` returns. Raises TimeUp; work that does not end when it is cancelled is left behind."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            await self._let_go(task)
            raise
        if done:
            return task.result()
        self.given_up.append(task)
        await self._let_go(task)
        if task.done() and not task.cancelled() and task.exception() is None:  # it had an answer after all
            return task.result()
        raise TimeUp(seconds)

    @staticmethod
    async def _let_go(task: asyncio.Task[Any]) -> None:
        task.cancel()
        await asyncio.wait({task}, timeout=LETTING_GO_S)

    async def _learn(self, planned: Planned, solution: Solution, grade: Grade) -> int:
        """Lets the memory learn from a graded solution; returns how many experiences are new. Raises StorageError."""
        decided = planned.arm.feedback and grade.outcome in ("correct", "incorrect")
        added = await self.solver.memory.remember(
            solution,
            STRATEGIES.load(planned.arm.strategy),
            right=grade.outcome == "correct" if decided else None,
            dataset=planned.dataset,
            item=planned.problem.id,
            subject=subject_of(planned.problem),
        )
        return added.new

    def _sandbox(self, solution: Solution) -> str:
        """What confined the programs of ``solution``: with its tier only where one ran, since whether another attempt
        has started the sandbox by now is chance, and records must come out the same again."""
        ran = any(step.execution is not None for one in solution.candidates for step in one.steps)
        return self.solver.sandbox.label if ran else self.solver.sandbox.name

    def _failed(self, planned: Planned, started: float, error: str, meters: Sequence[Meter], kind: str) -> Record:
        used = [one for meter in meters for one in usage_by_model(meter.by_model)]
        return self.labelled(planned).model_copy(
            update={
                "failure": kind,
                "error": error,
                "usage": sum((one.usage for one in used), Usage()),
                "dollars": dollars_of_all(used),
                "seconds": round(time.monotonic() - started, 3),
            }
        )

    def labelled(self, planned: Planned) -> Record:
        """The record of an attempt that was not made, with all that is known of it before: its item and its arm."""
        problem, arm = planned.problem, planned.arm
        return Record(
            key=planned.key,
            dataset=planned.dataset,
            problem_id=problem.id,
            item_hash=item_hash(problem),
            attempt=planned.attempt,
            subject=subject_of(problem),
            level=_word(problem, "level"),
            language=problem.language or _word(problem, "language"),
            family=_word(problem, "family"),
            strategy=arm.strategy,
            config=planned.config.model_dump(mode="json"),
            model=self.solver.backend.name,
            backend=self.solver.backend.identity,
            reference=problem.reference or "",
            budget=arm.budget,
            answer=None,
            outcome="error",
            reason="the solve failed",
        )


def _lost(solution: Solution) -> str | None:
    """The error that ended the solve, or that left its candidates without an answer: a model that is gone is not
    wrong. None where there is none."""
    if solution.stopped == "error":
        return solution.detail
    if solution.answer is not None or failure_kind(solution) != "error":
        return None
    failures = [one.failure for one in solution.candidates if one.failure is not None]
    return next((one.message for one in failures if one.kind == "model-error"), solution.detail)


def _failure(grade: Grade, solution: Solution, problem: Problem) -> str | None:
    if grade.outcome == "correct":
        return None
    if grade.outcome == "undecided":
        return "undecided"
    return failure_kind(solution, choices=bool(problem.choices), reason=grade.reason)


def _word(problem: Problem, name: str) -> str:
    """What the data set says of a problem under ``name``, as text; "" where it says nothing."""
    value = problem.metadata.get(name)
    return "" if value is None else str(value)


def _told(error: Exception) -> str:
    """An error that nobody foresaw, in one line: what, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
