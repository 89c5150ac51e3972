"""Normal forms: one short spelling of an answer, equal for answers that differ only in how they are written.

Pure text work. Equal normal forms mean equal answers; equal answers may still have different normal forms
(``1/2`` and ``0.5``), which is what ``equality`` is for.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from functools import lru_cache

from mathagent.answers.latex import MAX_LENGTH, matching_close, strip_wrappers, tidy, untext
from mathagent.answers.rational import exact_value
from mathagent.answers.units import split_unit

__all__ = ["exact_value", "normalize", "split_list"]

FLOAT_DIGITS = 15
"""A decimal of at least so many significant digits is a float's text: it is rounded to ROUNDED_DIGITS,
but never to fewer than MIN_PLACES decimals."""
ROUNDED_DIGITS = 12
MIN_PLACES = 3
MAX_PASSES = 4
DEFAULT_CURRENCY = "dollar"
"""Left out of normal forms: "$5" and "5" are written for each other everywhere."""

_INTEGER = re.compile(r"^[+-]?\d+\.?$")
_DECIMAL = re.compile(r"^[+-]?(?:\d+\.\d+|\.\d+)$")
_SCIENTIFIC = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|\s*\\cdot\s*10\^\{([+-]?\d{1,3})\})$")
_FRACTION = re.compile(r"^[+-]?(?:\d+ )?\d+/[+-]?\d+$|^[+-]?\d*\s*\\frac\{-?\d+\}\{-?\d+\}$")
_PERCENT = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))\s*(?:%|\\text\{\s*percent\s*\}|percent)$", re.IGNORECASE)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_SEPARATOR = re.compile(r"[,;]\s*(?:and|or)(?=[\s\\\d(])|[,;]|(?<=[\s\d)}])(?:and|or)(?=[\s\\\d(-])")


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """The normal form of an answer's text; "" where nothing is left. Idempotent.

    Numbers become an integer, the shortest decimal, or a reduced ``a/b``; units get one spelling; lists are joined
    by ", ".
    """
    if len(text) > MAX_LENGTH:
        return text.strip()
    for _ in range(MAX_PASSES):  # one pass settles what people write; malformed LaTeX may take more
        parts = [_normal_part(part) for part in split_list(tidy(text))]
        previous, text = text, ", ".join(part for part in parts if part)
        if text == previous:
            break
    return text


def split_list(text: str) -> list[str]:
    """The parts of a tidied list: split at commas, semicolons, "and", "or" outside all brackets."""
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] in "([{":
            close = matching_close(text, position)
            if close < 0:
                break
            position = close + 1
            continue
        match = _SEPARATOR.match(text, position)
        if match:
            parts.append(text[start:position])
            start = position = match.end()
            continue
        position += 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _normal_part(part: str) -> str:
    value, unit = split_unit(strip_wrappers(re.sub(r"^(?:\\approx|approximately|about|roughly)\s*", "", part)))
    number = _normal_number(value)
    if number is None:
        value = untext(value.replace("$", "")).strip()
        number = _normal_number(value)
    text = value if number is None else number
    letter = re.match(r"^[(\[]\s*([A-Za-z])\s*[)\]]$", text)
    if letter:
        text = letter.group(1)
    if text.lower() in _WORDS:
        text = str(_WORDS.index(text.lower()))
    return f"{text} {unit}" if text and unit not in ("", DEFAULT_CURRENCY) else text


def _normal_number(text: str) -> str | None:
    """The canonical text of a plain number; None where ``text`` is none."""
    percent = _PERCENT.match(text)
    if percent:
        return f"{_normal_number(percent.group(1))}%"
    if _INTEGER.match(text):
        digits = text.lstrip("+").rstrip(".")
        sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
        digits = digits.lstrip("0") or "0"
        return digits if digits == "0" else sign + digits
    if _DECIMAL.match(text) or _SCIENTIFIC.match(text):
        return _normal_decimal(text)
    if _FRACTION.match(text):
        value = exact_value(text)
        if value is not None:
            return str(value)
    return None


def _normal_decimal(text: str) -> str:
    match = _SCIENTIFIC.match(text)
    number = Decimal(f"{match.group(1)}e{match.group(2) or match.group(3)}" if match else text)
    digits = len(number.as_tuple().digits)
    if digits >= FLOAT_DIGITS and not match:
        places = max(ROUNDED_DIGITS - 1 - number.adjusted(), MIN_PLACES)
        number = number.quantize(Decimal(1).scaleb(-places), context=Context(prec=digits + ROUNDED_DIGITS))
    if number == 0:
        return "0"
    exponent = number.as_tuple().exponent
    trimmed = number.normalize(Context(prec=max(digits, 1)))
    if -20 <= trimmed.adjusted() <= 60 and isinstance(exponent, int):
        return format(trimmed, "f")
    return f"{trimmed:e}".replace("e+", "e")
