"""The runner: resumes, records errors apart, never repeats or loses a problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.errors import BackendError, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Arm, Benchmark
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem

PROBLEMS = tuple(Problem(text=f"What is {n} + {n}?", id=f"p{n}", reference=str(2 * n)) for n in range(6))
COT = Arm(strategy="cot", config={})


def doubles(request: ChatRequest, sample: int) -> str:
    number = int(request.messages[1].content.split()[2])
    return f"\\boxed{{{number * 2}}}"


async def run(
    store: RecordStore,
    backend: ScriptedBackend,
    arm: Arm = COT,
    *,
    problems: tuple[Problem, ...] = PROBLEMS,
    cache: bool = False,
    rerun: bool = False,
) -> tuple[list[Record], list[bool]]:
    known: list[bool] = []
    async with Solver(backend, cache=cache) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="doubles", problems=problems))
        records = await benchmark.run(arm, lambda record, before: known.append(before), rerun=rerun)
    return records, known


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "runs.db")


async def test_records_come_in_order_and_are_graded(store: RecordStore) -> None:
    records, known = await run(store, ScriptedBackend(doubles))
    assert [record.problem_id for record in records] == [problem.id for problem in PROBLEMS]
    assert all(record.outcome == "correct" for record in records)
    assert known == [False] * 6


async def test_second_run_makes_no_call_and_gives_the_same_records(store: RecordStore) -> None:
    first, _ = await run(store, ScriptedBackend(doubles))
    silent = ScriptedBackend([])
    again, known = await run(store, silent)
    assert again == first
    assert known == [True] * 6
    assert silent.requests == []


async def test_rerun_from_the_cache_gives_the_same_records(store: RecordStore) -> None:
    first, _ = await run(store, ScriptedBackend(doubles), cache=True)
    silent = ScriptedBackend([])
    again, _ = await run(store, silent, cache=True, rerun=True)
    assert silent.requests == []
    assert [record.answer for record in again] == [record.answer for record in first]
    assert [record.usage.total_tokens for record in again] == [record.usage.total_tokens for record in first]
    assert all(record.usage.cached_calls == record.usage.calls for record in again)


async def test_only_what_is_missing_is_solved(store: RecordStore) -> None:
    await run(store, ScriptedBackend(doubles), problems=PROBLEMS[:4])
    backend = ScriptedBackend(doubles)
    records, known = await run(store, backend)
    assert len(records) == 6
    assert sorted(known) == [False] * 2 + [True] * 4
    assert len(backend.requests) == 2


async def test_an_edited_problem_setting_or_seed_is_another_record(store: RecordStore) -> None:
    await run(store, ScriptedBackend(doubles))
    edited = (PROBLEMS[0].model_copy(update={"text": "What is 9 + 9?"}), *PROBLEMS[1:])
    backend = ScriptedBackend(doubles)
    await run(store, backend, problems=edited)
    assert len(backend.requests) == 1
    for arm in (Arm(strategy="cot", config={"temperature": 0.5}), Arm(strategy="cot", config={}, seed=7)):
        backend = ScriptedBackend(doubles)
        await run(store, backend, arm)
        assert len(backend.requests) == 6


async def test_failed_solve_is_an_error_not_a_wrong_answer_and_is_tried_again(store: RecordStore) -> None:
    def flaky(request: ChatRequest, sample: int) -> str:
        if "What is 3 + 3?" in request.messages[1].content:
            raise BackendError("the endpoint is down")
        return doubles(request, sample)

    records, _ = await run(store, ScriptedBackend(flaky))
    assert [record.outcome for record in records].count("error") == 1
    assert records[3].error == "the endpoint is down"
    again, known = await run(store, ScriptedBackend(doubles))
    assert [record.outcome for record in again] == ["correct"] * 6
    assert known.count(False) == 1


async def test_a_refused_key_ends_the_run_and_keeps_what_was_done(store: RecordStore) -> None:
    def refuses(request: ChatRequest, sample: int) -> str:
        if "What is 5 + 5?" in request.messages[1].content:
            raise BackendError("the key was refused", status=401)
        return doubles(request, sample)

    async with Solver(ScriptedBackend(refuses), cache=False) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="doubles", problems=PROBLEMS), concurrency=1)
        with pytest.raises(BackendError, match="key was refused"):
            await benchmark.run(COT, lambda record, known: None)
        assert len(store.get(list(benchmark.keys(COT)))) == 5


async def test_wrong_and_missing_answers_say_why(store: RecordStore) -> None:
    def wrong(request: ChatRequest, sample: int) -> str:
        if request.role == "extractor":
            return ""
        return "\\boxed{-1}" if "What is 0 + 0?" in request.messages[1].content else "no idea"

    records, _ = await run(store, ScriptedBackend(wrong))
    assert [record.failure for record in records] == ["wrong"] + ["no-answer"] * 5
    assert all(record.outcome == "incorrect" for record in records)


async def test_wrong_setting_is_found_before_any_call(store: RecordStore) -> None:
    backend = ScriptedBackend([])
    with pytest.raises(UsageError, match="has no setting 'nn'"):
        await run(store, backend, Arm(strategy="cot", config={"nn": 3}))
    assert backend.requests == []
