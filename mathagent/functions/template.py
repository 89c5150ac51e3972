"""Prompt templates with variables in double braces: ``What is {{a}} times {{b}}?``. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from mathagent.errors import UsageError

_VARIABLE = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_OTHER = re.compile(r"\{\{[^{}]{0,40}")


@dataclass(frozen=True)
class Template:
    """A template's text and the names of its variables, in the order of their first appearance."""

    text: str
    names: tuple[str, ...]

    @property
    def quoted(self) -> str:
        """The text with each variable's name, in quotes, in its place; the values are told beside it."""
        return _VARIABLE.sub(lambda match: f"'{match[1]}'", self.text)

    @property
    def plain(self) -> str:
        """The text with each variable's bare name in its place."""
        return _VARIABLE.sub(lambda match: match[1], self.text)

    def check(self, given: Collection[str], what: str = "template") -> None:
        """Raises UsageError where ``given`` are not exactly the variables."""
        missing = [name for name in self.names if name not in given]
        surplus = [name for name in given if name not in self.names]
        problems = [f"it has no value for {_named(missing)}"] if missing else []
        if surplus:
            has = f"has only {_named(self.names)}" if self.names else "has no variables"
            problems.append(f"{_named(surplus)} does not stand in it: it {has}")
        if problems:
            raise UsageError(f"the {what} {_shown(self.text)} does not fit: {'; and '.join(problems)}")


def parse_template(text: str) -> Template:
    """The template in ``text``. Raises UsageError where it is empty, or double braces hold anything but a name."""
    if not text.strip():
        raise UsageError("the template is empty; say what is to be done, with variables as {{name}}")
    other = _OTHER.search(_VARIABLE.sub("", text))
    if other:
        raise UsageError(
            f"'{other[0]}…' in the template {_shown(text)} is no variable: double braces hold a name alone, as"
            " {{x}}; write '{ {' for two braces that are meant as such"
        )
    return Template(text.strip(), tuple(dict.fromkeys(_VARIABLE.findall(text))))


def _named(names: Collection[str]) -> str:
    return " and ".join(f"{{{{{name}}}}}" for name in names)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line if len(line) <= 60 else line[:59] + '…'}'"
