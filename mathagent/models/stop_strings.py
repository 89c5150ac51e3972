"""Stop strings, looked for in a text that comes piece by piece: nothing is told from one on. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Takes the pieces of one text in order; ``feed`` and ``flush`` return what is text for good.

    What may yet turn out to be the beginning of a stop string is held back. The returned texts, joined, are the same
    however the text was cut into pieces.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = [one for one in stop if one]
        self._held = ""
        self.stopped = False

    def feed(self, piece: str) -> str:
        """The text that ``piece`` makes known; from a stop string on (``stopped``) there is none."""
        if self.stopped:
            return ""
        held = self._held + piece
        places = [place for one in self._stop if (place := held.find(one)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return held[: min(places)]
        kept = max((_begun(held, one) for one in self._stop), default=0)
        self._held = held[len(held) - kept :]
        return held[: len(held) - kept]

    def flush(self) -> str:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        return held


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``stop``."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if stop.startswith(text[-size:])), 0)
