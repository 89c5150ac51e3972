"""Conversation: the questions of a session with their solutions, until they are forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mathagent.console.event_log import EventLog
from mathagent.errors import UsageError
from mathagent.types import Solution

if TYPE_CHECKING:
    from mathagent.agents.follow_up import Earlier


@dataclass(frozen=True)
class Turn:
    """One question: as it was typed, its solution (whose problem is the text that was solved), and how it went.

    ``strategy`` is the name by which it was asked for, ``seed`` the one asked for (None: the backend's own), ``hints``
    those given before or meanwhile.
    """

    typed: str
    solution: Solution
    log: EventLog
    strategy: str
    seed: int | None = None
    hints: tuple[str, ...] = ()

    @property
    def is_rewritten(self) -> bool:
        return self.typed.strip() != self.solution.problem.text.strip()


@dataclass
class Conversation:
    """``turns``, the latest last; ``hints`` wait for the next solve."""

    turns: list[Turn] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def last(self) -> Turn:
        """The latest turn. Raises UsageError where there is none."""
        if not self.turns:
            raise UsageError("nothing has been solved yet; type a problem first")
        return self.turns[-1]

    def earlier(self) -> list[Earlier]:
        """What a follow-up question may refer to."""
        from mathagent.agents.follow_up import Earlier

        latest = {one.solution.problem.text: one.solution.answer for one in self.turns}  # of one asked again
        return [Earlier(question=question, answer=answer) for question, answer in latest.items()]

    def forget(self) -> None:
        """Begins anew."""
        self.turns.clear()
        self.hints.clear()
