"""The shape of an answer: number, text, list, set, interval, matrix, equation, … Pure text work.

Shapes are found here, in text, and not by a computer-algebra parser: whether ``(1,2)`` is a point or an interval,
and whether a comma is a list, is a matter of how people write answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from mathagent.answers.latex import MAX_LENGTH, matching_close, strip_wrappers, tidy, untext
from mathagent.answers.normal import normalize, split_list
from mathagent.answers.rational import exact_value
from mathagent.answers.units import split_unit

Kind = Literal[
    "number",  # value is its exact value
    "expression",
    "text",
    "list",  # bare, order-free
    "set",
    "tuple",  # brackets tells points, intervals and program lists apart
    "union",
    "matrix",  # items are its rows, each a tuple
    "equation",  # items are its two sides
    "inequality",  # items are the compared values, operators stand between them
    "based",  # a numeral with its base: items are empty, text is the numeral
    "ratio",  # items are its parts
]


@dataclass(frozen=True)
class Form:
    """A parsed answer. ``text`` is its normal form; the other fields are set as ``kind`` asks for them."""

    kind: Kind
    text: str
    items: tuple[Form, ...] = ()
    value: Fraction | None = None
    unit: str = ""
    brackets: str = ""
    operators: tuple[str, ...] = ()
    variable: str = ""

    @property
    def decimals(self) -> int | None:
        """How many decimals a number is written with; None for an exact one (``1/3``, ``\\frac{1}{3}``)."""
        match = re.match(r"^-?\d+(?:\.(\d+))?(?:e(-?\d+))?%?$", self.text.split(" ")[0])
        if not match or (match.group(1) is None and match.group(2) is None):
            return None
        return len(match.group(1) or "") - int(match.group(2) or 0) + (2 if "%" in self.text else 0)

    @property
    def significant_digits(self) -> int:
        """Significant digits a number is written with."""
        return len(re.sub(r"e.*|\D", "", self.text.split(" ")[0]).lstrip("0"))

    def brackets_match(self, other: Form) -> bool:
        """Whether two tuples are bracketed alike. The kind of bracket matters for two members: an interval."""
        if self.brackets == other.brackets:
            return True
        plain = ("()", "[]", "<>")
        unlike_interval = len(self.items) != 2 or "<>" in (self.brackets, other.brackets)
        return unlike_interval and self.brackets in plain and other.brackets in plain


_NAME = (
    r"(?:\\text\{[^{}]*\}|\\angle ?[A-Za-z]+|\\(?:overline|vec|widehat)\{[A-Za-z]+\}|\\[a-zA-Z]+|[A-Za-z]+)"
    r"(?:_\{[^{}]*\})?'*(?:\^\{-1\})?(?:\([A-Za-z](?:,[A-Za-z])*\))?"
)
_LONE_NAME = re.compile(rf"^{_NAME}(?: [A-Za-z]+)*$")
_MEMBER = re.compile(rf"^({_NAME})\\in ?(.*)$", re.DOTALL)
_RELATION = re.compile(r"\\(?:le|ge|ne|approx|equiv)(?![a-zA-Z])|[<>=]")
_MATRIX = re.compile(r"^\\begin\{([pbB]?matrix|array)\}(?:\{[lcr| ]*\})?(.*)\\end\{\1\}$", re.DOTALL)
_BASED = re.compile(r"^(-?[0-9A-Z]+(?:\.[0-9A-Z]+)?)_\{(\d{1,2})\}$")
_RATIO = re.compile(r"^-?\d+(?:\.\d+)?(?::\d+(?:\.\d+)?)+$")
_DATE = re.compile(r"^\d{1,4}([/-])\d{1,2}\1\d{1,4}$")
_FUNCTION_WORDS = re.compile(r"\\[a-zA-Z]+")
_FLIPPED = {">": "<", "\\ge": "\\le"}
MAX_DEPTH = 12
_WHOLE_LINE = "\\mathbb{R}"


@lru_cache(maxsize=4096)
def parse_form(text: str) -> Form:
    """The shape of ``text`` (an answer as written, or its normal form). Never fails: the last resort is "text"."""
    return Form("text", text.strip()) if len(text) > MAX_LENGTH else _parse(tidy(text), depth=0)


def _parse(text: str, depth: int) -> Form:
    text = strip_wrappers(text)
    if depth > MAX_DEPTH or _is_prose(text):
        return Form("text", normalize(text))
    approximate = re.match(r"^(?:\\approx|approximately|about|roughly)\s*(.+)$", text, re.DOTALL)
    if approximate:
        return _parse(approximate.group(1), depth + 1)
    parts = split_list(text)
    if len(parts) > 1:
        return _list(text, parts, depth)
    if "\\pm" in text or "\\mp" in text:
        return _plus_minus(text, depth)
    member = _MEMBER.match(text)
    if member and not member.group(2).startswith("\\mathbb"):
        inner = _parse(member.group(2), depth + 1)
        return inner if inner.kind == "text" else _with_variable(inner, member.group(1))
    for attempt in (_union, _relation, _bracketed, _matrix):
        form = attempt(text, depth)
        if form is not None:
            return form
    return _leaf(text)


def _with_variable(form: Form, variable: str) -> Form:
    return Form(form.kind, form.text, form.items, form.value, form.unit, form.brackets, form.operators, variable)


def _list(text: str, parts: list[str], depth: int) -> Form:
    items = [_parse(part, depth + 1) for part in parts]
    shared = next((item.unit for item in reversed(items) if item.unit), "")
    if shared:  # "3 and 5 cm": the unit behind the last holds for all
        items = [
            Form("number", item.text, value=item.value, unit=shared)
            if item.kind == "number" and not item.unit
            else item
            for item in items
        ]
    return Form("list", normalize(text), tuple(items))


def _plus_minus(text: str, depth: int) -> Form:
    above = text.replace("\\pm", "+").replace("\\mp", "-")
    below = text.replace("\\pm", "-").replace("\\mp", "+")
    return Form("list", normalize(text), tuple(_parse(tidy(version), depth + 1) for version in (above, below)))


def _top_level(text: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """Matches of ``pattern`` outside all brackets."""
    found, position = [], 0
    while position < len(text):
        if text[position] in "([{":
            close = matching_close(text, position)
            if close < 0:
                break
            position = close + 1
            continue
        match = pattern.match(text, position)
        if match:
            found.append(match)
            position = match.end()
        else:
            position += 1
    return found


def _split_at(text: str, matches: list[re.Match[str]]) -> list[str]:
    edges = [0, *(edge for match in matches for edge in match.span()), len(text)]
    return [text[edges[i] : edges[i + 1]].strip() for i in range(0, len(edges), 2)]


def _union(text: str, depth: int) -> Form | None:
    cups = _top_level(text, re.compile(r"\\cup(?![a-zA-Z])"))
    if not cups:
        return None
    parts = _split_at(text, cups)
    if not all(parts):
        return None
    return Form("union", normalize(text), tuple(_parse(part, depth + 1) for part in parts))


def _relation(text: str, depth: int) -> Form | None:
    if text.startswith("\\begin"):
        return None
    found = _top_level(text, _RELATION)
    sides = _split_at(text, found)
    if not found or not all(sides):
        return None
    operators = [match.group() for match in found]
    if operators[-1] == "\\approx":
        return _parse("".join(text[: found[-1].start()]), depth + 1)
    if set(operators) <= {"=", "\\equiv"}:
        if not _has_variables(sides[0]) and not _LONE_NAME.match(sides[-1]):
            return _parse(sides[-1], depth + 1)  # 3 \cdot 24 = 72
        return Form("equation", normalize(text), (_parse(sides[0], depth + 1), _parse(sides[-1], depth + 1)))
    items = tuple(_parse(side, depth + 1) for side in sides)
    if all(operator in (">", "\\ge", "=") for operator in operators):
        items = tuple(reversed(items))
        operators = [_FLIPPED.get(operator, operator) for operator in reversed(operators)]
    return _as_interval(items, operators) or Form("inequality", normalize(text), items, operators=tuple(operators))


def _has_variables(text: str) -> bool:
    """Whether a side of an equation names anything: letters outside commands, or a text or letter command."""
    letters = re.sub(r"\\(?:sqrt|frac|cdot|binom|pi|sin|cos|tan|ln|log|infty|circ)(?![a-zA-Z])", "", text)
    return bool(re.search(r"[A-Za-z]", letters)) or text[:1] in ("\\{", "[")


def _as_interval(items: tuple[Form, ...], operators: list[str]) -> Form | None:
    """``-2 \\le x < 1`` as the interval ``[-2,1)``; None where it is no bound on one bare variable."""
    if not set(operators) <= {"<", "\\le"} or len(items) > 3:
        return None
    at = [i for i, item in enumerate(items) if _LONE_NAME.match(item.text) and not item.text.startswith("\\infty")]
    bounded = [item.kind in ("number", "expression") for i, item in enumerate(items) if i not in at]
    if len(at) != 1 or not all(bounded) or (len(items) == 3 and at != [1]):
        return None
    left_end = items[0] if at[0] > 0 else _leaf("-\\infty")
    right_end = items[-1] if at[0] < len(items) - 1 else _leaf("\\infty")
    opening = "[" if at[0] > 0 and operators[0] == "\\le" else "("
    closing = "]" if at[0] < len(items) - 1 and operators[-1] == "\\le" else ")"
    text = f"{opening}{left_end.text},{right_end.text}{closing}"
    return Form("tuple", text, (left_end, right_end), brackets=opening + closing, variable=items[at[0]].text)


def _bracketed(text: str, depth: int) -> Form | None:
    braces = re.match(r"^\\\{(.*)\\\}$|^\{(.*)\}$", text, re.DOTALL)
    if braces and (text[0] == "\\" or matching_close(text, 0) == len(text) - 1):
        inner = (braces.group(1) if braces.group(1) is not None else braces.group(2)).strip()
        builder = re.match(rf"^({_NAME})\s*[|:]\s*(.*)$", inner, re.DOTALL)
        if builder:
            condition = _parse(builder.group(2), depth + 1)
            if condition.kind == "tuple" and condition.variable == builder.group(1):
                return condition
        items = tuple(_parse(part, depth + 1) for part in split_list(inner))
        return Form("set", normalize(text), items)
    angle = re.match(r"^\\langle\s*(.*?)\s*\\rangle$", text, re.DOTALL)
    if angle:
        items = tuple(_parse(part, depth + 1) for part in split_list(angle.group(1)))
        return Form("tuple", normalize(text), items, brackets="<>")
    if text[:1] in ("(", "[") and matching_close(text, 0) == len(text) - 1:
        parts = split_list(text[1:-1])
        if len(parts) == 1 and text[0] + text[-1] == "()":
            return _parse(parts[0], depth + 1)
        items = tuple(_parse(part, depth + 1) for part in parts)
        return Form("tuple", normalize(text), items, brackets=text[0] + text[-1])
    return None


def _matrix(text: str, depth: int) -> Form | None:
    match = _MATRIX.match(text.removeprefix("[").removesuffix("]").removeprefix("(").removesuffix(")"))
    if not match:
        return None
    rows = []
    for line in re.split(r"\\\\|\\cr(?![a-zA-Z])", match.group(2)):
        if line.strip():
            cells = tuple(_parse(cell, depth + 1) for cell in line.split("&"))
            rows.append(Form("tuple", ",".join(cell.text for cell in cells), cells, brackets="[]"))
    return Form("matrix", normalize(text), tuple(rows))


def _leaf(text: str) -> Form:
    value, unit = split_unit(text)
    value = strip_wrappers(value)
    normal = normalize(value)
    based = _BASED.match(normal)
    if based:
        return Form("based", normal, value=Fraction(int(based.group(2))), unit=unit)
    if _RATIO.match(normal):
        parts = tuple(Form("number", part, value=exact_value(part)) for part in normal.split(":"))
        return Form("ratio", normal, parts, unit=unit)
    # Through the normal form, which drops the noise of floats.
    exact = exact_value(normal)
    if exact is not None:
        return Form("number", normal, value=exact, unit=unit)
    if normal == _WHOLE_LINE or normal.lower() in ("all real numbers", "all reals"):
        return parse_form("(-\\infty,\\infty)")
    return Form("text" if _is_text(value) else "expression", normal, unit=unit)


def _is_prose(text: str) -> bool:
    """Whether this is a sentence: five words or more outside mathematics."""
    words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", untext(text))
    return len([word for word in words if word.lower() not in ("and", "sin", "cos", "tan", "log")]) >= 5


def _is_text(text: str) -> bool:
    """Whether a leaf is words (or a letter, a date) rather than mathematics."""
    words = untext(_FUNCTION_WORDS.sub(" ", text.replace("\\text", "")))
    if (
        _DATE.match(text)
        or text.lower() in ("no", "yes")
        or ("\\text" in text and not re.search(r"[\d^+=]", text))
    ):
        return True
    if re.fullmatch(r"[^\d\\+*/^_=()|-]*", text) and not re.fullmatch(r"[a-z]{1,2}|[a-z](?: [a-z])*", text):
        return True
    longest = max((len(word) for word in re.findall(r"[A-Za-z]+", words)), default=0)
    others = [character for character in words if ord(character) > 127 and character.isalpha()]
    return longest >= 5 or bool(others) or (longest >= 3 and not re.search(r"[\d^+*/=\\(]", text))
