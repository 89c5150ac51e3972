"""The runner: resumes, records errors apart, never repeats or loses a problem."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import BackendError, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Arm, Benchmark
from mathagent.memory.base import ExperienceStore
from mathagent.memory.experience import Exemplar, Experience, Lesson
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Completion, Problem

PROBLEMS = tuple(Problem(text=f"What is {n} + {n}?", id=f"p{n}", reference=str(2 * n)) for n in range(6))
COT = Arm(strategy="cot", config={})


@pytest.fixture(autouse=True)
def everything_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """How alike a problem must be to be shown has tests of its own (tests/unit/agents/test_recall.py)."""
    monkeypatch.setattr(HashedEmbedder, "chance_similarity", -1.0)


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
        assert len(store.get(list(await benchmark.keys(COT)))) == 5


async def test_wrong_and_missing_answers_say_why(store: RecordStore) -> None:
    def wrong(request: ChatRequest, sample: int) -> str:
        if request.role == "extractor":
            return ""
        return "\\boxed{-1}" if "What is 0 + 0?" in request.messages[1].content else "no idea"

    records, _ = await run(store, ScriptedBackend(wrong))
    assert [record.failure for record in records] == ["wrong"] + ["format"] * 5
    assert all(record.outcome == "incorrect" for record in records)


async def test_wrong_setting_is_found_before_any_call(store: RecordStore) -> None:
    backend = ScriptedBackend([])
    with pytest.raises(UsageError, match="has no setting 'nn'"):
        await run(store, backend, Arm(strategy="cot", config={"nn": 3}))
    assert backend.requests == []


# Memory: problems that have little in common, so that none is a near duplicate of another.

WORDED = tuple(
    Problem(text=text, id=f"w{number}", reference=reference, metadata={"subject": "Words"})
    for number, (text, reference) in enumerate(
        (
            (
                "A baker sells 12 loaves in the morning and 9 more after lunch. What is the number of loaves sold?",
                "21",
            ),
            ("Seven friends share a bill of 84 dollars evenly at a restaurant. What does each friend pay?", "12"),
            ("The perimeter of a square garden is 36 metres. What is the length of one side of the garden?", "9"),
            (
                "A train leaves at noon and travels 150 km at 50 km per hour. After how many hours does it arrive?",
                "3",
            ),
        )
    )
)
ANSWERS = {problem.text: problem.reference for problem in WORDED}


def own_exemplar(problem: Problem) -> Experience:
    reasoning = f"It is known: mark-{problem.id}."
    return Experience(
        content=Exemplar(problem=problem.text, reasoning=reasoning, answer=problem.reference or ""), trust="graded"
    )


def knows(request: ChatRequest, sample: int) -> str:
    asked = request.messages[-1].content
    answer = next(answer for text, answer in ANSWERS.items() if text in asked)
    return f"So the answer is \\boxed{{{answer}}}."


def guesses(request: ChatRequest, sample: int) -> str:
    return "So the answer is \\boxed{5}."


class Watched(ScriptedBackend):
    """Takes a moment for each reply, and counts how many it is asked for at once."""

    at_once = most_at_once = 0

    async def complete(self, *arguments: Any) -> list[Completion]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return await super().complete(*arguments)


def memory_of(tmp_path: Path, name: str = "memory", **options: Any) -> SqliteStore:
    return SqliteStore(tmp_path / f"{name}.db", HashedEmbedder(), **options)


async def run_with(
    store: RecordStore,
    memory: ExperienceStore | None,
    mode: Any = "read",
    *,
    backend: ScriptedBackend | None = None,
    stop_after: int = 99,
    **arm: Any,
) -> list[Record]:
    """The records of cot over WORDED; raises Stop after so many new ones."""
    new = 0

    def on_record(record: Record, known: bool) -> None:
        nonlocal new
        new += not known
        if new == stop_after:
            raise Stop

    async with Solver(
        backend or ScriptedBackend(knows), cache=False, checkpoints=False, memory=memory, memory_mode=mode
    ) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="words", problems=WORDED))
        return await benchmark.run(Arm(strategy="cot", config={}, **arm), on_record)


class Stop(Exception):
    """The run is killed."""


def uses(records: list[Record]) -> list[Any]:
    return [record.memory for record in records]


async def test_a_read_memory_shows_all_but_the_problem_itself(store: RecordStore, tmp_path: Path) -> None:
    writer = memory_of(tmp_path)
    await writer.add([own_exemplar(problem) for problem in WORDED])
    before = await writer.statistics()
    backend = Watched(knows)
    reader = memory_of(tmp_path, read_only=True)
    records = await run_with(store, reader, backend=backend)
    await reader.aclose()
    assert backend.most_at_once > 1
    asked = {}
    for request in backend.requests:
        asked[request.messages[-1].content.split("\n")[0]] = request.model_dump_json()
    for problem, record in zip(WORDED, records, strict=True):
        assert record.outcome == "correct"
        assert record.memory is not None
        shown = {one.id for one in WORDED if own_exemplar(one).id in record.memory.shown}
        assert shown == {one.id for one in WORDED} - {problem.id}
        assert shown == {one.id for one in WORDED if f"mark-{one.id}" in asked[problem.text]}
        assert record.solution is not None
        assert record.memory.shown == record.solution.recalled
        use = record.memory
        assert (use.mode, use.position, use.remembered, use.feedback) == ("read", 0, 0, False)
        assert (use.store, use.fingerprint) == (before.identity, before.fingerprint)
    assert await writer.statistics() == before
    await writer.aclose()


async def test_what_an_attempt_could_see_is_part_of_its_identity(store: RecordStore, tmp_path: Path) -> None:
    memory = memory_of(tmp_path)
    await memory.add([own_exemplar(WORDED[0])])
    seen: list[set[str]] = [{record.key for record in await run_with(store, None, "off")}]
    assert uses(await run_with(store, None, "off")) == [None] * 4
    seen.append({record.key for record in await run_with(store, memory)})
    silent = ScriptedBackend([])
    assert {record.key for record in await run_with(store, memory, backend=silent)} == seen[-1]
    assert silent.requests == []
    await memory.add([own_exemplar(WORDED[1])])
    seen.append({record.key for record in await run_with(store, memory)})
    copy = memory_of(tmp_path, "copy")
    await copy.add([own_exemplar(problem) for problem in WORDED[:2]])
    assert await copy.fingerprint() == await memory.fingerprint()
    seen.append({record.key for record in await run_with(store, copy)})
    assert len(set.union(*seen)) == 4 * len(seen)
    for one in (memory, copy):
        await one.aclose()


async def test_who_learns_goes_one_by_one_and_uses_what_it_learned(store: RecordStore, tmp_path: Path) -> None:
    memory = memory_of(tmp_path)
    backend = Watched(knows)
    records = await run_with(store, memory, "learn", backend=backend, feedback=True)
    assert backend.most_at_once == 1
    order = [request.messages[-1].content.split("\n")[0] for request in backend.requests]
    assert order == [problem.text for problem in WORDED]
    assert [record.memory.position for record in records if record.memory] == [0, 1, 2, 3]
    identity = (await memory.statistics()).identity
    assert {(one.mode, one.store, one.feedback, one.remembered) for one in uses(records)} == {
        ("learn", identity, True, 2)  # the exemplar, and how the strategy fared
    }
    assert len({one.fingerprint for one in uses(records)}) == 4
    known = {one.provenance.item: one async for one in memory.scan(("exemplar",))}
    assert [one.trust for one in known.values()] == ["graded"] * 4
    assert {one.provenance.dataset for one in known.values()} == {"words"}
    assert {one.subject for one in known.values()} == {"Words"}
    for place, use in enumerate(uses(records)):
        assert set(use.shown) == {known[problem.id].id for problem in WORDED[max(0, place - 3) : place]}
    await memory.aclose()


@pytest.mark.parametrize("made", [False, True], ids=["a memory that is not there yet", "a memory"])
async def test_a_killed_run_that_learns_goes_on_where_it_was(
    store: RecordStore, tmp_path: Path, made: bool
) -> None:
    memory = memory_of(tmp_path)
    if made:
        await memory.add([own_exemplar(WORDED[0])])
    first = Watched(knows)
    with pytest.raises(Stop):
        await run_with(store, memory, "learn", backend=first, stop_after=2, feedback=True)
    assert len(first.requests) == 2
    await memory.aclose()
    memory = memory_of(tmp_path)
    second = Watched(knows)
    records = await run_with(store, memory, "learn", backend=second, feedback=True)
    assert [request.messages[-1].content.split("\n")[0] for request in second.requests] == [
        problem.text for problem in WORDED[2:]
    ]
    assert [use.position for use in uses(records)] == [0, 1, 2, 3]
    assert (await memory.statistics()).by_kind["statistics"] == 4
    silent = ScriptedBackend([])
    again = await run_with(store, memory, "learn", backend=silent, feedback=True)
    assert again == records
    await memory.aclose()
    fresh = memory_of(tmp_path, "fresh")
    anew = Watched(knows)
    others = await run_with(store, fresh, "learn", backend=anew, feedback=True)
    assert len(anew.requests) == 4
    assert not {record.key for record in others} & {record.key for record in records}
    await fresh.aclose()


async def test_another_order_is_another_experiment(store: RecordStore, tmp_path: Path) -> None:
    memory = memory_of(tmp_path)
    async with Solver(ScriptedBackend(knows), cache=False, memory=memory, memory_mode="learn") as solver:

        async def keys(*problems: Problem, feedback: bool = False) -> list[str]:
            arm = Arm(strategy="cot", config={}, feedback=feedback)
            return list(await Benchmark(solver, store, Dataset(name="w", problems=problems)).keys(arm))

        forth = await keys(*WORDED)
        assert await keys(*WORDED) == forth
        assert await keys(*WORDED[:2]) == forth[:2]
        assert not set(await keys(*reversed(WORDED))) & set(forth)
        assert not set(await keys(*WORDED, feedback=True)) & set(forth)
    await memory.aclose()


async def test_without_feedback_only_certificates_speak(store: RecordStore, tmp_path: Path) -> None:
    memory = memory_of(tmp_path)
    records = await run_with(store, memory, "learn")
    assert all(record.outcome == "correct" for record in records)
    assert [(use.remembered, use.feedback, use.shown) for use in uses(records)] == [(0, False, ())] * 4
    assert (await memory.statistics()).experiences == 0
    await memory.aclose()


async def test_feedback_on_a_wrong_answer_is_a_lesson_without_the_right_one(
    store: RecordStore, tmp_path: Path
) -> None:
    memory = memory_of(tmp_path)
    records = await run_with(store, memory, "learn", backend=ScriptedBackend(guesses), feedback=True)
    assert [record.outcome for record in records] == ["incorrect"] * 4
    found = [one async for one in memory.scan(("exemplar", "lesson"))]
    assert [one.kind for one in found] == ["lesson"] * 4
    for one, problem in zip(found, WORDED, strict=True):
        assert isinstance(one.content, Lesson)
        assert "5" in one.content.mistake
        assert str(problem.reference) not in f"{one.content.mistake} {one.content.fix}"
    await memory.aclose()


async def test_a_problem_that_failed_is_solved_behind_the_others(store: RecordStore, tmp_path: Path) -> None:
    memory = memory_of(tmp_path)

    def flaky(request: ChatRequest, sample: int) -> str:
        if WORDED[1].text in request.messages[-1].content:
            raise BackendError("the endpoint is down")
        return knows(request, sample)

    records = await run_with(store, memory, "learn", backend=ScriptedBackend(flaky), feedback=True)
    assert [record.outcome for record in records].index("error") == 1
    assert [use and use.position for use in uses(records)] == [0, None, 1, 2]
    records = await run_with(store, memory, "learn", feedback=True)
    assert [use.position for use in uses(records)] == [0, 3, 1, 2]
    await memory.aclose()
