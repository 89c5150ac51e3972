"""How a problem is put before a model."""

from __future__ import annotations

from mathagent.answers.choices import labelled_choices
from mathagent.types import Problem


def problem_text(problem: Problem) -> str:
    """The problem's text, followed by its labelled choices, one a line, where it has any."""
    if not problem.choices:
        return problem.text
    lines = [f"({label}) {text}" for label, text in labelled_choices(problem.choices)]
    return "\n".join([problem.text, "Choices:", *lines])
