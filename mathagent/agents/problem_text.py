"""A problem on its way in and before a model: checked, and as text."""

from __future__ import annotations

from pydantic import ValidationError

from mathagent.answers.choices import with_choices
from mathagent.errors import UsageError
from mathagent.types import Problem

MAX_PROBLEM_CHARACTERS = 100_000


def problem_text(problem: Problem) -> str:
    """The problem's text, followed by its labelled choices, one a line, where it has any."""
    return with_choices(problem.text, problem.choices)


def is_text(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8, as Python's strings with lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_problem(problem: str | Problem) -> Problem:
    """A checked Problem with an id. Raises UsageError where it is empty, too long, or not text."""
    try:
        asked = problem if isinstance(problem, Problem) else Problem(text=problem)
    except ValidationError as error:
        kind = type(problem).__name__
        raise UsageError(f"a problem is a text or a Problem, not a value of type {kind}; give its text") from error
    length = len(asked.text)
    if not asked.text.strip():
        raise UsageError('the problem is empty; give its text, for example mathagent solve "What is 12 * 12?"')
    if length > MAX_PROBLEM_CHARACTERS:
        limit = f"{MAX_PROBLEM_CHARACTERS:,}"
        raise UsageError(f"the problem has {length:,} characters, more than {limit}; shorten it to the question")
    if "\x00" in asked.text:
        raise UsageError("the problem holds NUL bytes: it is not text; give plain UTF-8 text")
    if not all(map(is_text, (asked.text, *asked.choices, asked.language or ""))):
        raise UsageError(
            "the problem is not UTF-8 text (it holds half a character, a lone surrogate); give plain text"
        )
    return asked if asked.id else asked.model_copy(update={"id": asked.content_hash()})
