"""What a solver reads of its memory, what it writes after a solve, and the gate before that."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mathagent.agents.blocks.prompt_window import within
from mathagent.agents.solver_memory import MEMORY_MODES, SolverMemory, memory_mode
from mathagent.agents.strategy import Strategy
from mathagent.cli import app
from mathagent.config import settings
from mathagent.errors import StorageError, UsageError
from mathagent.events import Event, Remembered, Warned
from mathagent.memory import sqlite_store
from mathagent.memory.base import Added, Query
from mathagent.memory.experience import (
    TRUST_ORDER,
    Exemplar,
    Experience,
    Fact,
    Lesson,
    StrategyStatistics,
)
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.utility import Standing, utility
from mathagent.strategies import STRATEGIES
from mathagent.types import Answer, Candidate, Check, CheckKind, CheckOutcome, Execution, Problem, Solution, Step
from tests.unit.agents.fake_store import FakeStore

PROBLEM = Problem(
    text="Sam has 3 boxes of 6 eggs each and eats 2 eggs. How many eggs are left?", choices=("16", "20")
)
SHOWN = Experience(content=Fact(title="eggs", statement="A box of eggs holds six."), trust="graded")
PAL: Strategy = STRATEGIES.load("pal")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "memory.db", HashedEmbedder())
    yield store
    await store.aclose()


class CountingStore(FakeStore):
    """Counts its writes; ``broken`` ones fail, too."""

    writes = 0

    async def add(self, experiences: Sequence[Experience], **noted: Any) -> Added:
        self.writes += 1
        if self.broken is not None:
            raise StorageError(self.broken)
        return await super().add(experiences, **noted)


def check(kind: CheckKind, outcome: CheckOutcome = "holds") -> Check:
    return Check(kind=kind, program="True", expected="True", outcome=outcome)


def solution(*certificate: Check, recalled: Sequence[str] = (SHOWN.id,), **fields: Any) -> Solution:
    """16, by a program that gave it."""
    code = Step(kind="code", text="def solution():\n    return 3 * 6 - 2")
    seen = Step(kind="observation", text="16", origin="tool", execution=Execution(status="ok", value="16"))
    candidate = Candidate(steps=(code, seen), answer=Answer(raw="16", normal="16"), checks=(check("execution"),))
    given: dict[str, Any] = {
        "problem": PROBLEM,
        "answer": "16",
        "confidence": 0.9,
        "confidence_basis": "",
        "certificate": (check("execution"), *certificate),
        "candidates": (candidate,),
        "strategy": "pal",
        "model": "tiny",
        "solve_id": "solve-1",
        "recalled": tuple(recalled),
    }
    return Solution(**(given | fields))


async def stored(store: Any) -> dict[str, list[Experience]]:
    found: dict[str, list[Experience]] = {"exemplar": [], "lesson": [], "fact": [], "statistics": []}
    async for one in store.scan():
        found[one.kind].append(one)
    return found


# Modes


def test_modes() -> None:
    assert [memory_mode(name) for name in MEMORY_MODES] == ["off", "read", "learn"]
    with pytest.raises(UsageError, match=r"'write' is none of off, read, learn"):
        memory_mode("write")
    with pytest.raises(UsageError, match="none of off"):
        SolverMemory(FakeStore(), "write")  # type: ignore[arg-type]


async def test_off_opens_nothing_and_refuses_a_memory_that_it_would_not_use(tmp_path: Path) -> None:
    memory = SolverMemory(None, "off")
    assert memory.store is None
    assert memory.of_solve(PROBLEM, measured=False) is None
    await memory.aclose()
    assert not settings().memory_path.exists()
    for given in (FakeStore(), tmp_path / "memory.db"):
        with pytest.raises(UsageError, match="memory_mode is 'off'"):
            SolverMemory(given, "off")


async def test_the_users_own_memory_is_made_by_the_first_write() -> None:
    path = settings().memory_path
    for mode in ("read", "learn"):
        memory = SolverMemory(None, mode)
        assert isinstance(memory.store, SqliteStore)
        assert memory.store.path == path
        assert not path.exists()
        if mode == "learn":
            await memory.remember(solution(check("reverse")), PAL)
            assert path.exists()
        await memory.aclose()
        with pytest.raises(StorageError, match="is closed"):
            await memory.store.statistics()


async def test_who_opened_a_store_closes_it(store: SqliteStore) -> None:
    memory = SolverMemory(store, "read")
    await memory.aclose()
    assert (await store.statistics()).experiences == 0  # it is still open


@pytest.mark.parametrize("mode", ["read", "learn"])
async def test_a_measured_solve_reads_past_its_own_problem(mode: Any) -> None:
    own = Experience(content=Exemplar(problem="Sam has 3 boxes", program="x", answer="16"), trust="graded")
    store = FakeStore([own])
    memory = SolverMemory(store, mode)
    asked = Problem(text="Sam has 3 boxes")
    seen, unseen = memory.of_solve(asked, measured=False), memory.of_solve(asked, measured=True)
    assert seen is not None
    assert unseen is not None
    assert [hit.experience for hit in await seen.search(Query(text="boxes"))] == [own]
    assert await unseen.search(Query(text="boxes")) == []
    # Whoever searches cannot lift the guard.
    assert await unseen.search(Query(text="boxes", guard="another problem")) == []


# The gate


@pytest.mark.parametrize(
    ("certificate", "fields"),
    [
        ((), {}),
        ((check("domain"), check("dimension")), {}),
        ((check("reverse", "undecided"),), {}),
        ((check("reverse"), check("domain", "fails")), {}),
        ((check("reverse"),), {"stopped": "budget"}),
        ((check("reverse"),), {"abstained": True}),
        ((check("reverse"),), {"answer": None, "candidates": ()}),
    ],
)
async def test_what_no_strong_check_vouches_for_is_not_written(
    certificate: tuple[Check, ...], fields: dict[str, Any]
) -> None:
    store = CountingStore([SHOWN])
    assert await SolverMemory(store, "learn").remember(solution(*certificate, **fields), PAL) == Added()
    assert store.writes == 0
    assert list(store.kept) == [SHOWN.id]


async def test_what_a_strong_check_vouches_for_is_written_with_all_that_is_known(store: SqliteStore) -> None:
    await store.add([SHOWN])
    added = await SolverMemory(store, "learn").remember(
        solution(check("reverse")), PAL, dataset="eggs", item="e1", subject="Arithmetic"
    )
    assert (added.new, added.merged) == (2, 0)
    found = await stored(store)
    (exemplar,) = found["exemplar"]
    assert isinstance(exemplar.content, Exemplar)
    assert (exemplar.content.program, exemplar.content.answer) == ("def solution():\n    return 3 * 6 - 2", "16")
    assert exemplar.content.choices == PROBLEM.choices
    assert exemplar.trust == "verified"
    assert [one.kind for one in exemplar.evidence] == ["execution", "reverse"]
    assert exemplar.subject == "Arithmetic"
    where = exemplar.provenance
    assert (where.run, where.model, where.strategy, where.dataset, where.item) == (
        "solve-1",
        "tiny",
        "pal",
        "eggs",
        "e1",
    )
    assert where.created > 1.7e9
    (statistics,) = found["statistics"]
    assert isinstance(statistics.content, StrategyStatistics)
    assert statistics.content.success
    assert [(one.uses, one.successes) for one in found["fact"]] == [(1, 1)]


@pytest.mark.parametrize("person", [False, True])
async def test_who_says_that_it_is_wrong_outweighs_every_check(store: SqliteStore, person: bool) -> None:
    await store.add([SHOWN])
    memory = SolverMemory(store, "learn")
    await memory.remember(solution(check("reverse")), PAL, right=False, person=person)
    found = await stored(store)
    assert found["exemplar"] == []
    (lesson,) = found["lesson"]
    assert isinstance(lesson.content, Lesson)
    assert "16" in lesson.content.mistake
    assert lesson.trust == ("person" if person else "graded")
    assert [(one.uses, one.successes) for one in found["fact"]] == [(1, 0)]


@pytest.mark.parametrize(("person", "trust"), [(False, "graded"), (True, "person")])
async def test_who_says_that_it_is_right_is_enough(store: SqliteStore, person: bool, trust: str) -> None:
    await SolverMemory(store, "learn").remember(solution(), PAL, right=True, person=person)
    (exemplar,) = (await stored(store))["exemplar"]
    assert exemplar.trust == trust


async def test_a_models_lessons_come_along_as_judged() -> None:
    store = FakeStore()
    note = Lesson(problem=PROBLEM.text, mistake="adding", fix="Multiply.")
    await SolverMemory(store, "learn").remember(solution(), PAL, right=False, lessons=[note])
    found = await stored(store)
    assert {(one.trust, one.content == note) for one in found["lesson"]} == {("graded", False), ("judged", True)}


async def test_where_nobody_knows_how_it_ended_no_use_is_counted(store: SqliteStore) -> None:
    await store.add([SHOWN])
    memory = SolverMemory(store, "learn")
    await memory.remember(solution(), PAL)
    await memory.remember(solution(check("agreement")), PAL)  # judged: kept, and no success
    found = await stored(store)
    assert [one.trust for one in found["exemplar"]] == ["judged"]
    assert [(one.uses, one.successes) for one in found["fact"]] == [(0, 0)]


async def test_all_of_it_is_one_transaction(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.add([SHOWN])

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite_store, "note_uses", fail)  # the last of it
    with pytest.raises(StorageError, match="disk I/O error"):
        await SolverMemory(store, "learn").remember(solution(check("reverse")), PAL)
    assert (await store.statistics()).experiences == 1


@pytest.mark.parametrize("mode", ["off", "read"])
async def test_only_a_memory_that_learns_is_written(mode: Any) -> None:
    store = CountingStore()
    memory = SolverMemory(None if mode == "off" else store, mode)
    with pytest.raises(UsageError, match="open it in the mode 'learn'"):
        await memory.remember(solution(check("reverse")), PAL)
    await memory.remember_solve(solution(check("reverse")), PAL, lambda event: None, resumed=False)
    assert store.writes == 0


# After a solve


async def test_the_run_is_told_what_was_remembered() -> None:
    store = CountingStore()
    memory, events = SolverMemory(store, "learn"), list[Event]()
    await memory.remember_solve(solution(check("reverse")), PAL, events.append, resumed=False)
    assert events == [Remembered(new=2, merged=0)]
    assert store.writes == 1
    await memory.remember_solve(solution(), PAL, events.append, resumed=False)
    assert len(events) == 1


async def test_a_store_that_fails_is_a_warning() -> None:
    for resumed in (False, True):
        memory, events = SolverMemory(CountingStore(broken="the disk is full"), "learn"), list[Event]()
        await memory.remember_solve(solution(check("reverse")), PAL, events.append, resumed=resumed)
        (warned,) = events
        assert isinstance(warned, Warned)
        assert "not remembered: the disk is full" in warned.message


async def test_a_resumed_solve_that_was_written_is_not_written_again(store: SqliteStore) -> None:
    """Killed between the write and the end of its checkpoint: it took another time, and a use would count twice."""
    await store.add([SHOWN])
    memory, events = SolverMemory(store, "learn"), list[Event]()
    await memory.remember_solve(solution(check("reverse"), seconds=2.0), PAL, events.append, resumed=False)
    before = await stored(store)
    await memory.remember_solve(solution(check("reverse"), seconds=2.1), PAL, events.append, resumed=True)
    assert await stored(store) == before
    assert len(events) == 1
    other = solution(check("reverse"), seconds=2.1, solve_id="solve-2")
    await memory.remember_solve(other, PAL, events.append, resumed=True)
    assert len((await stored(store))["statistics"]) == 2


# A wrong exemplar in the store


async def test_a_wrong_exemplar_is_named_loses_its_worth_and_can_be_forgotten(tmp_path: Path) -> None:
    """The defence against a poisoned store: see agents/blocks/recall.py."""
    path = tmp_path / "memory.db"
    program = "def solution():\n    return 7"
    wrong = Experience(
        content=Exemplar(problem="Tom has 4 boxes of 5 pens. How many pens?", program=program, answer="7"),
        trust="graded",
    )
    right = Experience(
        content=Exemplar(problem="Ann has 2 boxes of 8 pens. How many pens?", program="8 * 2", answer="16"),
        trust="graded",
    )
    store = SqliteStore(path, HashedEmbedder())
    await store.add([wrong, right])
    memory = SolverMemory(store, "learn")
    asked = Query(text="Max has 6 boxes of 9 pens. How many pens?", kinds=("exemplar",))
    for number in range(4):
        failed = solution(solve_id=f"s{number}", answer="7", recalled=[wrong.id])
        await memory.remember(failed, PAL, right=False)
    hits = {hit.experience.id: hit for hit in await store.search(asked)}
    poisoned = hits[wrong.id].experience
    assert (poisoned.uses, poisoned.successes) == (4, 0)

    def worth(one: Experience) -> float:
        standing = Standing(0, TRUST_ORDER.index(one.trust), one.uses, one.successes, 0.0, 0)
        return utility(standing, now=0.0, better_alike=0)

    assert worth(poisoned) < 0.6 * worth(hits[right.id].experience)
    assert within([hits[wrong.id], hits[right.id]], 600, most=1) == [hits[right.id]]
    await store.aclose()

    async def command(*arguments: str) -> tuple[int, str]:
        given = ["memory", *arguments, "--memory", str(path)]
        result = await asyncio.to_thread(CliRunner().invoke, app, given)  # it has a loop of its own
        return result.exit_code, result.output

    code, out = await command("show", wrong.id, "--json")
    assert code == 0
    assert (json.loads(out)["trust"], json.loads(out)["uses"]) == ("graded", 4)
    assert (await command("forget", wrong.id, "--yes"))[0] == 0
    assert (await command("show", wrong.id))[0] != 0
    assert (await command("show", right.id))[0] == 0
