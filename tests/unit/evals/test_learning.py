"""Learning by solving: what is right becomes an exemplar, what is wrong a lesson; nothing is learned twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import BackendError, StorageError, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.learning import Learned, Learning, first_wrong
from mathagent.memory.experience import Exemplar, Experience, Lesson
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Answer, Candidate, Failure, Problem, Solution
from tests.unit.agents.fake_store import FakeStore

EASY = Problem(text="What is 3 + 4?", id="easy", reference="7", metadata={"subject": "Sums"})
HARD = Problem(text="A kite costs 9 and a string 2. What do both cost?", id="hard", reference="11")
LETTERS = Problem(text="Which letter is a vowel?", choices=("b", "e"), id="letters", reference="B")
NOTE = {
    "mistake": "the string was forgotten",
    "lessons": ["Add up all that is bought."],
    "facts": ["A sum is ..."],
}


def student(request: ChatRequest, sample: int) -> str:
    """Right on EASY and LETTERS, wrong on HARD; the teacher writes NOTE."""
    if request.role == "teacher":
        return json.dumps(NOTE)
    asked = request.messages[-1].content
    answer = "7" if EASY.text in asked else "B" if LETTERS.text in asked else "9"
    return f"So it is \\boxed{{{answer}}}."


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "memory.db", HashedEmbedder())
    yield store
    await store.aclose()


async def learn(
    store: Any,
    backend: ScriptedBackend,
    *problems: Problem,
    dataset: str = "sums",
    strategy: str = "cot",
    **options: Any,
) -> dict[str, Learned]:
    told: list[Learned] = []
    async with Solver(backend, cache=False, checkpoints=False, memory=store, memory_mode="learn") as solver:
        await Learning(solver, Dataset(name=dataset, problems=problems), strategy, {}, **options).run(told.append)
    assert len({one.problem_id for one in told}) == len(told)
    return {one.problem_id: one for one in told}


async def kept(store: Any, kind: Any) -> list[Experience]:
    return [one async for one in store.scan((kind,))]


async def test_what_is_right_becomes_an_exemplar_and_what_is_wrong_a_lesson(store: SqliteStore) -> None:
    told = await learn(store, ScriptedBackend(student), EASY, HARD)
    assert told == {
        "easy": Learned(problem_id="easy", right=True, new=2),
        "hard": Learned(problem_id="hard", right=False, new=2),
    }
    (exemplar,) = await kept(store, "exemplar")
    assert isinstance(exemplar.content, Exemplar)
    assert (exemplar.content.problem, exemplar.content.answer, exemplar.trust) == (EASY.text, "7", "graded")
    where = exemplar.provenance
    assert (where.dataset, where.item, where.strategy, where.model) == ("sums", "easy", "cot", "script:test")
    assert exemplar.subject == "Sums"
    (lesson,) = await kept(store, "lesson")
    assert isinstance(lesson.content, Lesson)
    assert (lesson.content.problem, lesson.trust) == (HARD.text, "graded")
    assert "9" in lesson.content.mistake
    outcomes = {one.provenance.item: one.content.success for one in await kept(store, "statistics")}  # type: ignore[union-attr]
    assert outcomes == {"easy": True, "hard": False}


async def test_a_teacher_who_knows_the_answer_writes_a_note_where_it_is_wrong(store: SqliteStore) -> None:
    backend = ScriptedBackend(student)
    await learn(store, backend, EASY, HARD, notes=True)
    assert sorted(backend.roles) == ["reasoner", "reasoner", "teacher"]
    (asked,) = (request for request in backend.requests if request.role == "teacher")
    assert HARD.text in asked.model_dump_json()
    assert "11" in asked.model_dump_json()
    assert "boxed{9}" in asked.messages[-1].content
    lessons = {one.trust: one.content for one in await kept(store, "lesson")}
    assert set(lessons) == {"graded", "judged"}
    note = lessons["judged"]
    assert isinstance(note, Lesson)
    assert (note.mistake, note.fix) == (NOTE["mistake"], NOTE["lessons"][0])


async def test_without_a_usable_note_the_rest_is_learned(store: SqliteStore) -> None:
    def silent_teacher(request: ChatRequest, sample: int) -> str:
        return "{}" if request.role == "teacher" else student(request, sample)

    await learn(store, ScriptedBackend(silent_teacher), HARD, notes=True)
    assert [one.trust for one in await kept(store, "lesson")] == ["graded"]


async def test_what_was_learned_is_passed_over(store: SqliteStore) -> None:
    await learn(store, ScriptedBackend(student), EASY, LETTERS)
    backend = ScriptedBackend(student)
    assert set(await learn(store, backend, EASY, HARD, LETTERS)) == {"hard"}
    assert len(backend.requests) == 1
    assert await learn(store, ScriptedBackend([]), EASY, HARD, LETTERS) == {}
    # Another data set, strategy or model has not tried it; nor has one of the same name that holds other problems.
    assert set(await learn(store, ScriptedBackend(student), EASY, dataset="others")) == {"easy"}
    assert set(await learn(store, ScriptedBackend(student, name="script:other"), EASY)) == {"easy"}
    namesake = HARD.model_copy(update={"id": "easy", "text": "A ball costs 9. What do 1 cost?", "reference": "9"})
    assert set(await learn(store, ScriptedBackend(student), namesake)) == {"easy"}
    async with Solver(ScriptedBackend([]), cache=False, memory=store, memory_mode="learn") as solver:
        pal = Learning(solver, Dataset(name="sums", problems=(EASY, HARD)), "pal", {})
        assert await pal.waiting() == [EASY, HARD]


async def test_what_failed_is_told_and_waits_for_the_next_run(store: SqliteStore) -> None:
    def flaky(request: ChatRequest, sample: int) -> str:
        if HARD.text in request.messages[-1].content:
            raise BackendError("the endpoint is down")
        return student(request, sample)

    told = await learn(store, ScriptedBackend(flaky), EASY, HARD)
    assert told["hard"] == Learned(problem_id="hard", error="the endpoint is down")
    assert told["easy"].right
    assert set(await learn(store, ScriptedBackend(student), EASY, HARD)) == {"hard"}


async def test_a_teacher_who_is_down_ends_no_run(store: SqliteStore) -> None:
    def no_teacher(request: ChatRequest, sample: int) -> str:
        if request.role == "teacher":
            raise BackendError("the teacher is down")
        return student(request, sample)

    told = await learn(store, ScriptedBackend(no_teacher, max_parallel=1), HARD, EASY, notes=True)
    assert told["hard"].error == "the teacher is down"
    assert told["easy"].right
    assert await kept(store, "lesson") == []  # all of it, or nothing
    assert set(await learn(store, ScriptedBackend(student), EASY, HARD, notes=True)) == {"hard"}


async def test_an_answer_that_cannot_be_graded_teaches_nothing(store: SqliteStore, monkeypatch: Any) -> None:
    from mathagent.evals.grader import Grade, Grader

    async def undecided(*_: object) -> Grade:
        return Grade(outcome="undecided", reason="it took too long")

    monkeypatch.setattr(Grader, "grade", undecided)
    assert (await learn(store, ScriptedBackend(student), EASY))["easy"].error == "it took too long"
    assert (await store.statistics()).experiences == 0


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_ends_the_run(store: SqliteStore, status: int) -> None:
    def refuses(request: ChatRequest, sample: int) -> str:
        if HARD.text in request.messages[-1].content:
            raise BackendError("the key was refused", status=status)
        return student(request, sample)

    backend = ScriptedBackend(refuses, max_parallel=1)
    with pytest.raises(BackendError, match="key was refused"):
        await learn(store, backend, EASY, HARD, LETTERS)
    assert len(backend.requests) == 2
    assert [one.provenance.item for one in await kept(store, "exemplar")] == ["easy"]


async def test_a_store_that_cannot_be_written_ends_the_run() -> None:
    class Full(FakeStore):
        async def add(self, *_: object, **__: object) -> Any:
            raise StorageError("the disk is full")

    with pytest.raises(StorageError, match="disk is full"):
        await learn(Full(), ScriptedBackend(student, max_parallel=1), EASY, HARD)


async def test_a_wrong_setting_is_found_before_any_call(store: SqliteStore) -> None:
    async with Solver(ScriptedBackend([]), cache=False, memory=store, memory_mode="learn") as solver:
        for strategy, config in (("cot", {"nn": 3}), ("coat", {})):
            with pytest.raises(UsageError):
                Learning(solver, Dataset(name="sums", problems=(EASY,)), strategy, config)


def test_the_candidate_that_stands_for_a_wrong_answer() -> None:
    def giving(answer: str) -> Candidate:
        return Candidate(answer=Answer(raw=answer, normal=answer))

    failed = Candidate(failure=Failure(kind="no-answer", message=""))

    def solution(answer: str | None, *candidates: Candidate) -> Solution:
        return Solution(
            problem=EASY,
            answer=answer,
            confidence=None,
            confidence_basis="",
            candidates=candidates,
            strategy="cot",
            model="m",
        )

    assert first_wrong(solution("9", giving("8"), giving("9"))) == giving("9")
    assert first_wrong(solution(None, failed)) == failed
    assert first_wrong(solution(None)) is None
