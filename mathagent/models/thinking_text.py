"""A reply's thinking, told apart from what it says: a leading ``<think>…</think>``, whole or piece by piece. Pure.

Servers without a reasoning parser leave the section in the text. One that the prompt's template has opened (the reply
then begins within it) cannot be told from an answer before its end, and stays in the text.
"""

from __future__ import annotations

OPENING, CLOSING = "<think>", "</think>"


class ThinkingSplitter:
    """Takes the pieces of one reply in order; ``feed`` and ``flush`` return (thinking, text) that is now known.

    The pieces of each kind, joined, are the same however the reply was cut into pieces. Blanks around the section are
    no part of the text.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    @property
    def inside(self) -> bool:
        """Whether the section has begun and not ended."""
        return self._state == "thinking"

    def feed(self, piece: str) -> tuple[str, str]:
        """What ``piece`` makes known; what may yet turn out to be a tag is held back."""
        self._held += piece
        thinking = ""
        if self._state == "start":
            begun = self._held.lstrip()
            if begun.startswith(OPENING):
                self._state, self._held = "thinking", begun[len(OPENING) :]
            elif not OPENING.startswith(begun):
                self._state = "text"
        if self._state == "thinking":
            before, closed, behind = self._held.partition(CLOSING)
            if closed:
                self._state, thinking, self._held = "after", before, behind
            else:
                kept = _tag_begun(before)
                self._held = before[len(before) - kept :]
                return before[: len(before) - kept], ""
        if self._state == "after":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "text"
        if self._state == "text":
            text, self._held = self._held, ""
            return thinking, text
        return thinking, ""

    def flush(self) -> tuple[str, str]:
        """What was held back when the reply ended."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "thinking" else ("", held)


def _tag_begun(text: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of the closing tag."""
    return next((size for size in range(len(CLOSING) - 1, 0, -1) if text.endswith(CLOSING[:size])), 0)
