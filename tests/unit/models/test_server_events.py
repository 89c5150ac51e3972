"""Events of a stream, however its bytes are cut, and whatever else servers send to keep a connection open."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.models.server_events import EventReader, ServerEvent

STREAM = (
    b"\xef\xbb\xbfretry: 3000\n\n: still there\n\nevent: ping\n\ndata:\n\nid: 7\n\n"
    b"data: one\n\ndata:two\ndata:  lines\n\nevent: error\ndata: \xc3\xa9\n\ndata\n\nnonsense\n\ndata: last\n"
)
EVENTS = [ServerEvent("one"), ServerEvent("two\n lines"), ServerEvent("é", "error")]


def read(pieces: list[bytes]) -> list[ServerEvent]:
    reader = EventReader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + reader.end()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@given(cuts=st.lists(st.integers(0, len(STREAM) + 40), max_size=12))
def test_events_are_the_same_however_the_stream_is_cut(end: bytes, cuts: list[int]) -> None:
    stream = STREAM.replace(b"\n", end)
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[begin:stop] for begin, stop in pairwise(places)]
    assert read(pieces) == [*EVENTS, ServerEvent("last")]


def test_half_a_line_at_the_end_is_no_event() -> None:
    assert read([b"data: one\n\ndata: tw"]) == [ServerEvent("one")]


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        read([b"data: \xff\n\n"])
