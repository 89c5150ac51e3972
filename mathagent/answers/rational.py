"""Exact values of plain arithmetic in text, with hard bounds: it can never hang. Pure, no SymPy."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

from mathagent.answers.latex import MAX_LENGTH, tidy

MAX_DIGITS = 2_000
MAX_BITS = 20_000
MAX_FACTORIAL = 500
REACH_BITS = 1 << 24
REACH_FACTORIAL = 1_000_000
"""Powers and factorials beyond these are not evaluated by computer algebra either: it would never come back."""
MAX_DEPTH = 40
MAX_TEXT = MAX_LENGTH

_TOKEN = re.compile(
    r"\s*(?:(?P<repeating>\d*\.\d*\\overline\{\d+\})|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4}(?![\d.]))?)"
    r"|(?P<operator>\\frac|\\cdot|\\left|\\right|[-+/^(){}!%]))"
)


_BIG = re.compile(r"[\d.]+(?=\s*[\^!])|\((?=[^()]*(?:\([^()]*\)[^()]*)*\)\s*[\^!])")
"""Where a power or a factorial begins: at its base, a number or a bracket."""


class _NotRational(Exception):
    """The text is not arithmetic on rationals within the bounds."""


class _BeyondReach(_NotRational):
    """The text holds a power or a factorial that nobody can evaluate."""


@lru_cache(maxsize=4096)
def beyond_reach(text: str) -> bool:
    """Whether ``text`` holds a number such as ``9^{9^{9}}`` or ``(30!)!``, which no computer algebra can evaluate."""
    tidied = tidy(text)
    if len(tidied) > MAX_TEXT:
        return False
    for match in _BIG.finditer(tidied):
        try:
            parser = _Parser(_tokens(tidied[match.start() :], stop=True))
            parser.signed_power(0)
        except _BeyondReach:
            return True
        except (_NotRational, ZeroDivisionError):
            continue
    return False


@lru_cache(maxsize=4096)
def exact_value(text: str) -> Fraction | None:
    """The exact rational value of ``text``; None where it is not plain arithmetic or beyond the bounds.

    Understands integers, decimals, repeating decimals (``0.\\overline{3}``), ``a/b``, ``\\frac``, mixed numbers,
    percent (as /100), ``1.5e3``, sums, products, integer powers and factorials. ``a/b/c`` is refused: it is
    as likely a date.
    """
    if len(text) > MAX_TEXT:
        return None
    tidied = tidy(text)
    if not re.search(r"\d", tidied) or re.search(r"\d\s*/\s*\d+\s*/\s*\d", tidied):
        return None
    try:
        tokens = _tokens(tidied)
        parser = _Parser(tokens)
        value = parser.sum(0)
        return value if parser.at_end() else None
    except (_NotRational, ZeroDivisionError):
        return None


def _tokens(text: str, *, stop: bool = False) -> list[tuple[str, str]]:
    """The tokens of ``text``; with ``stop`` those before the first that is no arithmetic."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match and stop:
            break
        if not match or len(tokens) > MAX_DIGITS:
            raise _NotRational
        kind = match.lastgroup or ""
        content = match.group(kind)
        spaced = match.start(kind) > position
        if kind == "number" and tokens and tokens[-1][0] == "number" and not spaced:
            raise _NotRational
        tokens.append((kind, content))
        position = match.end()
    return tokens


def _number(text: str) -> Fraction:
    if len(text) > MAX_DIGITS:
        raise _NotRational
    mantissa, _, exponent = text.lower().partition("e")
    power = int(exponent or 0)
    if abs(power) > MAX_DIGITS:
        raise _NotRational
    return Fraction(mantissa if mantissa[-1] != "." else mantissa[:-1]) * Fraction(10) ** power


def _repeating(text: str) -> Fraction:
    head, _, tail = text.partition("\\overline{")
    period = tail[:-1]
    whole, _, fixed = head.partition(".")
    if len(text) > MAX_DIGITS:
        raise _NotRational
    scale = Fraction(1, 10 ** len(fixed))
    return Fraction(f"{whole or 0}.{fixed or 0}") + scale * Fraction(int(period), 10 ** len(period) - 1)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise _NotRational
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _NotRational
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * (size - 1) > REACH_BITS:
        raise _BeyondReach
    if abs(exponent.numerator) * size > MAX_BITS or (base == 0 and exponent <= 0):
        raise _NotRational
    return base**exponent.numerator


class _Parser:
    """Recursive descent over tokens; ``depth`` bounds the recursion."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.position = tokens, 0

    def at_end(self) -> bool:
        return self.position == len(self.tokens)

    def peek(self) -> str:
        if self.at_end():
            return ""
        kind, text = self.tokens[self.position]
        return text if kind == "operator" else kind

    def take(self) -> str:
        text = self.tokens[self.position][1]
        self.position += 1
        return text

    def expect(self, operator: str) -> None:
        if self.peek() != operator:
            raise _NotRational
        self.position += 1

    def sum(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise _NotRational
        sign = 1
        while self.peek() in ("+", "-"):
            sign = -sign if self.take() == "-" else sign
        value = sign * self.product(depth)
        while self.peek() in ("+", "-"):
            sign = -1 if self.take() == "-" else 1
            value = _bounded(value + sign * self.product(depth))
        return value

    def product(self, depth: int) -> Fraction:
        value = self.signed_power(depth)
        while True:
            following = self.peek()
            if following in ("\\cdot", "/"):
                self.take()
                factor = self.signed_power(depth)
                value = _bounded(value / factor if following == "/" else value * factor)
            elif following in ("(", "{") or (following == "\\frac" and self.position > 0):
                value = _bounded(value * self.signed_power(depth))
            else:
                return value

    def signed_power(self, depth: int) -> Fraction:
        if self.peek() == "-":
            self.take()
            return -self.signed_power(depth + 1) if depth < MAX_DEPTH else self.fail()
        value = self.postfix(depth)
        if self.peek() == "^":
            self.take()
            value = _power(value, self.exponent(depth))
        return value

    def exponent(self, depth: int) -> Fraction:
        """What stands behind ``^``; a chain ``2^3^2`` is 2^(3^2)."""
        if depth > MAX_DEPTH:
            raise _NotRational
        value = self.group(depth) if self.peek() == "{" else self.postfix(depth)
        if self.peek() == "^":
            self.take()
            value = _power(value, self.exponent(depth + 1))
        return value

    def postfix(self, depth: int) -> Fraction:
        value = self.atom(depth)
        while self.peek() in ("!", "%"):
            if self.take() == "%":
                value = value / 100
            elif value.denominator == 1 and 0 <= value.numerator <= MAX_FACTORIAL:
                value = Fraction(math.factorial(value.numerator))
            elif value.numerator > REACH_FACTORIAL or self.factorial_follows():
                raise _BeyondReach
            else:
                raise _NotRational
        return value

    def factorial_follows(self) -> bool:
        """Whether the factorial just read is the argument of another, as in ``(2004!)!``."""
        rest = [text for _, text in self.tokens[self.position :]]
        closing = next((i for i, text in enumerate(rest) if text not in ")}"), len(rest))
        return closing > 0 and rest[closing : closing + 1] == ["!"]

    def atom(self, depth: int) -> Fraction:
        following = self.peek()
        if following == "number":
            text = self.take()
            return self.mixed(text, depth) if text.isdigit() else _number(text)
        if following == "repeating":
            return _repeating(self.take())
        if following == "\\frac":
            self.take()
            return self.group(depth) / self.group(depth)
        if following == "(":
            self.take()
            value = self.sum(depth + 1)
            self.expect(")")
            return value
        if following == "{":
            return self.group(depth)
        return self.fail()

    def group(self, depth: int) -> Fraction:
        self.expect("{")
        value = self.sum(depth + 1)
        self.expect("}")
        return value

    def mixed(self, whole: str, depth: int) -> Fraction:
        """An integer, or a mixed number where a proper fraction follows it (``1\\frac{4}{5}``, ``1 4/5``)."""
        value = _number(whole)
        ahead = [text for _, text in self.tokens[self.position : self.position + 7]]
        if ahead[:1] == ["\\frac"] and len(ahead) == 7 and ahead[2].isdigit() and ahead[5].isdigit():
            self.take()
            return value + self.group(depth) / self.group(depth)
        if len(ahead) >= 3 and ahead[0].isdigit() and ahead[1] == "/" and ahead[2].isdigit():
            self.position += 3
            return value + Fraction(int(ahead[0]), int(ahead[2]))
        return value

    def fail(self) -> Fraction:
        raise _NotRational
