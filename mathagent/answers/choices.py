"""The choices of a multiple-choice problem: their labels and texts, however the source writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

_LABELLED = re.compile(r"^\s*[(\[]?\s*([A-Za-z])\s*[)\].:]\s*(.*)$", re.DOTALL)


def labelled_choices(choices: Sequence[str]) -> list[tuple[str, str]]:
    """(label, text) of each choice: ``"a ) 1 : 1"`` → ``("a", "1 : 1")``.

    The source's own labels are used where every choice has the one its place asks for, in its own letter case;
    else the choices are labelled A, B, C, ….
    """
    found = [_LABELLED.match(choice) for choice in choices]
    own = [match.group(1) if match else "" for match in found]
    if own and own in (list(ascii_uppercase[: len(own)]), list(ascii_uppercase[: len(own)].lower())):
        return [(match.group(1), match.group(2).strip()) for match in found if match]
    return [(ascii_uppercase[i % 26], choice.strip()) for i, choice in enumerate(choices)]


def with_choices(text: str, choices: Sequence[str]) -> str:
    """``text``, followed by the labelled choices, one a line, where there are any."""
    if not choices:
        return text
    return "\n".join([text, "Choices:", *(f"({label}) {choice}" for label, choice in labelled_choices(choices))])
