"""The events of a solve as progress for an MCP client: one short line each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mathagent.events import (
    BudgetReached,
    CandidateProposed,
    CheckFinished,
    CodeFinished,
    CodeStarted,
    Decided,
    Event,
    Judged,
    ModelReplied,
    PlanMade,
    Recalled,
    Remembered,
    Retried,
    Scored,
    SolveStarted,
    ToolFinished,
    ToolStarted,
    Voted,
    Warned,
)

LINE_CHARS = 160
MAX_WAITING = 64
"""Lines kept for a client that reads slowly; of more, the oldest are left out."""

Report = Callable[[float, str], Awaitable[None]]
"""Sends one line of progress with its number (1, 2, …)."""


def progress_line(event: Event) -> str:
    """What ``event`` says to a person who waits; "" where it is of no interest to them. Pure."""
    match event:
        case SolveStarted():
            line = f"{event.strategy} on {event.model}"
        case ModelReplied():
            line = f"{event.role} replied ({event.usage.completion_tokens} tokens{', cached' * event.cached})"
        case PlanMade():
            line = f"plan: {event.text}"
        case Recalled() if event.found:
            line = f"recalled {len(event.found)} experiences"
        case CodeStarted():
            line = "running a program"
        case CodeFinished():
            outcome = event.execution.value or event.execution.error or ""
            line = f"program: {event.execution.status} {outcome}"
        case ToolStarted():
            line = f"calling {event.tool}"
        case ToolFinished():
            line = f"{event.tool}: {'done' if event.ok else 'failed'}"
        case CheckFinished():
            line = f"check {event.check.kind}: {event.check.outcome}"
        case Judged():
            line = f"judged {event.judgement}: {event.reason}"
        case Scored():
            line = f"scored by {event.scorer}: {'unknown' if event.value is None else f'{event.value:.2f}'}"
        case CandidateProposed():
            answer = event.candidate.answer
            line = f"candidate {event.sample + 1}: {'no answer' if answer is None else answer.normal}"
        case Decided():
            line = f"{event.role}: {event.decision} {event.subject}"
        case Voted():
            line = "votes: " + (", ".join(f"{answer} × {votes}" for answer, votes in event.classes[:4]) or "none")
        case BudgetReached():
            line = event.message
        case Retried():
            line = f"trying again in {event.wait_s:.2g} s: {event.error}"
        case Warned():
            line = f"warning: {event.message}"
        case Remembered():
            line = f"remembered {event.new} new experiences"
        case _:
            return ""
    line = " ".join(line.split())
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…"


@asynccontextmanager
async def reporting(report: Report) -> AsyncIterator[Callable[[Event], None]]:
    """Gives a listener for events; what they say goes to ``report`` in order, beside the solve.

    A client that reads slowly, or not at all, does not hold the solve up. Lines that were not sent when the block ends
    are sent then, unless it was cancelled.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def on_event(event: Event) -> None:
        line = progress_line(event)
        if line:
            if lines.qsize() >= MAX_WAITING:
                lines.get_nowait()
            lines.put_nowait(line)

    async def send() -> None:
        number = 0
        while (line := await lines.get()) is not None:
            number += 1
            await report(float(number), line)

    sending = asyncio.ensure_future(send())
    try:
        yield on_event
        lines.put_nowait(None)
        await asyncio.wait({sending})  # a line that could not be sent takes no result away
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
