"""JSON as small models write it: LaTeX in strings, Python literals, stray commas, a reply that was cut. Pure.

Replies are untrusted: the time is linear in the text but for a bounded number of fresh starts, nesting is bounded, and
nothing is ever evaluated. (json-repair 0.64 took 65 s for 40,000 characters of ``{'{'{'``, and does not tell what a cut
has left incomplete.)
"""

from __future__ import annotations

import json
import re

from pydantic import JsonValue

MAX_DEPTH = 64
MAX_CHARACTERS = 100_000
MAX_FAILED_STARTS = 32
MAX_DIGITS = 300

_PAIR = re.compile(r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HALF = re.compile(r"u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE = re.compile(rf"\\({_PAIR.pattern}|u[0-9a-fA-F]{{4}}|[a-zA-Z]+|.)", re.DOTALL)
HALF_A_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_KEPT = frozenset("\"\\/'")
# After a backslash these are LaTeX more often than a tab or a line break and a word. Not among them are those that
# begin a line of a program: "\ne = 2", "\nu = 3", "\neq = Eq(…)".
_TAB_OR_LATEX = re.compile(
    r"tan|tanh|tau|tbinom|text|textbf|textit|textrm|tfrac|therefore|theta|tilde|times|to|top|triangle|triangleq"
)
_LINE_OR_LATEX = re.compile(r"nabla|neg|nexists|nmid|notin|nsubseteq")

_START = re.compile(
    r"""\{\s{0,80}(?:"[^"\n]{1,80}"|'[^'\n]{1,80}'|[A-Za-z_]\w{0,80})\s{0,80}[:=]|\{\s{0,80}\}|\[\s{0,80}\{"""
)
_BLANK = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_SPACE = re.compile(r"\s*")
_BARE_KEY = re.compile(r"[^\s:=,{}\[\]()\"']+")
_BARE = re.compile(r"[^,\n{}\[\]()\"']*(?:\([^()\n]*\)[^,\n{}\[\]()\"']*)*")
_COMMENT_AFTER = re.compile(r"\s(?:#|//|/\*).*$")
_PREFIX = re.compile(r"[rRbBfFuU]{1,2}(?=[\"'])")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_NEXT_MEMBER = re.compile(r"\s*(?:[\"'}\]]|$|\n|//|#|[A-Za-z_]\w{0,80}\s{0,8}:)")
_KEY_AHEAD = re.compile(r"[\"'][^\"'\n]{1,80}[\"']\s{0,8}:")
_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None, "none": None}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def json_values(text: str, *, cut: bool = False) -> list[JsonValue]:
    """The objects, and lists of objects, that stand in ``text``, in order, read as leniently as need be.

    ``cut`` says that the text was cut off: what the end leaves incomplete is then left out (a scalar, or an element of
    a list), since it may be half of what was meant. Else it is closed where it ends.
    """
    text = mend_escapes(text[:MAX_CHARACTERS])
    values: list[JsonValue] = []
    position, failed = 0, 0
    strict = json.JSONDecoder(strict=False)  # models write line breaks into strings
    while failed < MAX_FAILED_STARTS and (start := _START.search(text, position)):
        try:
            value, position = strict.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            reader = _Reader(text, start.start(), cut)
            try:
                value, _ = reader.value(0, in_list=False)
            except _Unreadable:
                failed, position = failed + 1, start.start() + 1
                continue
            position = reader.position
        values.append(value)
    return values


def mend_escapes(text: str) -> str:
    r"""``text`` with the backslashes doubled that JSON would refuse or misread: ``\sqrt``, and ``\frac``, ``\times``.

    JSON reads the latter two as a form feed and a tab; ``\n`` and ``\t`` stay what they are elsewhere. Half of a
    character that is spelt in two (``\ud83d``) would be text that can be neither sent nor kept, and is replaced.
    """
    return _ESCAPE.sub(_mended, text)


def _mended(match: re.Match[str]) -> str:
    after, whole = match.group(1), match.group()
    first = after[0]
    if _PAIR.fullmatch(after):
        return str(json.loads(f'"{whole}"'))
    if _HALF.fullmatch(after):
        return HALF_A_CHARACTER
    if first in _KEPT or (first == "u" and len(after) == 5 and _is_hex(after[1:])):
        return whole
    if first == "n":
        return f"\\{whole}" if _LINE_OR_LATEX.fullmatch(after) else whole
    if first == "t":
        indents = match.string[max(0, match.start() - 2) : match.start()] in ("\\n", "\\t")
        return f"\\{whole}" if _TAB_OR_LATEX.fullmatch(after) and not indents else whole
    if first in "bfr" and len(after) == 1:
        return whole
    return f"\\{whole}"


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


class _Unreadable(Exception):
    """What stands here is no JSON, however leniently read."""


class _Missing:
    """Stands for a value that is not there."""


class _Reader:
    """Reads one value at ``position`` of a text with mended escapes; afterwards ``position`` is behind it."""

    def __init__(self, text: str, position: int, cut: bool) -> None:
        self.text, self.position, self.cut = text, position, cut
        self._parentheses = 0

    def value(self, depth: int, *, in_list: bool) -> tuple[JsonValue | _Missing, bool]:
        """The value, and whether it is whole. Raises _Unreadable."""
        if depth > MAX_DEPTH:
            raise _Unreadable
        self._skip()
        prefix = _PREFIX.match(self.text, self.position)
        if prefix:
            self.position = prefix.end()
        char = self._char()
        if not char:
            return _Missing(), False
        if char in "}])" or (char == "," and not in_list):
            return _Missing(), True
        if char == "{":
            return self._object(depth)
        if char in "[(":
            return self._list(depth, ")" if char == "(" else "]")
        if char in "\"'":
            return self._string(in_list=in_list, key=False)
        return self._bare()

    def _object(self, depth: int) -> tuple[JsonValue, bool]:
        members: dict[str, JsonValue] = {}
        self.position += 1
        while True:
            self._skip(commas=True)
            char = self._char()
            if not char or char in "}])":
                self.position += char == "}"  # another bracket: this one's was forgotten
                return members, bool(char)
            key, whole = self._key()
            self._skip()
            if not whole or not self._char():
                return members, False
            if self._char() not in ":=":
                raise _Unreadable
            self.position += 1
            value, whole = self.value(depth + 1, in_list=False)
            begun = isinstance(value, dict | list) and bool(value)  # it holds complete parts
            if not isinstance(value, _Missing) and (whole or begun or not self.cut):
                members[key] = value

    def _list(self, depth: int, closing: str) -> tuple[JsonValue, bool]:
        elements: list[JsonValue] = []
        self._parentheses += closing == ")"
        self.position += 1
        try:
            while True:
                self._skip(commas=True)
                char = self._char()
                if not char or char in "}])":
                    self.position += char == closing
                    return elements, bool(char)
                value, whole = self.value(depth + 1, in_list=True)
                if not isinstance(value, _Missing) and (whole or not self.cut):
                    elements.append(value)
        finally:
            self._parentheses -= closing == ")"

    def _key(self) -> tuple[str, bool]:
        if self._char() in "\"'":
            return self._string(in_list=False, key=True)
        bare = _BARE_KEY.match(self.text, self.position)
        if bare is None:
            raise _Unreadable
        self.position = bare.end()
        return bare.group(), True

    def _bare(self) -> tuple[JsonValue, bool]:
        """A number, a word, or text without quotes up to the next comma, bracket or line."""
        found = _BARE.match(self.text, self.position)
        assert found is not None
        if found.end() == self.position:
            raise _Unreadable
        self.position = found.end()
        word = _COMMENT_AFTER.sub("", found.group()).strip()
        whole = self.position < len(self.text)
        if word.lower() in _WORDS:
            return _WORDS[word.lower()], whole
        if len(word) <= MAX_DIGITS and _NUMBER.fullmatch(word):
            return (int(word) if word.lstrip("+-").isdecimal() else float(word)), whole
        return word, whole

    def _string(self, *, in_list: bool, key: bool) -> tuple[str, bool]:
        quote = self.text[self.position]
        if self.text.startswith(quote * 3, self.position):
            return self._triple_quoted(quote * 3)
        self.position += 1
        parts: list[str] = []
        special = _QUOTE_OR_ESCAPE[quote]
        while found := special.search(self.text, self.position):
            parts.append(self.text[self.position : found.start()])
            self.position = found.end()
            if found.group() != quote:
                parts.append(_unescaped(found.group()))
            elif self._closes(in_list=in_list, key=key):
                return "".join(parts), True
            else:
                parts.append(quote)
        parts.append(self.text[self.position :])
        self.position = len(self.text)
        return "".join(parts), False

    def _triple_quoted(self, quotes: str) -> tuple[str, bool]:
        start = self.position + 3
        end = self.text.find(quotes, start)
        self.position = len(self.text) if end < 0 else end + 3
        content = self.text[start:] if end < 0 else self.text[start:end]
        return _ESCAPE.sub(lambda match: _unescaped(match.group()), content).strip("\n"), end >= 0

    def _closes(self, *, in_list: bool, key: bool) -> bool:
        """Whether a quote just before ``position`` ends its string, by what follows; else it is one of the text."""
        space = _SPACE.match(self.text, self.position)
        assert space is not None
        after = self.text[space.end() : space.end() + 1]
        if key:
            return after in (":", "=", "")
        if after in ("", "}", "]"):
            return True
        if after == ")":
            return self._parentheses > 0
        if after == ",":
            return in_list or _NEXT_MEMBER.match(self.text, space.end() + 1) is not None
        if after == "#" or self.text.startswith("//", space.end()):
            return "\n" in space.group() or bool(space.group())
        return _KEY_AHEAD.match(self.text, space.end()) is not None

    def _skip(self, *, commas: bool = False) -> None:
        while True:
            blank = _BLANK.match(self.text, self.position)
            if blank:
                self.position = blank.end()
            if not commas or self._char() not in (",", ";"):
                return
            self.position += 1

    def _char(self) -> str:
        return self.text[self.position : self.position + 1]


_QUOTE_OR_ESCAPE = {quote: re.compile(rf"{quote}|\\(?:u[0-9a-fA-F]{{4}}|.)", re.DOTALL) for quote in "\"'"}


def _unescaped(escape: str) -> str:
    after = escape[1:]
    if after[0] == "u" and len(after) == 5:
        return chr(int(after[1:], 16))
    return _ESCAPED.get(after[0], after[0]) + after[1:]
