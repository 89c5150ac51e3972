"""Choices that stand in the question's own text: ``… (A) 3 (B) 5``. Pure."""

from __future__ import annotations

import re

LETTERS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "FGHJK")
"""How choices are lettered; the second as every other question of the ACT's."""
_OPTIONS = re.compile(r"[\s:]*(?:\boptions|answer choices|选项)\s*[:：]\s*\Z", re.IGNORECASE)


def split_choices(text: str) -> tuple[str, tuple[str, ...], str]:
    """(the question, its choices without their letters, the letters), where at least two stand at its end in order.

    Without such choices: the whole text, (), "". A letter counts only in brackets, and the first must be A (or F).
    """
    for letters in LETTERS:
        starts: list[re.Match[str]] = []
        for letter in letters:
            marks = list(re.finditer(rf"\(\s*{letter}\s*\)", text))
            after = starts[-1].end() if starts else 0
            # the last "(A)" begins the list; each later letter is the first behind the one before it
            found = [mark for mark in marks if mark.start() >= after]
            if not found:
                break
            starts.append(found[0] if starts else found[-1])
        if len(starts) >= 2:
            ends = [mark.start() for mark in starts[1:]] + [len(text)]
            choices = tuple(text[mark.end() : end].strip() for mark, end in zip(starts, ends, strict=True))
            return _stem(text[: starts[0].start()]), choices, letters[: len(starts)]
    return text, (), ""


def _stem(text: str) -> str:
    text = re.sub(r"(?:\\n|\s)+\Z", "", text)
    return _OPTIONS.sub("", text).rstrip(" :")
