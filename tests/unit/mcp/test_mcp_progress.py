"""Events as lines of progress: one line each, and a slow client holds nothing up."""

from __future__ import annotations

import asyncio

from mathagent.events import (
    CodeFinished,
    Judged,
    ModelReplied,
    Recalled,
    SolveStarted,
    TokenDelta,
    ToolFinished,
    Voted,
    Warned,
)
from mathagent.mcp.progress import LINE_CHARS, MAX_WAITING, progress_line, reporting
from mathagent.types import Execution, Usage


def test_a_line_says_what_happened() -> None:
    assert progress_line(SolveStarted(problem_id="", strategy="pal", model="m")) == "pal on m"
    replied = ModelReplied(role="coder", sample=0, text="", usage=Usage(completion_tokens=6), cached=True)
    assert progress_line(replied) == "coder replied (6 tokens, cached)"
    done = CodeFinished(sample=0, execution=Execution(status="ok", value="42"))
    assert progress_line(done) == "program: ok 42"
    assert (
        progress_line(Voted(classes=(("1", 2), ("2", 1)), samples=3, stop=False, reason=""))
        == "votes: 1 × 2, 2 × 1"
    )
    assert progress_line(ToolFinished(tool="toy.add", ok=False, text="secret text")) == "toy.add: failed"


def test_what_is_of_no_interest_has_no_line() -> None:
    assert progress_line(TokenDelta(role="x", sample=0, text="y")) == ""
    assert progress_line(Recalled()) == ""


def test_a_line_is_one_short_line() -> None:
    line = progress_line(Judged(sample=0, judgement="unsure", reason="a\nb" * 1000))
    assert "\n" not in line
    assert len(line) == LINE_CHARS


async def test_lines_come_in_order_with_rising_numbers() -> None:
    told: list[tuple[float, str]] = []

    async def report(number: float, line: str) -> None:
        told.append((number, line))

    async with reporting(report) as on_event:
        for number in range(3):
            on_event(Warned(message=str(number)))
    assert told == [(1.0, "warning: 0"), (2.0, "warning: 1"), (3.0, "warning: 2")]


async def test_a_client_that_does_not_read_holds_nothing_up() -> None:
    reads = asyncio.Event()
    told: list[str] = []

    async def report(number: float, line: str) -> None:
        await reads.wait()
        told.append(line)

    async with reporting(report) as on_event:
        await asyncio.sleep(0)
        for number in range(MAX_WAITING + 10):
            on_event(Warned(message=str(number)))
        reads.set()
    assert len(told) <= MAX_WAITING + 1
    assert told[-1] == f"warning: {MAX_WAITING + 9}"


async def test_a_line_that_cannot_be_sent_takes_no_result_away() -> None:
    told: list[str] = []

    async def report(number: float, line: str) -> None:
        told.append(line)
        raise ConnectionError("the client's stream is closed")

    async with reporting(report) as on_event:
        for number in range(3):
            on_event(Warned(message=str(number)))
    assert told == ["warning: 0"]
