"""A regular expression as a grammar of llama.cpp (GBNF), which holds a model to it. Pure.

Python's syntax, read as ``re.ASCII`` does; the grammar takes exactly the texts that match as a whole. What no grammar
can say (looking around or back, anchors within, flags) is refused by name.
"""

from __future__ import annotations

import re

from mathagent.errors import UsageError

_LAST = "\U0010ffff"  # itself, see _quoted
_CLASSES = {"d": r"0-9", "w": r"A-Za-z0-9_", "s": r"\x20\x09-\x0D"}
_NOT_CLASSES = {
    "D": rf"\x01-\x2F\x3A-{_LAST}",
    "W": rf"\x01-\x2F\x3A-\x40\x5B-\x5E\x60\x7B-{_LAST}",
    "S": rf"\x01-\x08\x0E-\x1F\x21-{_LAST}",
}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_REPEAT = re.compile(r"\{(\d*)(,?)(\d*)\}")
MAX_LENGTH = 5000


def regex_grammar(pattern: str) -> str:
    """The grammar of ``pattern``. Raises UsageError where it is none, or says what a grammar cannot."""
    if len(pattern) > MAX_LENGTH:
        raise UsageError(f"the regular expression is longer than {MAX_LENGTH} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"'{pattern[:200]}' is not a regular expression: {error}") from error
    return f"root ::= {_Reader(pattern).whole()}"


class _Reader:
    """Reads a pattern that is known to be valid, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0

    def whole(self) -> str:
        # An anchor binds closer than "|": behind or before one, each side would be anchored by itself.
        if self._text.startswith("^"):
            self._at = 1
        elif self._text.startswith(r"\A"):
            self._at = 2
        for end in ("$", r"\Z"):
            head = self._text.removesuffix(end)
            slashes = len(head) - len(head.rstrip("\\"))
            if head != self._text and slashes % 2 == 0:
                self._text = head
                break
        return self._alternatives()

    def _refuse(self, what: str) -> UsageError:
        return UsageError(f"the regular expression '{self._text[:200]}' has {what}, which no grammar can say")

    def _next(self, count: int = 1) -> str:
        taken = self._text[self._at : self._at + count]
        self._at += count
        return taken

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> str:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._next()
            parts.append(self._sequence())
        return " | ".join(parts)

    def _sequence(self) -> str:
        parts = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._atom() + self._repeated())
        return " ".join(parts) or '""'

    def _repeated(self) -> str:
        sign, found = self._peek(), _REPEAT.match(self._text, self._at)
        if sign in ("*", "+", "?"):
            self._next()
        elif found and (found[1] or found[2]):
            self._at = found.end()
            sign = f"{{{found[1] or 0}{found[2]}{found[3]}}}"
        else:
            return ""
        if self._peek() == "?":  # as few as possible: the same texts
            self._next()
        elif self._peek() == "+":
            raise self._refuse("a possessive repetition")
        return sign

    def _atom(self) -> str:
        sign = self._next()
        match sign:
            case "(":
                return self._group()
            case "[":
                return self._set()
            case ".":
                return r"[^\x0A]"
            case "^" | "$":
                raise self._refuse(f"the anchor {sign} within")
            case "\\":
                kind, escaped = self._escape(within_set=False)
                return f"[{escaped}]" if kind == "class" else f'"{escaped}"'
            case _:
                return f'"{_quoted(sign)}"'

    def _group(self) -> str:
        if self._peek() == "?":
            self._next()
            kind = self._next()
            if kind == "P" and self._peek() == "<":
                self._at = self._text.index(">", self._at) + 1
            elif kind != ":":
                raise self._refuse(f"a group (?{kind}…)")
        inner = self._alternatives()
        self._next()  # the closing bracket, which is there
        return f"({inner})"

    def _set(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._next()
        parts: list[str] = []
        while not (self._peek() == "]" and parts):
            sign = self._next()
            if sign == "\\":
                parts.append(self._escape(within_set=True)[1])
            elif sign == "-" and parts and self._peek() not in ("]", ""):
                parts.append("-")
            else:
                parts.append(_quoted(sign))
        self._next()
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _escape(self, *, within_set: bool) -> tuple[str, str]:
        """("class" or "sign", what stands for it) of what follows a backslash."""
        sign = self._next()
        if sign in _CLASSES or sign in _NOT_CLASSES:
            return "class", {**_CLASSES, **_NOT_CLASSES}[sign]
        if sign in _HEX_DIGITS:
            return "sign", _quoted(chr(int(self._next(_HEX_DIGITS[sign]), 16)))
        if sign in _CONTROL and not self._peek().isdigit():
            return "sign", _quoted(_CONTROL[sign])
        if sign == "b" and within_set:
            return "sign", _quoted("\b")
        if sign.isalnum():
            raise self._refuse(f"\\{sign}")
        return "sign", _quoted(sign)


def _quoted(sign: str) -> str:
    """One character as it may stand in a text or set of a grammar. Above 255 it is itself: llguidance reads neither
    ``\\u0100`` nor, in a set, ``\\U0001F600``."""
    if (sign.isascii() and (sign.isalnum() or sign == " ")) or ord(sign) > 255:
        return sign
    return f"\\x{ord(sign):02X}"
