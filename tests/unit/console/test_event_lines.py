from __future__ import annotations

import io
import os
from pathlib import Path
from typing import get_args

from mathagent.console.event_lines import EventLines
from mathagent.console.event_log import EventLog
from mathagent.events import (
    Event,
    Recalled,
    Recollection,
    Remembered,
    SolveStarted,
    TokenDelta,
    Warned,
    event_adapter,
)

EVENTS: list[Event] = [
    SolveStarted(problem_id="p", strategy="pal", model="script:x"),
    TokenDelta(role="coder", sample=0, text="π\n"),
    Warned(message="π\nis not 3"),
    Recalled(found=(Recollection(id="a", experience="fact", title="π", source="x.md:1", score=0.5),), tokens=7),
    Remembered(new=2, merged=1),
]


def written(*, pieces: bool) -> list[bytes]:
    stream = io.BytesIO()
    lines = EventLines(stream, pieces=pieces)
    for event in EVENTS:
        lines.on_event(event)
    return stream.getvalue().splitlines()


def test_a_line_for_each_event_reads_back() -> None:
    assert [event_adapter.validate_json(line) for line in written(pieces=True)] == EVENTS
    assert [event_adapter.validate_json(line) for line in written(pieces=False)] == [EVENTS[0], *EVENTS[2:]]


def test_every_line_leaves_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=1 << 16) as stream, os.fdopen(reading, "rb", buffering=0) as other:
        EventLines(stream).on_event(EVENTS[0])
        assert other.read(1 << 16).endswith(b"}\n")


def test_a_reader_may_go() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "wb", buffering=0)
    os.close(reading)
    gone: list[bool] = []
    lines = EventLines(stream)
    lines.on_gone = lambda: gone.append(True)
    for event in EVENTS:
        lines.on_event(event)
    assert lines.gone
    assert gone == [True]
    stream.close()


def test_the_log_keeps_what_is_not_a_piece_in_order_of_time() -> None:
    log = EventLog()
    for event in EVENTS:
        log.on_event(event)
    assert [timed.event for timed in log.events] == [EVENTS[0], *EVENTS[2:]]
    assert 0 <= log.events[0].at_s <= log.events[1].at_s < 10


def test_every_kind_of_event_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
    kinds = [kind.model_fields["kind"].default for kind in get_args(get_args(Event)[0])]
    assert len(kinds) > 10
    for kind in kinds:
        assert f"`{kind}`" in page
