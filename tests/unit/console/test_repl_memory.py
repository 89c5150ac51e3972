"""/memory, /right and /wrong, on a real store."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mathagent.agents.solver_memory import SolverMemory
from mathagent.answers.compare import AnswerComparer
from mathagent.console.conversation import Conversation, Turn
from mathagent.console.event_log import EventLog
from mathagent.console.page import Page
from mathagent.console.repl_commands import parse_command
from mathagent.console.repl_memory import MemoryCommands
from mathagent.errors import UsageError
from mathagent.events import Recalled, Recollection, Remembered
from mathagent.memory.experience import Exemplar, Experience, Fact, Lesson, Provenance, StrategyStatistics
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.strategies import STRATEGIES
from mathagent.types import Answer, Candidate, Check, Execution, Problem, Solution, Step
from tests.unit.agents.scripted_context import no_worker
from tests.unit.memory.word_embedder import WordEmbedder

HERON = Experience(content=Fact(title="Heron", statement="the area of a triangle from its sides"))
PROBLEM = "A farm has 12 hens. Each lays 3 eggs. How many eggs are there?"


def candidate(answer: str, program: str) -> Candidate:
    ran = Execution(status="ok", value=answer)
    return Candidate(
        steps=(
            Step(kind="code", text=program),
            Step(kind="observation", text=answer, origin="tool", execution=ran),
        ),
        answer=Answer(raw=answer, normal=answer),
        checks=(Check(kind="execution", program=program, expected=answer, outcome="holds"),),
    )


SUM = candidate("15", "eggs = 12 + 3\neggs")
PRODUCT = candidate("36", "eggs = 12 * 3\neggs")


def solution(*candidates: Candidate, solve_id: str = "solve1", **changes: Any) -> Solution:
    values: dict[str, Any] = {
        "problem": Problem(text=PROBLEM),
        "answer": candidates[0].answer.normal if candidates and candidates[0].answer else None,
        "confidence": None,
        "confidence_basis": "",
        "candidates": candidates,
        "strategy": "pal",
        "model": "m",
        "solve_id": solve_id,
    }
    return Solution(**(values | changes))


VERIFIED = (Check(kind="substitution", program="1", expected="1", outcome="holds"),)


class Typed:
    """A session that has solved, and the memory beside it."""

    def __init__(self, store: SqliteStore, mode: Any = "learn") -> None:
        self.store = store
        self.conversation = Conversation()
        self.solver = SimpleNamespace(
            memory=SolverMemory(None if mode == "off" else store, mode), comparer=AnswerComparer(no_worker)
        )
        self.out = io.StringIO()
        self._commands = MemoryCommands(
            Page(Console(file=self.out)), self.conversation, self._solver, Path("/home/m.db")
        )

    async def _solver(self) -> Any:
        return self.solver

    def solved(self, solution: Solution, *events: Any) -> None:
        log = EventLog()
        for event in events:
            log.on_event(event)
        self.conversation.turns.append(Turn(solution.problem.text, solution, log, "pal"))

    async def type(self, line: str) -> str:
        self.out.truncate(self.out.seek(0))
        command = parse_command(line)
        assert command is not None
        await getattr(self._commands, command.name.removeprefix("/"))(command)
        return self.out.getvalue()

    async def held(self) -> list[Experience]:
        return [one async for one in self.store.scan()]

    async def programs(self) -> set[str]:
        return {one.content.program for one in await self.held() if isinstance(one.content, Exemplar)}

    async def successes(self) -> list[bool]:
        return [one.content.success for one in await self.held() if isinstance(one.content, StrategyStatistics)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "memory.db", WordEmbedder())
    yield store
    await store.aclose()


@pytest.fixture
def typed(store: SqliteStore) -> Typed:
    return Typed(store)


async def test_memory_alone_tells_numbers_and_its_part_in_the_last_solve(typed: Typed) -> None:
    assert "nothing yet" in await typed.type("/memory")
    await typed.store.add([HERON])
    found = Recollection(id=HERON.id, experience="fact", title="Heron", source="notes.md:1")
    typed.solved(solution(PRODUCT), Recalled(found=(found,)), Remembered(new=2))
    lines = (await typed.type("/memory")).splitlines()
    assert "memory: /home/m.db" in lines
    assert "holds: 1 fact" in lines
    assert "shown: Heron (fact, notes.md:1)" in lines
    assert "learned: 2 new experiences" in lines
    typed.solved(solution(PRODUCT, solve_id="solve2"))
    lines = (await typed.type("/memory")).splitlines()
    assert "shown: nothing in the last solve" in lines
    assert any(line.startswith("learned: nothing in the last solve") for line in lines)
    await typed.type("/right")
    assert "learned: remembered that 36 is right: 2 new experiences" in await typed.type("/memory")


async def test_memory_with_a_text_searches(typed: Typed) -> None:
    assert await typed.type("/memory area of a triangle") == "nothing like it is remembered\n"
    await typed.store.add([HERON])
    assert (await typed.type("/memory area of a triangle")).startswith(HERON.id[:12])


async def test_right_keeps_the_solution_as_the_persons_word(typed: Typed) -> None:
    typed.solved(solution(PRODUCT))
    assert await typed.type("/right") == "remembered that 36 is right: 2 new experiences\n"
    (exemplar,) = [one for one in await typed.held() if isinstance(one.content, Exemplar)]
    assert isinstance(exemplar.content, Exemplar)
    assert (exemplar.content.answer, exemplar.trust, exemplar.provenance.run) == ("36", "person", "solve1")
    assert await typed.successes() == [True]
    before = await typed.held()
    assert await typed.type("/right") == "remembered that 36 is right: 2 known already\n"
    assert await typed.held() == before


async def test_wrong_keeps_the_mistake(typed: Typed) -> None:
    typed.solved(solution(SUM))
    assert await typed.type("/wrong") == "remembered that 15 is wrong: 2 new experiences\n"
    (lesson,) = [one.content for one in await typed.held() if isinstance(one.content, Lesson)]
    assert "12 + 3" in lesson.mistake
    assert await typed.successes() == [False]
    before = await typed.held()
    assert "2 known already" in await typed.type("/wrong")
    assert await typed.held() == before


async def test_wrong_takes_back_what_the_solve_had_learned_by_itself(typed: Typed) -> None:
    certain = solution(SUM, certificate=VERIFIED)
    await typed.solver.memory.remember(certain, STRATEGIES.load("pal"))
    assert await typed.programs()
    typed.solved(certain)
    text = await typed.type("/wrong")
    assert "forgotten: 2 experiences that said otherwise" in text
    assert await typed.programs() == set()
    assert await typed.successes() == [False]


async def test_the_other_word_takes_the_first_one_back(typed: Typed) -> None:
    typed.solved(solution(PRODUCT))
    await typed.type("/wrong")
    assert "forgotten: 2 experiences" in await typed.type("/right")
    assert {one.kind for one in await typed.held()} == {"exemplar", "statistics"}
    assert await typed.successes() == [True]
    assert "forgotten: 2 experiences" in await typed.type("/wrong")
    assert {one.kind for one in await typed.held()} == {"lesson", "statistics"}
    assert await typed.successes() == [False]


async def test_wrong_takes_the_same_from_elsewhere_unless_a_reference_stands_behind_it(typed: Typed) -> None:
    def twin(problem: str, trust: Any) -> Experience:
        content = Exemplar(problem=problem, program="total = 3 + 12\ntotal", answer="15")
        return Experience(content=content, trust=trust, provenance=Provenance(run="earlier"))

    typed.solved(solution(SUM))
    await typed.store.add([twin(PROBLEM, "person")])
    assert "forgotten: 1 experience that said otherwise" in await typed.type("/wrong")
    await typed.store.add([twin(PROBLEM, "verified"), HERON])
    assert "forgotten: 1 experience that said otherwise" in await typed.type("/wrong")
    assert await typed.programs() == set()
    assert HERON in await typed.held()
    await typed.store.add([twin(PROBLEM, "graded")])
    assert "forgotten" not in await typed.type("/wrong")
    assert await typed.programs() == {"total = 3 + 12\ntotal"}


async def test_wrong_with_the_right_answer_keeps_who_came_to_it(typed: Typed) -> None:
    typed.solved(solution(SUM, PRODUCT))
    text = await typed.type("/wrong 36.0")
    assert "remembered that 15 is wrong" in text
    assert "remembered that 36 is right" in text
    (program,) = await typed.programs()
    assert "12 * 3" in program
    assert await typed.successes() == [False]  # the strategy chose the wrong one
    assert any("in place of" in one.content.fix for one in await typed.held() if isinstance(one.content, Lesson))
    before = await typed.held()
    await typed.type("/wrong 36")
    assert await typed.held() == before


async def test_an_answer_that_no_candidate_gave_and_one_that_was_given(typed: Typed) -> None:
    typed.solved(solution(SUM))
    assert "no candidate came to that" in await typed.type("/wrong 36")
    assert await typed.programs() == set()
    with pytest.raises(UsageError, match="/right confirms it"):
        await typed.type("/wrong 15.0")


async def test_what_was_shown_counts_once_whatever_is_said_how_often(typed: Typed) -> None:
    await typed.store.add([HERON])
    typed.solved(solution(PRODUCT, recalled=(HERON.id,)))
    for word in ("/right", "/right", "/wrong 36.5"):
        await typed.type(word)
    (heron,) = await typed.store.get([HERON.id])
    assert (heron.uses, heron.successes) == (1, 1)
    certain = solution(PRODUCT, solve_id="solve2", recalled=(HERON.id,), certificate=VERIFIED)
    await typed.solver.memory.remember(certain, STRATEGIES.load("pal"))
    typed.solved(certain)
    await typed.type("/right")
    (heron,) = await typed.store.get([HERON.id])
    assert (heron.uses, heron.successes) == (2, 2)


async def test_without_a_turn_an_answer_or_a_memory_that_learns_it_is_refused(store: SqliteStore) -> None:
    typed = Typed(store)
    with pytest.raises(UsageError, match="nothing has been solved yet"):
        await typed.type("/right")
    typed.solved(solution(answer=None))
    for word in ("/right", "/wrong"):
        with pytest.raises(UsageError, match="gave no answer"):
            await typed.type(word)
    for mode, words in (("off", "memory is off in this session"), ("read", "memory is only read in this session")):
        other = Typed(store, mode)
        other.solved(solution(PRODUCT))
        for word in ("/right", "/wrong 36"):
            with pytest.raises(UsageError, match=f"{words}; begin one with --memory-mode learn"):
                await other.type(word)
        assert ("memory is off" if mode == "off" else "it is only read") in await other.type("/memory")
    assert await typed.held() == []
