"""What waits for a slow reader."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.events import Event, ModelReplied, TokenDelta, Voted
from mathagent.server.event_buffer import EventBuffer
from mathagent.types import Usage
from tests.unit.server.served import until


def piece(text: str, sample: int = 0) -> TokenDelta:
    return TokenDelta(role="solver", sample=sample, text=text)


def reply(sample: int = 0) -> ModelReplied:
    return ModelReplied(role="solver", sample=sample, text="", usage=Usage(), cached=False)


def vote(number: int) -> Voted:
    return Voted(classes=((str(number), 1),), samples=number, stop=False, reason="")


async def read(buffer: EventBuffer) -> list[Event]:
    return [event async for event in buffer]


async def test_a_reader_who_keeps_up_gets_each_piece() -> None:
    buffer, got = EventBuffer(), list[Event]()

    async def reading() -> None:
        async for event in buffer:
            got.append(event)

    task = asyncio.ensure_future(reading())
    for text in "abc":
        buffer.put(piece(text))
        await until(lambda: not len(buffer))
    buffer.end()
    await task
    assert got == [piece("a"), piece("b"), piece("c")]


async def test_pieces_that_wait_are_joined_and_nothing_is_lost() -> None:
    buffer = EventBuffer()
    for event in (piece("a"), piece("x", 1), piece("b"), vote(1), piece("c"), reply(), piece("d"), piece("y", 1)):
        buffer.put(event)
    assert len(buffer) == 5
    buffer.end()
    assert await read(buffer) == [piece("abc"), piece("xy", 1), vote(1), reply(), piece("d")]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("piece"), st.integers(0, 2)),
            st.tuples(st.just("reply"), st.integers(0, 2)),
            st.tuples(st.just("vote"), st.integers(0, 2)),
        ),
        max_size=60,
    )
)
async def test_the_text_of_every_reply_arrives_whole_and_in_order(script: list[tuple[str, int]]) -> None:
    buffer = EventBuffer()
    sent: dict[int, str] = {}
    for number, (kind, sample) in enumerate(script):
        if kind == "piece":
            sent[sample] = sent.get(sample, "") + f"{number} "
            buffer.put(piece(f"{number} ", sample))
        elif kind == "reply":
            sent[sample] = sent.get(sample, "") + "| "
            buffer.put(reply(sample))
        else:
            buffer.put(vote(number))
    votes = [number for number, (kind, _) in enumerate(script) if kind == "vote"]
    most = len(script)
    assert len(buffer) <= most
    buffer.end()
    got: dict[int, str] = {}
    events = await read(buffer)
    for event in events:
        if isinstance(event, TokenDelta):
            got[event.sample] = got.get(event.sample, "") + event.text
        elif isinstance(event, ModelReplied):
            got[event.sample] = got.get(event.sample, "") + "| "
    assert got == sent
    assert [event.samples for event in events if isinstance(event, Voted)] == votes
