"""The events of a solve as JSON lines, for programs that watch it."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from mathagent.events import Event, TokenDelta


class EventLines:
    """Writes one line of JSON (UTF-8, whatever the locale) for each event on ``stream``, at once.

    ``pieces``: TokenDelta, too; without them a reply comes in one ModelReplied. Once who reads has gone (a closed
    pipe), ``on_gone`` is called, ``gone`` is true and nothing more is written: a reader may stop when it likes.
    """

    def __init__(self, stream: BinaryIO, *, pieces: bool = False) -> None:
        self._stream, self._pieces = stream, pieces
        self.on_gone: Callable[[], object] = lambda: None
        self.gone = False

    def on_event(self, event: Event) -> None:
        """Writes ``event``."""
        if self.gone or (isinstance(event, TokenDelta) and not self._pieces):
            return
        try:
            self._stream.write(event.model_dump_json().encode() + b"\n")
            self._stream.flush()
        except BrokenPipeError:
            self.gone = True
            self.on_gone()
