"""An attempt always ends: with an answer, or with a failure that has a name, whatever hangs or breaks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, SandboxError, StorageError
from mathagent.evals import attempt as attempt_module
from mathagent.evals.attempt import Attempter
from mathagent.evals.dataset import Dataset
from mathagent.evals.datasets.identity import item_hash
from mathagent.evals.failures import failure_of
from mathagent.evals.plan import Arm, plan
from mathagent.evals.records import Record
from mathagent.evals.watchdog import Watchdog
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Completion, Problem

PROBLEM = Problem(
    text="What is 6 * 7?",
    id="p1",
    reference="42",
    language="en",
    metadata={"subject": "Arithmetic", "level": 3, "family": "products"},
)


class Hanging(ScriptedBackend):
    """Never answers; ``deaf``: and does not hear that it is cancelled."""

    def __init__(self, *, deaf: bool = False) -> None:
        super().__init__([])
        self.deaf, self.freed = deaf, asyncio.Event()

    async def complete(self, *arguments: Any) -> list[Completion]:
        while not self.freed.is_set():
            try:
                await self.freed.wait()
            except asyncio.CancelledError:
                if not self.deaf:
                    raise
        raise BackendError("freed")


async def attempted(
    backend: ScriptedBackend, *, item_seconds: float | None = None, grade: Any = None, **arm: Any
) -> tuple[Record, Attempter]:
    async with Solver(backend, cache=False, checkpoints=False) as solver:
        (planned,) = await plan(
            solver,
            [Dataset(name="set", problems=(PROBLEM,))],
            [Arm(**{"strategy": "cot", "config": {}, **arm})],
        )
        attempter = Attempter(solver, item_seconds=item_seconds)
        if grade is not None:
            attempter.grader.grade = grade  # type: ignore[method-assign]
        record = await attempter.attempt(planned)
        if isinstance(backend, Hanging):
            backend.freed.set()
            await asyncio.gather(*attempter.given_up, return_exceptions=True)
        return record, attempter


async def test_a_record_says_which_item_and_what_it_cost() -> None:
    record, _ = await attempted(ScriptedBackend(["\\boxed{42}"]), seed=4, budget=Budget(max_tokens=100))
    assert (record.outcome, record.failure, record.attempt) == ("correct", None, 0)
    assert record.item_hash == item_hash(PROBLEM)
    assert (record.subject, record.level, record.language, record.family) == ("Arithmetic", "3", "en", "products")
    assert record.dollars == 0.0  # the scripted model is free
    assert record.budget == Budget(max_tokens=100)
    assert record.solution is not None
    assert record.solution.problem.reference is None


async def test_a_solve_that_hangs_is_given_up_and_named() -> None:
    record, attempter = await attempted(Hanging(), item_seconds=0.2)
    assert (record.outcome, failure_of(record), record.answer) == ("error", "timeout", None)
    assert record.error == "it did not end within 0.2 seconds and was given up"
    assert record.config["max_tokens"] == 1024  # the settings of the arm, whole
    assert [task.cancelled() for task in attempter.given_up] == [True]


@pytest.mark.parametrize("ends", ["hangs", "strategy crashes", "endpoint is lost"])
async def test_what_a_given_up_attempt_had_used_is_counted(ends: str) -> None:
    class Ending(ScriptedBackend):
        """Answers once; the second question is its end."""

        async def complete(self, *arguments: Any) -> list[Completion]:
            if not self.requests:
                return await super().complete(*arguments)
            if ends == "hangs":
                await asyncio.Event().wait()
            raise BackendError("gone") if ends == "endpoint is lost" else KeyError("no such thing")

    backend = Ending(["Six times seven is forty two."])
    item_seconds = 2 if ends == "hangs" else 60
    record, _ = await attempted(backend, item_seconds=item_seconds, strategy="zero-shot-cot")
    assert (record.outcome, record.answer) == ("error", None)
    assert failure_of(record) == ("timeout" if ends == "hangs" else "error")
    assert (record.usage.calls, record.usage.completion_tokens) == (1, 6)
    assert record.usage.prompt_tokens > 0
    assert record.dollars == 0.0


async def test_what_does_not_even_hear_that_it_is_cancelled_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_module, "LETTING_GO_S", 0.2)
    record, attempter = await attempted(Hanging(deaf=True), item_seconds=0.2)
    assert failure_of(record) == "timeout"
    assert len(attempter.given_up) == 1


async def test_the_budgets_seconds_are_the_deadline_and_end_by_themselves() -> None:
    record, _ = await attempted(Hanging(), budget=Budget(max_seconds=0.2))
    assert (record.outcome, record.answer) == ("incorrect", None)
    assert failure_of(record) == "budget"


async def test_a_budget_that_a_deaf_backend_does_not_keep_ends_at_the_backstop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt_module, "GRACE_S", 0.1)
    monkeypatch.setattr(attempt_module, "LETTING_GO_S", 0.1)
    record, attempter = await attempted(Hanging(deaf=True), budget=Budget(max_seconds=0.1))
    assert failure_of(record) in ("budget", "timeout")  # whether the solve itself still comes to an end
    assert len(attempter.given_up) == 1


async def test_a_grader_that_hangs_leaves_it_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_module, "GRADING_S", 0.1)

    async def hangs(*arguments: Any) -> None:
        await asyncio.sleep(60)

    record, _ = await attempted(ScriptedBackend(["\\boxed{42}"]), grade=hangs)
    assert (record.outcome, record.answer, failure_of(record)) == ("undecided", "42", "undecided")
    assert "did not end within 0.1 seconds" in record.reason


async def test_what_blocks_the_whole_program_is_a_timeout() -> None:
    def blocks(request: Any, sample: int) -> str:
        time.sleep(60)
        return "never"

    with Watchdog(0.5):
        record, _ = await attempted(ScriptedBackend(blocks))
    assert failure_of(record) == "timeout"
    assert "blocked the whole program" in (record.error or "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("no such thing"), "KeyError: 'no such thing' (test_attempt.py:"),
        (SandboxError("the sandbox is gone"), "the sandbox is gone"),
        (BackendError("the endpoint is down"), "the endpoint is down"),
        (MemoryError(), "MemoryError"),
    ],
)
async def test_whatever_a_strategy_raises_is_an_error_of_this_item_alone(error: Exception, words: str) -> None:
    def raises(request: Any, sample: int) -> str:
        raise error

    record, _ = await attempted(ScriptedBackend(raises))
    assert (record.outcome, failure_of(record)) == ("error", "error")
    assert words in (record.error or "")


async def test_a_grader_that_breaks_is_an_error_not_a_wrong_answer() -> None:
    async def breaks(*arguments: Any) -> None:
        raise ValueError("bad reference")

    record, _ = await attempted(ScriptedBackend(["\\boxed{42}"]), grade=breaks)
    assert record.outcome == "error"
    assert "bad reference" in (record.error or "")


@pytest.mark.parametrize(
    "error", [StorageError("the disk is full"), BackendError("the key is refused", status=401)]
)
async def test_what_would_fail_all_others_alike_is_raised(error: Exception) -> None:
    def raises(request: Any, sample: int) -> str:
        raise error

    with pytest.raises(type(error)):
        await attempted(ScriptedBackend(raises))
