"""One sample in the making: its tokens, its text as far as it is known, and whether it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mathagent.models.stop_strings import StopStrings
from mathagent.models.thinking_text import CLOSING, OPENING, ThinkingSplitter

Ended = Literal["stop", "length"]


class ReplyText:
    """Turns tokens into text as they come: whole characters only, nothing from a stop string on, thinking apart.

    ``before`` are the last tokens of the prompt, where the reply goes on with a turn (else some tokenizers leave out
    its first blank). ``opened``: the prompt has begun the thinking section.
    """

    def __init__(
        self, tokenizer: Any, stop: Sequence[str] = (), *, before: Sequence[int] = (), opened: bool = False
    ) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self._stream = self._new_stream(before)
        self._undecoded: list[int] = []
        self._stops = StopStrings(stop)
        self._splitter = ThinkingSplitter()
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._told = 0
        self.thinking = opened
        if opened:
            self._splitter.feed(OPENING)

    def add(self, token: int) -> None:
        """Takes in the next token; ``stopped`` says whether a stop string is complete."""
        self._undecoded.append(token)
        try:
            piece = self._stream.step(self._tokenizer, token)
        except Exception:  # noqa: BLE001 - tokenizers raises no other where the bytes of a model are no text
            piece = self._tokenizer.decode(self._undecoded, skip_special_tokens=True)
            self._stream = self._new_stream()
        if piece is not None:
            self._undecoded.clear()
            self._split(self._stops.feed(piece))

    def end(self) -> None:
        """No token follows: what was held back is text, also half a character."""
        if self._undecoded:
            self._split(self._stops.feed(self._tokenizer.decode(self._undecoded, skip_special_tokens=True)))
        self._split(self._stops.flush())
        thought, text = self._splitter.flush()
        self._thoughts.append(thought)
        self._texts.append(text)

    @property
    def stopped(self) -> bool:
        """Whether a stop string is complete."""
        return self._stops.stopped

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._thoughts).strip()

    def news(self) -> str:
        """The text that is new since the last call."""
        new = "".join(self._texts[self._told :])
        self._told = len(self._texts)
        return new

    def _new_stream(self, before: Sequence[int] = ()) -> Any:
        from tokenizers.decoders import DecodeStream

        return DecodeStream(ids=list(before), skip_special_tokens=True)

    def _split(self, text: str) -> None:
        if not text:
            return
        thought, said = self._splitter.feed(text)
        if thought:
            self._thoughts.append(thought)
        if said:
            self._texts.append(said)
        if not self._texts:
            self.thinking = self._splitter.inside
        else:
            self.thinking = False


def closing_ids(tokenizer: Any) -> list[int]:
    """The tokens that end a thinking section."""
    return list(tokenizer(f"\n{CLOSING}\n\n", add_special_tokens=False)["input_ids"])
