"""Asking: what every test of a probe asks the model through, and what it says it found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from mathagent.budget import Meter
from mathagent.events import Event
from mathagent.models.base import Backend, Capabilities, ChatRequest, OnDelta
from mathagent.models.capability_record import FindingState
from mathagent.models.known_capabilities import assume
from mathagent.models.wrappers import Limited, Metered, Retrying
from mathagent.prompts import render
from mathagent.sandbox.base import Sandbox
from mathagent.types import Completion, Message, SamplingParams, Value

EVERYTHING = Capabilities(**dict.fromkeys(Capabilities.model_fields, True))
ATTEMPTS = 3
"""Tries of one request: a passing failure must not look like something that the model cannot do."""
AT_ONCE = 4


class ProbeLimits(Value):
    """The bounds of a probe: completion tokens of one reply, seconds (wall clock) of one test, and the prompt tokens up
    to which the context is tried."""

    reply_tokens: int = 256
    test_seconds: float = 180.0
    context_tokens: int = 4096


class Outcome(Value):
    """What a test found; ``can``: the capabilities that it decides, by their field's name."""

    state: FindingState
    detail: str
    numbers: dict[str, float] = Field(default_factory=dict)
    can: dict[str, bool] = Field(default_factory=dict)


def yes(detail: str, *capabilities: str, **numbers: float) -> Outcome:
    """It can."""
    return Outcome(state="yes", detail=detail, numbers=numbers, can=dict.fromkeys(capabilities, True))


def no(detail: str, *capabilities: str, **numbers: float) -> Outcome:
    """It cannot."""
    return Outcome(state="no", detail=detail, numbers=numbers, can=dict.fromkeys(capabilities, False))


def skipped(detail: str) -> Outcome:
    """There is nothing to see here."""
    return Outcome(state="skipped", detail=detail)


@dataclass
class Asking:
    """One model under test. ``raw`` is its backend, which is asked through tries, a limit and a meter; ``found`` is
    what earlier tests decided. A test that a deadline may end leaves in ``so_far`` what it has until then."""

    raw: Backend
    sandbox: Sandbox
    limits: ProbeLimits
    emit: Callable[[Event], None]
    meter: Meter = field(default_factory=Meter)
    found: dict[str, bool] = field(default_factory=dict)
    so_far: Outcome | None = None

    def __post_init__(self) -> None:
        self._thought = self.raw.capabilities
        self.backend: Backend = Retrying(
            Limited(Metered(self.raw, self.meter), asyncio.Semaphore(AT_ONCE)), self.emit, attempts=ATTEMPTS
        )

    def open_everything(self) -> bool:
        """Lets the backend send whatever it is asked for, also what it thinks the model cannot do; False where it does
        not."""
        return assume(self.raw, EVERYTHING)

    def as_found(self) -> None:
        """Lets the backend take itself for what is known by now."""
        assume(self.raw, self._thought.model_copy(update=self.found))

    async def replies(
        self,
        messages: tuple[Message, ...],
        *,
        max_tokens: int | None = None,
        on_delta: OnDelta | None = None,
        sampling: dict[str, Any] | None = None,
        **fields: Any,
    ) -> list[Completion]:
        """The samples of one request, greedy unless ``sampling`` says otherwise."""
        params = SamplingParams(max_tokens=max_tokens or self.limits.reply_tokens, **(sampling or {}))
        request = ChatRequest(messages=messages, params=params, role="probe", **fields)
        return await self.backend.complete(request, on_delta)

    async def reply(self, prompt: str, slots: dict[str, Any] | None = None, **options: Any) -> Completion:
        """One reply to the prompt file ``probe/<prompt>``; ``options`` as of ``replies``."""
        return (await self.replies(render(f"probe/{prompt}", **(slots or {})), **options))[0]


def shown(text: str, most: int = 60) -> str:
    """The beginning of a reply, in one line, for a finding."""
    line = " ".join(text.split())
    return f"“{line[:most]}…”" if len(line) > most else f"“{line}”"
