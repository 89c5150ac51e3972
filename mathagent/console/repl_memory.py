"""``/memory``, ``/right`` and ``/wrong``: what is remembered, and a person's word on the last answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mathagent.answers.compare import AnswerComparer
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.conversation import Conversation, Turn
from mathagent.console.memory_lines import added_words, recollection_words, remembered_words, shown_to_model
from mathagent.console.memory_view import SEARCHED, show_hits, show_statistics
from mathagent.console.page import Page
from mathagent.console.repl_commands import Command
from mathagent.console.solution_view import counted
from mathagent.errors import UsageError
from mathagent.events import Remembered
from mathagent.memory.base import ExperienceStore, Query
from mathagent.memory.distil import certified
from mathagent.memory.experience import Experience, Provenance
from mathagent.memory.failure_lessons import key_text
from mathagent.memory.merging import is_same_thing
from mathagent.strategies import STRATEGIES
from mathagent.types import Candidate, Solution

if TYPE_CHECKING:
    from mathagent.agents.solver_memory import SolverMemory
    from mathagent.agents.strategy import Strategy

LOOKED_AT = 20
"""Experiences nearest to the problem among which the same thing from elsewhere is looked for."""


class Remembering(Protocol):
    """What the commands need of a Solver."""

    memory: SolverMemory
    comparer: AnswerComparer


class MemoryCommands:
    """``solver`` gives the open solver; ``place`` is the file of its memory (None: the user's own)."""

    def __init__(
        self,
        page: Page,
        conversation: Conversation,
        solver: Callable[[], Awaitable[Remembering]],
        place: Path | None = None,
    ) -> None:
        self._page, self._conversation, self._solver = page, conversation, solver
        self._place = place
        self._told: dict[str, str] = {}  # solve id → what the person has said of it
        self._judged: set[str] = set()  # solves whose use of memory is counted

    async def memory(self, command: Command) -> None:
        """Searches for what stands behind it; alone: the memory in numbers, and its part in the last solve."""
        memory = (await self._solver()).memory
        if memory.store is None:
            self._page.line(_OFF)
        elif command.text:
            show_hits(self._page.console, await memory.store.search(Query(text=command.text, kinds=SEARCHED)))
        else:
            place = str(self._place or settings().memory_path)
            show_statistics(self._page.console, await memory.store.statistics(), place)
            if memory.mode == "read":
                self._page.field("mode", "it is only read in this session")
            if self._conversation.turns:
                self._last_solve(self._conversation.last)

    async def right(self, command: Command) -> None:
        """The last answer is right, says the person."""
        await self._said(await self._writing(), self._answered(), right=True)

    async def wrong(self, command: Command) -> None:
        """The last answer is wrong, says the person; what stands behind it is the right one."""
        turn, solver = self._answered(), await self._writing()
        solution = turn.solution
        if command.text and (await solver.comparer.equal(command.text, solution.answer)).verdict == "equal":
            raise UsageError("that is the answer it gave; /right confirms it")
        await self._said(solver, turn, right=False)
        if not command.text:
            return
        giving = await _giving(solver.comparer, solution.candidates, command.text)
        if giving is None:
            self._page.line("no candidate came to that: it is not remembered how to get there", style="dim")
            return
        # How the strategy fared, and what was shown to it, is told by the wrong answer that it chose.
        corrected = solution.model_copy(update={"answer": giving, "winner": None, "trials": (), "recalled": ()})
        strategy = _without_statistics(STRATEGIES.load(turn.strategy))
        added = await solver.memory.remember(corrected, strategy, right=True, person=True)
        words = added_words(added.new, added.merged)
        self._tell(solution, f"remembered that {self._shown(giving)} is right: {words}")

    async def _said(self, solver: Remembering, turn: Turn, *, right: bool) -> None:
        """Writes the person's word on ``turn``'s answer, in the place of what spoke against it."""
        memory, solution = solver.memory, turn.solution
        assert memory.store is not None
        strategy: Strategy = STRATEGIES.load(turn.strategy)
        gone = await _retract(memory.store, solution, strategy, right=right)
        if gone:
            self._page.line(f"forgotten: {counted(gone, 'experience')} that said otherwise")
        # The use of what was shown counts once: a solve with a certificate has counted it already.
        is_counted = solution.solve_id in self._judged or certified(solution)
        told = solution.model_copy(update={"recalled": ()}) if is_counted else solution
        added = await memory.remember(told, strategy, right=right, person=True)
        self._judged.add(solution.solve_id)
        verb = "right" if right else "wrong"
        words = added_words(added.new, added.merged)
        self._tell(solution, f"remembered that {self._shown(solution.answer)} is {verb}: {words}")

    def _tell(self, solution: Solution, words: str) -> None:
        self._told[solution.solve_id] = words
        self._page.line(words)

    def _shown(self, answer: str | None) -> str:
        return one_line(self._page.math(answer or ""), 60)

    def _answered(self) -> Turn:
        turn = self._conversation.last
        if turn.solution.answer is None:
            raise UsageError("the last solve gave no answer that could be right or wrong")
        return turn

    async def _writing(self) -> Remembering:
        """The solver, whose memory learns. Raises UsageError where it does not."""
        solver = await self._solver()
        if solver.memory.mode == "off":
            raise UsageError(_OFF)
        if solver.memory.mode == "read":
            raise UsageError("memory is only read in this session; begin one with --memory-mode learn")
        return solver

    def _last_solve(self, turn: Turn) -> None:
        """What memory had to do with the last solve."""
        events = [timed.event for timed in turn.log.events]
        shown = [recollection_words(one, self._page) for one in shown_to_model(events)]
        learned = [remembered_words(event) for event in events if isinstance(event, Remembered)]
        told = self._told.get(turn.solution.solve_id)
        self._fields("shown", shown or ["nothing in the last solve"])
        self._fields("learned", [*learned, *([told] if told else [])] or ["nothing in the last solve; see /right"])

    def _fields(self, label: str, values: Sequence[str]) -> None:
        for place, value in enumerate(values):
            self._page.field(label if place == 0 or not self._page.styled else "", value)


_OFF = "memory is off in this session; begin one with --memory-mode learn"


async def _retract(store: ExperienceStore, solution: Solution, strategy: Strategy, *, right: bool) -> int:
    """Forgets what this solve has taught if its answer were the opposite; returns how much that was.

    The same from elsewhere goes, too, and what a person said earlier; not what a reference stands behind.
    """
    from mathagent.agents.blocks.learn import learned

    origin = Provenance(run=solution.solve_id, created=1.0)

    def taught(said: bool | None) -> list[Experience]:
        return learned(solution, strategy, right=said, person=said is not None, provenance=origin)

    now = {one.id for one in taught(right)}
    opposite = [*taught(not right), *([] if right else taught(None))]
    query = Query(text=key_text(solution.problem), kinds=("exemplar", "lesson"), limit=LOOKED_AT, diversity=0)
    near = [hit.experience for hit in await store.search(query)]
    there = [*await store.get([one.id for one in opposite]), *near]
    gone = {
        one.id
        for one in there
        if one.id not in now
        and any(is_same_thing(one, other) for other in opposite)
        and (one.provenance.run == solution.solve_id or one.trust != "graded")
    }
    return await store.forget(list(gone)) if gone else 0


def _without_statistics(strategy: Strategy) -> Strategy:
    """``strategy``, which leaves to the memory all that it does but how it fared."""

    def learn(solution: Solution, found: Sequence[Experience]) -> list[Experience]:
        kept = strategy.learn(solution, found) if strategy.learn is not None else found
        return [one for one in kept if one.kind != "statistics"]

    return replace(strategy, learn=learn)


async def _giving(comparer: AnswerComparer, candidates: Sequence[Candidate], answer: str) -> str | None:
    """``answer`` as a candidate put it; None where none did."""
    for one in candidates:
        if one.answer is not None and (await comparer.equal(answer, one.answer)).verdict == "equal":
            return one.answer.normal
    return None
