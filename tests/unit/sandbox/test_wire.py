"""Frames and messages: what goes in comes out, and nothing else is let in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.sandbox import wire
from mathagent.sandbox.base import Layer, Limits
from mathagent.types import Execution

NUMBERS = st.integers(0, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FILES = st.dictionaries(TEXTS, st.binary(max_size=30), max_size=3)
REQUESTS = st.one_of(
    st.builds(
        wire.RunProgram,
        id=NUMBERS,
        code=st.binary(max_size=50),
        limits=st.builds(Limits, timeout_s=st.floats(0.1, 1e6), memory_mb=st.integers(64, 10**6)),
        files=FILES,
        fetch=st.lists(TEXTS, max_size=3).map(tuple),
    ),
    st.builds(wire.RunCell, id=NUMBERS, session=st.integers(-5, 5), code=st.binary(max_size=50), files=FILES),
    st.builds(wire.Cancel, id=NUMBERS),
    st.builds(wire.TakeSnapshot, id=NUMBERS, session=NUMBERS, copy_number=NUMBERS),
)
EXECUTIONS = st.builds(
    Execution, status=st.sampled_from(["ok", "crashed"]), stdout=TEXTS, signal=st.none() | st.just(9), files=FILES
)
REPLIES = st.one_of(
    st.builds(wire.Done, id=NUMBERS, execution=EXECUTIONS),
    st.builds(wire.Failed, id=NUMBERS, message=TEXTS),
    st.just(
        wire.Hello(id=0, protocol=1, label="x/A", layers=(Layer(name="network", active=True, detail="none"),))
    ),
)


def bodies(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bodies that a FrameReader finds in ``data`` when it comes in pieces."""
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    async def collect() -> list[bytes]:
        left = [piece for piece in pieces if piece]

        async def read(n: int) -> bytes:
            return left.pop(0) if left else b""

        reader, found = wire.FrameReader(read), []
        while (body := await reader.next()) is not None:
            found.append(body)
        return found

    return asyncio.run(collect())


@given(st.lists(REQUESTS, max_size=4), st.lists(st.integers(0, 500), max_size=5))
def test_requests_survive_the_way_in_any_pieces(requests: list[wire.Request], cuts: list[int]) -> None:
    data = b"".join(map(wire.frame, requests))
    places = sorted(min(cut, len(data)) for cut in cuts)
    assert [wire.parse_request(body) for body in bodies(data, places)] == requests


@given(REPLIES)
def test_replies_survive_the_way(reply: wire.Reply) -> None:
    assert wire.parse_reply(wire.frame(reply)[4:]) == reply


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"kind": text}).encode()))
def test_other_bytes_are_a_wire_error(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.parse_reply(body)


GOOD: dict[str, Any] = {"kind": "done", "id": 1, "execution": {"status": "ok", "stdout": "x"}}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"},
        {"id": 1.5},
        {"id": -1},
        {"id": 2**53},
        {"id": None},
        {"extra": 1},
        {"execution": None},
        {"execution": {"status": "fine"}},
        {"execution": {"status": "ok", "wall_s": "1"}},
        {"execution": {"status": "ok", "files": {"a": "no base64!"}}},
        {"execution": {"status": "ok", "unknown": 1}},
        {"kind": "pickle"},
    ],
)
def test_replies_are_read_strictly(change: dict[str, Any]) -> None:
    assert wire.parse_reply(json.dumps(GOOD).encode()).id == 1
    with pytest.raises(wire.WireError, match="not of this protocol"):
        wire.parse_reply(json.dumps(GOOD | change).encode())


def test_deep_nesting_is_a_wire_error() -> None:
    with pytest.raises(wire.WireError):
        wire.parse_reply(b'{"kind":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_a_long_frame_is_neither_read_nor_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 100)
    with pytest.raises(wire.WireError, match="at most 100"):
        wire.frame(wire.Failed(id=1, message="x" * 100))
    with pytest.raises(wire.WireError, match="a frame of 101 bytes"):
        bodies((101).to_bytes(4, "big"), [])


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\5abc"])
def test_an_end_inside_a_frame_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(wire.WireError, match="ended inside"):
        bodies(data, [])


def test_lone_surrogates_travel_in_code_and_nowhere_else() -> None:
    code = "x = '\ud800'".encode("utf-8", "surrogatepass")
    sent = wire.RunProgram(id=1, code=code, limits=Limits())
    got = wire.parse_request(wire.frame(sent)[4:])
    assert isinstance(got, wire.RunProgram)
    assert got.code == code
    with pytest.raises(wire.WireError, match="not Unicode"):
        wire.frame(wire.RunProgram(id=1, code=b"", limits=Limits(), fetch=("\ud800",)))
