"""What a sandbox server and its client say to each other: messages, and the frames they travel in.

A frame is a 4-byte big-endian length and that many bytes of JSON: one message. The client asks with numbered requests,
many at a time; the server says hello once, and to each request first "started" (when its turn has come: the client's
clock starts then) and at last one of "done", "agreed" or "failed". Both sides read strictly: a message of any other
shape, and a frame longer than ``MAX_FRAME_BYTES``, is a ``WireError``. No I/O here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from mathagent.sandbox.base import Layer, Limits
from mathagent.types import Execution, Value

T = TypeVar("T")

PROTOCOL = 1
"""Both sides must say the same number; raise it with every change of the messages."""
MAX_FRAME_BYTES = 128 * 2**20
"""Above the default 64 MB of files in base64. It bounds what one stranger's frame takes of our memory."""

_LENGTH_BYTES = 4
_CHUNK_BYTES = 2**18


class WireError(ValueError):
    """Bytes that are no frame or no message, or a message that fits no frame. The other side cannot be talked to."""


class Wired(Value):
    """Base of all messages; ``id`` is the request that it makes or answers. Bytes travel as base64."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    id: int = Field(ge=0, lt=2**53)


class RunProgram(Wired):
    """Run a fresh program. ``code`` is UTF-8, lone surrogates passed on."""

    kind: Literal["run"] = "run"
    code: bytes
    limits: Limits
    files: dict[str, bytes] = Field(default_factory=dict)
    fetch: tuple[str, ...] = ()


class OpenSession(Wired):
    """Open a session, from now on known by the number ``session``."""

    kind: Literal["open"] = "open"
    session: int
    limits: Limits
    files: dict[str, bytes] = Field(default_factory=dict)


class RunCell(Wired):
    """Run one cell of a session."""

    kind: Literal["cell"] = "cell"
    session: int
    code: bytes
    files: dict[str, bytes] = Field(default_factory=dict)
    fetch: tuple[str, ...] = ()


class TakeSnapshot(Wired):
    """Open the session ``copy_number`` from the present state of ``session``."""

    kind: Literal["snapshot"] = "snapshot"
    session: int
    copy_number: int


class CloseSession(Wired):
    """End a session; a number that is not known is fine."""

    kind: Literal["close"] = "close"
    session: int


class Cancel(Wired):
    """Stop the work on request ``id``; its answer ("failed") comes when the work has ended."""

    kind: Literal["cancel"] = "cancel"


class Hello(Wired):
    """The server's first message: what it speaks and what holds there. Its ``id`` is 0."""

    kind: Literal["hello"] = "hello"
    protocol: int
    label: str = Field(max_length=100)
    layers: tuple[Layer, ...] = Field(max_length=64)


class Started(Wired):
    """The turn of the request has come."""

    kind: Literal["started"] = "started"


class Done(Wired):
    """A program or cell has ended."""

    kind: Literal["done"] = "done"
    execution: Execution


class Agreed(Wired):
    """What was asked has been done; nothing else is to be said."""

    kind: Literal["agreed"] = "agreed"


class Failed(Wired):
    """The server could not do it, or was told to stop; never what a program did."""

    kind: Literal["failed"] = "failed"
    message: str


Request = RunProgram | OpenSession | RunCell | TakeSnapshot | CloseSession | Cancel
Reply = Hello | Started | Done | Agreed | Failed

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])
_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def frame(message: Wired) -> bytes:
    """The bytes that carry ``message``. Raises WireError where it is too long or holds text that is not Unicode."""
    try:
        body = message.model_dump_json().encode()
    except (PydanticSerializationError, UnicodeEncodeError) as error:  # a lone surrogate
        raise WireError(f"it holds text that is not Unicode ({error})") from error
    if len(body) > MAX_FRAME_BYTES:
        raise WireError(f"it takes {len(body):,} bytes; at most {MAX_FRAME_BYTES:,} can be sent")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def parse_request(body: bytes) -> Request:
    """The request in a frame's ``body``. Raises WireError."""
    return _parse(_REQUEST, body)


def parse_reply(body: bytes) -> Reply:
    """The reply in a frame's ``body``. Raises WireError."""
    return _parse(_REPLY, body)


def _parse(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body, strict=True)
    except (ValidationError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "nested too deep"
        raise WireError(f"a message that is not of this protocol ({reason})") from error


class FrameReader:
    """Cuts a byte stream into the bodies of frames.

    ``read(n)`` returns 1 to n bytes, or none at the end of the stream.
    """

    def __init__(self, read: Callable[[int], Awaitable[bytes]]) -> None:
        self._read = read
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """The next body; None where the stream ends between frames. Raises WireError where it ends inside one."""
        if not await self._fill(_LENGTH_BYTES):
            return None
        length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if length > MAX_FRAME_BYTES:
            raise WireError(f"a frame of {length:,} bytes; at most {MAX_FRAME_BYTES:,} are allowed")
        end = _LENGTH_BYTES + length
        await self._fill(end)
        body = bytes(self._buffer[_LENGTH_BYTES:end])
        del self._buffer[:end]
        return body

    async def _fill(self, wanted: int) -> bool:
        """Reads until ``wanted`` bytes are there; False where the stream has ended and nothing is left of it."""
        while len(self._buffer) < wanted:
            data = await self._read(_CHUNK_BYTES)
            if not data and not self._buffer:
                return False
            if not data:
                raise WireError("the stream ended inside a frame")
            self._buffer += data
        return True
