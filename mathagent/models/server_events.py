"""Server-sent events: the pieces of a streamed reply, as the WHATWG's standard parts them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_MARK = b"\xef\xbb\xbf"
"""The byte order mark, which may stand before a stream."""


@dataclass(frozen=True)
class ServerEvent:
    """One event: its data, whose lines are joined, and its name ("" where it has none)."""

    data: str
    name: str = ""


class EventReader:
    """Takes the bytes of one stream in order; ``feed`` returns the events that are whole.

    Comments, ids and waits say nothing here, and an event without data is none: servers send all of them to keep a
    connection open.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._began = self._after_return = False
        self._data: list[str] = []
        self._name = ""

    def feed(self, content: bytes) -> list[ServerEvent]:
        """The events that ``content`` ends. Raises UnicodeDecodeError."""
        if not content:
            return []
        if self._after_return:  # a line ends by \r, \n or both, which may come apart
            content = content.removeprefix(b"\n")
        self._held += content
        if not self._began:
            if len(self._held) < len(_MARK) and _MARK.startswith(bytes(self._held)):
                return []
            self._began = True
            self._held = self._held.removeprefix(_MARK)
        lines = self._held.splitlines(keepends=True)
        self._held = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else bytearray()
        self._after_return = bool(lines) and not self._held and lines[-1].endswith(b"\r")
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n").decode())) is not None]

    def end(self) -> list[ServerEvent]:
        """The event that has only its closing blank line missing; half a line is none."""
        event = self._line("")
        return [] if event is None else [event]

    def _line(self, line: str) -> ServerEvent | None:
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._name = value.removeprefix(" ")
        if line:
            return None
        event = ServerEvent("\n".join(self._data), self._name)
        self._data, self._name = [], ""
        return event if event.data else None
