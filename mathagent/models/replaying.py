"""A backend that is never asked: for replays, whose completions must all come from the cache in front of it."""

from __future__ import annotations

from contextvars import ContextVar

from mathagent.errors import LimitReached, MathagentError
from mathagent.models.base import ChatRequest, OnDelta
from mathagent.models.cache import sample_keys
from mathagent.models.wrapper import Wrapper
from mathagent.types import Completion


class MissingCompletion(MathagentError):
    """A completion that a replay needs is not in the cache. ``key`` is the one that it would stand under."""

    def __init__(self, request: ChatRequest, key: str) -> None:
        self.role, self.sample, self.key = request.role, request.first_sample, key
        asked = " ".join(request.messages[-1].content.split()) if request.messages else ""
        shown = asked if len(asked) <= 60 else f"{asked[:59]}…"
        super().__init__(f"sample {self.sample} of role '{self.role}' is not in the cache: “{shown}”")


class ReplayedSolve:
    """What a replay knows of one solve: the limit that ended it, where that was the clock's (``deadline``), and which
    completions were ``missing``."""

    def __init__(self, deadline: LimitReached | None = None) -> None:
        self.deadline = deadline
        self.missing: list[MissingCompletion] = []


replayed_solve: ContextVar[ReplayedSolve | None] = ContextVar("replayed_solve", default=None)
"""The solve that the current task replays."""


class NeverAsked(Wrapper):
    """Stands where ``inner`` stood, with its name, identity and capabilities, and answers nothing.

    Raises MissingCompletion, and notes it in ``replayed_solve``, whatever the asking strategy makes of the error.
    A solve that its budget of seconds ended had requests in flight that never came back: there it raises the
    LimitReached of that deadline.
    """

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete; nothing is ever returned."""
        solve = replayed_solve.get()
        if solve is not None and solve.deadline is not None:
            raise solve.deadline
        error = MissingCompletion(request, sample_keys(self.identity, request)[0])
        if solve is not None:
            solve.missing.append(error)
        raise error
