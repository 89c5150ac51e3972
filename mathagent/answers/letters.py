"""Which choice does a text name? By its label, by its text, or by its value. Pure text work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from mathagent.answers.choices import labelled_choices
from mathagent.answers.equality import compare_fast
from mathagent.answers.latex import strip_wrappers

_MAX_STATEMENT = 400


def choice_in_statement(statement: str, choices: Sequence[str]) -> str | None:
    """The label of the choice that an answer statement names ("(B) because A", "**B**", "option B", "5 cm").

    The first explicit label wins; then a choice whose text or value the whole statement is; then a bare capital.
    """
    labels = tuple(label for label, _ in labelled_choices(choices))
    statement = strip_wrappers(statement[:_MAX_STATEMENT])
    several = several_labels(statement, labels)
    if several:
        return ", ".join(several)
    explicit = explicit_label(statement, labels, "first")
    if explicit is not None:
        return explicit
    if statement.lower() in [label.lower() for label in labels]:
        return _as_label(statement, labels)
    return choice_by_text(statement, choices) or _bare_label(statement, labels)


def several_labels(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, sorted, of a text that consists of two or more of them ("A B D", "A, C and D", "ABD")."""
    bare = re.sub(r"\\text\s*\{|[(){}$.*]|\band\b|和", " ", text)
    letters = re.split(r"[\s,;、]+", bare.strip())
    if len(letters) == 1 and letters[0].isupper():
        letters = list(letters[0])
    found = {label for label in labels if label in letters}
    whole = len(found) == len(letters) == len(set(letters))
    return tuple(sorted(found)) if whole and len(found) > 1 else ()


def choice_by_text(text: str, choices: Sequence[str]) -> str | None:
    """The label of the one choice that ``text`` equals as text or value; None where none or several do."""
    labelled = labelled_choices(choices)
    literal = [label for label, content in labelled if content.casefold() == text.strip().casefold()]
    if len(literal) == 1:
        return literal[0]
    matching = []
    for label, content in labelled:
        judgement = compare_fast(text, content, lenient=True)
        if judgement is not None and judgement.verdict == "equal":
            matching.append(label)
    return matching[0] if len(matching) == 1 else None


def explicit_label(text: str, labels: tuple[str, ...], which: Literal["first", "last"]) -> str | None:
    """The first or last label that is marked as one: ``(B)``, ``**B**``, ``B)``, ``option B``."""
    found = [
        next(group for group in match.groups() if group)
        for match in _explicit(labels).finditer(text)
        if match.lastindex != _CLOSED_ONLY or not _opened(text[: match.start()])
    ]
    if not found:
        return None
    return _as_label(found[0] if which == "first" else found[-1], labels)


@lru_cache(maxsize=64)
def _explicit(labels: tuple[str, ...]) -> re.Pattern[str]:
    letters = "".join(sorted({label.lower() for label in labels} | {label.upper() for label in labels}))
    one = f"([{letters}])"
    return re.compile(
        rf"(?<![A-Za-z0-9\\])\(\s*{one}\s*\)"
        rf"|(?<![A-Za-z0-9\\])\[\s*{one}\s*\]"
        rf"|\*\*\s*\(?{one}\)?\s*[.):]?\s*\*\*"
        rf"|(?i:\b(?:option|choice)|选项?)\s*[:：]?\s*\**\(?{one}(?![A-Za-z0-9])"
        rf"|\\text(?:bf)?\{{\s*\(?{one}\)?\s*\}}"
        rf"|(?<![A-Za-z0-9.(\\+*/=^_-]){one}\s*[).:](?=\s|$|\*|\$)"
    )


_CLOSED_ONLY = 6
"""The last group: a label with nothing but a closing mark, which in ``f(x, a)`` is no label."""


def _opened(before: str) -> bool:
    line = before.rpartition("\n")[2]
    return line.count("(") > line.count(")")


def _bare_label(statement: str, labels: tuple[str, ...]) -> str | None:
    """A lone capital in a statement; not "A" or "I" before a word, which are words themselves."""
    capitals = "".join(label.upper() for label in labels)
    after = r"(?![A-Za-z0-9'’^_(=+*/-])(?!\s*[=+*/^-])"
    for match in re.finditer(rf"(?<![A-Za-z0-9'’\\=+*/^_-])([{capitals}]){after}", statement):
        word = re.match(r"\s+([a-z]+)", statement[match.end() :])
        if match.group(1) in "AI" and word and word.group(1) not in _AFTER_LABEL:
            continue
        return _as_label(match.group(1), labels)
    return None


_AFTER_LABEL = frozenset(
    ["because", "since", "as", "is", "and", "or", "with", "which", "where", "so", "by", "for"]
)


def _as_label(letter: str, labels: tuple[str, ...]) -> str | None:
    """``letter`` in the case that the choices use."""
    return next((label for label in labels if label.lower() == letter.lower()), None)
