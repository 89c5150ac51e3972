"""SolverMemory: the experience store beside a solver: read by its solves, written once after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from mathagent.agents.blocks.learn import learned
from mathagent.agents.context import Memory
from mathagent.agents.problem_text import problem_text
from mathagent.agents.strategy import Strategy
from mathagent.errors import StorageError, UsageError
from mathagent.events import Event, Remembered, Warned
from mathagent.memory.base import Added, ExperienceStore
from mathagent.memory.distil import certified
from mathagent.memory.experience import Lesson, Provenance
from mathagent.memory.opening import open_store
from mathagent.types import Problem, Solution

MemoryMode = Literal["off", "read", "learn"]
MEMORY_MODES: tuple[MemoryMode, ...] = ("off", "read", "learn")


def memory_mode(name: str) -> MemoryMode:
    """``name`` as a mode. Raises UsageError."""
    for mode in MEMORY_MODES:
        if name == mode:
            return mode
    raise UsageError(f"memory mode '{name}' is none of {', '.join(MEMORY_MODES)}")


class SolverMemory:
    """``mode`` "off": nothing is opened; "read": solves see the store; "learn": what they find out is written, too.

    ``memory`` is a store, which its owner closes, or the file of one (None: the user's own), opened when first used.
    Raises UsageError where a memory is given that the mode does not use.
    """

    def __init__(self, memory: ExperienceStore | Path | None, mode: MemoryMode) -> None:
        self.mode = memory_mode(mode)
        if mode == "off" and memory is not None:
            raise UsageError("a memory is given, and memory_mode is 'off'; say 'read' or 'learn', or leave it out")
        self.store: ExperienceStore | None = None
        self._owned = memory is None or isinstance(memory, Path)
        self.path = str(memory.expanduser().resolve()) if isinstance(memory, Path) else ""
        if not (memory is None or isinstance(memory, Path)):
            self.store = memory
        elif mode != "off":
            self.store = open_store(memory, read_only=mode == "read")

    def of_solve(self, problem: Problem, *, measured: bool) -> Memory | None:
        """What one solve may read. ``measured``: nothing that would give the answer to ``problem`` away."""
        if self.store is None or self.mode == "off":
            return None
        return Memory(self.store, guard=problem_text(problem) if measured else None)

    async def remember(
        self,
        solution: Solution,
        strategy: Strategy,
        *,
        right: bool | None = None,
        person: bool = False,
        dataset: str = "",
        item: str = "",
        subject: str = "",
        lessons: Sequence[Lesson] = (),
    ) -> Added:
        """Writes what ``solution`` teaches, in one transaction. Raises StorageError; UsageError unless mode "learn".

        ``right`` is what a reference (``person``: a person) says of the answer; None: nobody said. ``lessons`` are
        what a model wrote on it.
        """
        if self.store is None or self.mode != "learn":
            raise UsageError("this memory is not to be written; open it in the mode 'learn'")
        provenance = Provenance(
            run=solution.solve_id,
            model=solution.model,
            strategy=solution.strategy,
            dataset=dataset,
            item=item,
            created=time.time(),
        )
        found = learned(solution, strategy, right=right, person=person, provenance=provenance, lessons=lessons)
        experiences = [one.model_copy(update={"subject": one.subject or subject}) for one in found]
        success = right if right is not None else (True if certified(solution) else None)
        if not experiences and (success is None or not solution.recalled):
            return Added()
        return await self.store.add(experiences, used=solution.recalled, success=success)

    async def remember_solve(
        self, solution: Solution, strategy: Strategy, emit: Callable[[Event], None], *, resumed: bool
    ) -> None:
        """Writes what a finished solve teaches, where this memory learns. A store that fails is a warning: the answer
        is there.

        ``resumed``: an earlier process may have written it, and been killed before it let go of the solve.
        """
        if self.store is None or self.mode != "learn":
            return
        try:
            if resumed and await _remembers(self.store, solution.solve_id):
                return
            added = await self.remember(solution, strategy)
        except StorageError as error:
            emit(Warned(message=f"this solve is not remembered: {error}"))
            return
        if added.new or added.merged:
            emit(Remembered(new=added.new, merged=added.merged))

    async def aclose(self) -> None:
        """Closes the store, unless its owner does."""
        if self.store is not None and self._owned:
            await self.store.aclose()


async def _remembers(store: ExperienceStore, solve_id: str) -> bool:
    """Whether ``store`` knows how this solve ended: who learns that notes it, and counts uses, in one transaction.

    Where nobody knows how it ended, writing it a second time changes nothing.
    """
    async for one in store.scan(("statistics",)):
        if one.provenance.run == solve_id:
            return True
    return False
