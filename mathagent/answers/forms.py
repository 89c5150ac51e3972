"""The shape of an answer: number, text, list, set, interval, matrix, equation, … Pure text work.

Shapes are found here, in text, and not by a computer-algebra parser: whether ``(1,2)`` is a point or an interval,
and whether a comma is a list, is a matter of how people write answers.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from mathagent.answers.form import Form
from mathagent.answers.inequalities import LONE_NAME, NAME, as_interval, without_minus
from mathagent.answers.latex import MAX_LENGTH, matching_close, strip_wrappers, tidy, untext
from mathagent.answers.normal import normalize, split_list
from mathagent.answers.rational import exact_value
from mathagent.answers.units import split_unit

_MEMBER = re.compile(rf"^({NAME})\\in ?(.*)$", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"^-?\d+,\d+(?![\d,.])")
_RELATION = re.compile(r"\\(?:le|ge|ne|approx|equiv)(?![a-zA-Z])|[<>=]")
_MATRIX = re.compile(
    r"^\\begin\{([pbB]?matrix|array)\}(?:\{[lcr| ]*\})?((?:(?!\\end\{).)*)\\end\{\1\}$", re.DOTALL
)
_BASED = re.compile(r"^(-?[0-9A-Z]+(?:\.[0-9A-Z]+)?)_\{(\d{1,2})\}$")
_RATIO = re.compile(r"^-?\d+(?:\.\d+)?(?::\d+(?:\.\d+)?)+$")
_DATE = re.compile(r"^\d{1,4}([/-])\d{1,2}\1\d{1,4}$")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z]+\}")
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
    decimal = _DECIMAL_COMMA.match(text) if len(items) == 2 else None
    value = Fraction(decimal.group().replace(",", ".")) if decimal else None
    return _solutions(items) or Form("list", normalize(text), tuple(items), value=value)


def _solutions(items: list[Form]) -> Form | None:
    """``p=5,q=2;p=7,q=2`` as the points (5,2), (7,2); the names in alphabetical order. None for any other list."""
    if any(item.kind != "equation" or not LONE_NAME.match(item.items[0].text) for item in items):
        return None
    names = [item.items[0].text for item in items]
    width = len(set(names))
    groups = [items[i : i + width] for i in range(0, len(items), width)]
    ordered = [sorted(group, key=lambda item: item.items[0].text) for group in groups]
    if width < 2 or len(groups) < 2 or any([i.items[0].text for i in o] != sorted(set(names)) for o in ordered):
        return None
    points = tuple(
        Form("tuple", f"({','.join(i.items[1].text for i in o)})", tuple(i.items[1] for i in o), brackets="()")
        for o in ordered
    )
    return Form("list", ", ".join(point.text for point in points), points)


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
        if len(operators) == 1 and LONE_NAME.match(sides[0]):
            operators = ["="]  # x \approx 11
        else:
            return _parse("".join(text[: found[-1].start()]), depth + 1)
    if set(operators) <= {"=", "\\equiv"}:
        if not _has_variables(sides[0]) and _is_outcome(sides[-1]):
            return _parse(sides[-1], depth + 1)  # 3 \cdot 24 = 72
        return Form("equation", normalize(text), (_parse(sides[0], depth + 1), _parse(sides[-1], depth + 1)))
    items = tuple(_parse(side, depth + 1) for side in sides)
    if all(operator in (">", "\\ge", "=") for operator in operators):
        items = tuple(reversed(items))
        operators = [_FLIPPED.get(operator, operator) for operator in reversed(operators)]
    return as_interval(*without_minus(items, operators)) or Form(
        "inequality", normalize(text), items, operators=tuple(operators)
    )


def _has_variables(text: str) -> bool:
    """Whether a side of an equation names anything: letters outside commands, or a text or letter command."""
    letters = re.sub(r"\\(?:sqrt|frac|cdot|binom|pi|sin|cos|tan|ln|log|infty|circ)(?![a-zA-Z])", "", text)
    return bool(re.search(r"[A-Za-z]", letters)) or text[:1] in ("\\{", "[")


def _is_outcome(side: str) -> bool:
    """Whether the right side of an equation is what its left side comes to: ``7 = 11a+c`` states something else."""
    value = re.sub(r"(?<![A-Za-z\\])[ei](?![A-Za-z])", "", split_unit(side)[0])
    return not (LONE_NAME.match(side) or _has_variables(value))


def _bracketed(text: str, depth: int) -> Form | None:
    braces = re.match(r"^\\\{(.*)\\\}$|^\{(.*)\}$", text, re.DOTALL)
    if braces and (text[0] == "\\" or matching_close(text, 0) == len(text) - 1):
        inner = (braces.group(1) if braces.group(1) is not None else braces.group(2)).strip()
        builder = re.match(rf"^({NAME})\s*[|:]\s*(.*)$", inner, re.DOTALL)
        if builder:
            condition = _parse(builder.group(2), depth + 1)
            if condition.kind == "tuple" and condition.variable == builder.group(1):
                return _with_variable(condition, "")  # bound: any other letter would do
        items = tuple(_parse(part, depth + 1) for part in split_list(inner))
        return Form("set", normalize(text), items, brackets="" if text[0] == "\\" else "{}")
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
    words = untext(_FUNCTION_WORDS.sub(" ", _ENVIRONMENT.sub(" ", text).replace("\\text", "")))
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
