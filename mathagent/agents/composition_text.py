"""Compositions as text: ``pal(n=4) | vote(cot, tir)``. Pure: nothing is looked up, nothing loaded.

    either   = both { "|" both }                    each where those before it are unsure
    both     = unit { "&" unit }                    all, then the better supported answer
    unit     = single [ "(" settings ")" ]
    single   = NAME | "(" either ")" | "vote" "(" either { "," either } { "," setting } ")"
    settings = setting { "," setting }
    setting  = KEY "=" (JSON | word)

``&`` binds closer than ``|``; blanks mean nothing. A NAME is a strategy's, or a ``module:object`` path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from mathagent.errors import UsageError

MOST_PARTS = 16
"""Strategies in one composition."""
DEEPEST = 8
"""Brackets within brackets."""
VOTE = "vote"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]*")
_NO_WORDS = ("true", "false", "null", "NaN", "Infinity")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_JSON = json.JSONDecoder()


@dataclass(frozen=True)
class Named:
    """One strategy by its name, with the settings in its brackets."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """Strategies joined by "|", "&" or "vote", and the settings of the whole."""

    joiner: str
    parts: tuple[Tree, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


Tree = Named | Joined


def is_composition(text: str) -> bool:
    """Whether ``text`` is more than a name."""
    return any(sign in text for sign in "|&()")


def parse(text: str) -> Tree:
    """What ``text`` says. Raises UsageError, with the place that is wrong."""
    tree, rest = parse_first(text)
    if rest:
        _Reader(text, len(text) - len(rest)).fail(f"'{_shown(rest)}' is not expected here")
    return tree


def parse_first(text: str) -> tuple[Tree, str]:
    """The composition that ``text`` begins with, and what stands behind it, as in ``pal | cot n=4``.

    Raises UsageError.
    """
    reader = _Reader(text)
    tree = reader.either()
    if len(_names(tree)) > MOST_PARTS:
        raise UsageError(f"'{_shown(text)}' joins {len(_names(tree))} strategies; {MOST_PARTS} at most")
    return tree, text[reader.skip() :]


def canonical(text: str) -> str:
    """The one way to write what ``text`` says; a mere name stays as it is. Raises UsageError."""
    return written(parse(text)) if is_composition(text) else text


def names_in(text: str) -> list[str]:
    """The names of the strategies in ``text``, in order. Raises UsageError."""
    return _names(parse(text))


def split_list(text: str) -> list[str]:
    """The pieces between the commas of ``text`` that stand outside of brackets and quotes; empty ones are left out."""
    pieces, depth, start = [], 0, 0
    plain = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    for place, sign in enumerate(plain):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth <= 0:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def written(tree: Tree) -> str:
    """``tree`` as text."""
    if isinstance(tree, Named):
        return with_brackets(tree.name, None, tree.settings)
    names = [written(part) for part in tree.parts]
    loose = [isinstance(part, Joined) and part.joiner == "|" and not part.settings for part in tree.parts]
    return with_brackets(joined_name(tree.joiner, names, loose), tree.joiner, tree.settings)


def joined_name(joiner: str, names: Sequence[str], loose: Sequence[bool]) -> str:
    """``names`` joined by ``joiner``; those that are ``loose``, joined by "|" themselves, within "&" in brackets."""
    if joiner == VOTE:
        return f"{VOTE}({', '.join(names)})"
    closed = [f"({name})" if free and joiner == "&" else name for name, free in zip(names, loose, strict=True)]
    return f" {joiner} ".join(closed)


def with_brackets(name: str, joiner: str | None, settings: Mapping[str, Any]) -> str:
    """``name``, of a strategy that is joined by ``joiner`` if at all, with ``settings`` in its brackets."""
    if not settings:
        return name
    inside = ", ".join(f"{key}={value_text(settings[key])}" for key in sorted(settings))
    if joiner == VOTE:
        return f"{name[:-1]}, {inside})"
    return f"({name})({inside})" if joiner else f"{name}({inside})"


def value_text(value: Any) -> str:
    """``value`` as it stands in brackets: a word as it is, all else as JSON."""
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in _NO_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _names(tree: Tree) -> list[str]:
    return [tree.name] if isinstance(tree, Named) else [name for part in tree.parts for name in _names(part)]


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


class _Reader:
    """Reads ``text`` from ``place`` on, by the grammar above."""

    def __init__(self, text: str, place: int = 0) -> None:
        self.text, self.place, self.depth = text, place, 0

    def fail(self, what: str) -> NoReturn:
        where = f"at character {self.place + 1}" if self.place < len(self.text) else "at its end"
        raise UsageError(
            f"'{_shown(self.text)}' is no composition of strategies: {where} {what}; write for example pal(n=4) |"
            " vote(cot, tir)"
        )

    def skip(self) -> int:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1
        return self.place

    def at(self, sign: str) -> bool:
        """Goes past ``sign`` where it is next."""
        found = self.text.startswith(sign, self.skip())
        self.place += found
        return found

    def close(self) -> None:
        if not self.at(")"):
            self.fail("a ')' is missing")
        self.depth -= 1

    def open(self) -> bool:
        if not self.at("("):
            return False
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"brackets are nested more than {DEEPEST} deep")
        return True

    def either(self) -> Tree:
        return self.chain("|", self.both)

    def both(self) -> Tree:
        return self.chain("&", self.unit)

    def chain(self, joiner: str, part: Any) -> Tree:
        parts = [part()]
        while self.at(joiner):
            parts.append(part())
        return flat(joiner, parts) if len(parts) > 1 else parts[0]

    def unit(self) -> Tree:
        single = self.single()
        if not self.open():
            return single
        if single.settings or (isinstance(single, Joined) and single.joiner == VOTE):
            self.fail("settings are given twice")
        settings = self.settings({})
        self.close()
        return replace(single, settings=settings)

    def single(self) -> Tree:
        if self.open():
            inner = self.either()
            self.close()
            return inner
        name = _NAME.match(self.text, self.skip())
        if name is None:
            self.fail("the name of a strategy is missing")
        self.place = name.end()
        return self.vote() if name[0] == VOTE and self.open() else Named(name[0])

    def vote(self) -> Tree:
        parts: list[Tree] = [self.either()]
        settings: dict[str, Any] = {}
        while self.at(","):
            if settings or self.is_setting():
                settings = self.settings(settings)
            else:
                parts.append(self.either())
        self.close()
        if len(parts) < 2:
            self.fail("a vote needs two strategies at least")
        return Joined(VOTE, tuple(parts), settings)

    def is_setting(self) -> bool:
        return re.match(r"\w+\s*=", self.text[self.skip() :]) is not None

    def settings(self, known: dict[str, Any]) -> dict[str, Any]:
        found = dict(known)
        while True:
            key = re.compile(r"(\w+)\s*=\s*").match(self.text, self.skip())
            if key is None:
                self.fail("a setting such as n=4 is missing")
            if key[1] in found:
                self.fail(f"{key[1]} is given twice")
            self.place = key.end()
            found[key[1]] = self.value()
            if not self.at(","):
                return found

    def value(self) -> Any:
        word = _WORD.match(self.text, self.place)
        if word is not None and word[0] not in _NO_WORDS:
            self.place = word.end()
            return word[0]
        try:
            value, self.place = _JSON.raw_decode(self.text, self.place)
        except json.JSONDecodeError:
            self.fail("a value is missing: JSON, or a word")
        except (ValueError, RecursionError):  # a number of thousands of digits, or lists within lists within …
            self.fail("a value is too large")
        return value


def flat(joiner: str, parts: list[Tree]) -> Joined:
    """``parts`` joined; those that are joined alike, and have no settings, lose their brackets: they mean nothing."""
    within: list[Tree] = []
    for part in parts:
        alike = isinstance(part, Joined) and part.joiner == joiner and not part.settings
        within += part.parts if alike and isinstance(part, Joined) else [part]
    return Joined(joiner, tuple(within))
