"""How a base model is prompted, which has no chat template: the chat as a text of questions and answers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

Template = Literal["plain"]

TURN_END = "\nQuestion:"
"""What a base model that has answered goes on with: to it the text is one of many questions."""


def plain_template() -> str:
    """The chat template, in Jinja."""
    return files("mathagent.prompts").joinpath("base_model/plain.jinja").read_text(encoding="utf-8").rstrip()


def with_turn_end(stop: Sequence[str]) -> tuple[str, ...]:
    """The stop strings of a request, and the one that ends a turn."""
    return (*stop, TURN_END)
