"""A problem's sentences, and which of them is the question. Pure."""

from __future__ import annotations

import re

from mathagent.types import Value

_END = re.compile(
    r"(?<!\bMr\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bProf\.)(?<!\ba\.m\.)(?<!\bp\.m\.)(?<!\bvs\.)"
    r"(?<=[.!?])[\"')]*\s+(?=[\"'(]?[A-Z0-9$€£])"
)


class Parts(Value):
    """The sentences before the question (their order and spaces as they were), and the question."""

    before: tuple[str, ...]
    question: str

    @property
    def text(self) -> str:
        """All of it, with one space between sentences."""
        return " ".join((*self.before, self.question))


def parts_of(text: str) -> Parts:
    """Splits ``text``; the question is its last sentence that ends with "?", with all that follows, else the last."""
    sentences = split_sentences(text)
    asked = [place for place, sentence in enumerate(sentences) if sentence.rstrip("\"')").endswith("?")]
    place = asked[-1] if asked else len(sentences) - 1
    return Parts(before=tuple(sentences[:place]), question=" ".join(sentences[place:]))


def split_sentences(text: str) -> list[str]:
    """The sentences of an English text."""
    return [sentence for sentence in (part.strip() for part in _END.split(" ".join(text.split()))) if sentence]
