"""The answer in a program's value: the text that Python or SymPy print becomes mathematics. Pure text work."""

from __future__ import annotations

import re
from collections.abc import Callable

from mathagent.answers.latex import matching_close
from mathagent.answers.normal import normalize, split_list
from mathagent.types import Answer

_NO_ANSWER = frozenset(
    {"", "none", "nan", "inf", "-inf", "zoo", "[]", "()", "{}", "set()", "emptyset", "...", "null"}
)
_OBJECT = re.compile(r"^<.*>$|^Traceback\b", re.DOTALL)
_SCALARS = "Integer|Float|Decimal|mpf|(?:np|numpy)\\.(?:float|int|bool|str)\\w*|str|int|float"
_COLLECTIONS = "list|tuple|array|(?:np|numpy)\\.array|dict_values|dict_keys|frozenset|set|Tuple"
_MATRICES = "(?:Immutable|Mutable)?(?:Dense|Sparse)?Matrix"
_BRACKETS = {"": "[]", ".open": "()", ".Lopen": "(]", ".Ropen": "[)"}


def answer_from_value(value: str) -> Answer | None:
    """The answer in the text of a program's value; None for None, NaN, an infinite float, or an object without one.

    ``Fraction(1, 2)`` becomes ``1/2``, ``Matrix([[1, 2]])`` a LaTeX matrix, ``{x: 2}`` becomes ``x = 2``, ``3*I``
    becomes ``3*i``. ``raw`` is the readable text, not Python's.
    """
    text = _unquoted(value.strip())
    if text.lower() in _NO_ANSWER or _OBJECT.match(text):
        return None
    text = _readable(text)
    normal = normalize(text)
    return Answer(raw=text, normal=normal) if normal and normal.lower() not in _NO_ANSWER else None


def _unquoted(text: str) -> str:
    quoted = re.fullmatch(r"b?(['\"])(.*)\1", text, re.DOTALL)
    return quoted.group(2).strip() if quoted and quoted.group(1) not in quoted.group(2) else text


def _readable(text: str) -> str:
    text = _replace_calls(text, "Fraction|Rational", lambda name, parts: _joined(parts, "/"))
    text = _replace_calls(text, _SCALARS, lambda name, parts: _unquoted(parts[0]) if parts else "")
    text = _replace_calls(text, _MATRICES, _matrix)
    text = _replace_calls(text, _COLLECTIONS, lambda name, parts: parts[0] if parts else "[]")
    text = _replace_calls(text, r"Interval(?:\.open|\.Lopen|\.Ropen)?", _interval)
    text = _replace_calls(text, "FiniteSet", lambda name, parts: "{" + ", ".join(parts) + "}")
    text = _replace_calls(text, "Union", lambda name, parts: " \\cup ".join(parts))
    text = _replace_calls(text, "Eq", lambda name, parts: " = ".join(parts[:2]))
    text = _replace_calls(text, "log", _logarithm)
    for name, opening, closing in (("floor", "\\lfloor ", "\\rfloor "), ("ceiling|ceil", "\\lceil ", "\\rceil ")):
        text = _replace_calls(text, name, lambda _, parts, o=opening, c=closing: o + ", ".join(parts) + c)  # type: ignore[misc]
    text = re.sub(r"(?<![A-Za-z0-9_\\])(Delta|Omega|Gamma|Sigma|Phi|Lambda)(?![A-Za-z])", r"\\\1 ", text)
    text = _replace_calls(text, "binomial", lambda name, parts: "\\binom{" + "}{".join(parts) + "}")
    text = _replace_calls(text, "factorial", lambda name, parts: f"({', '.join(parts)})!")
    text = _replace_calls(text, "Abs", lambda name, parts: f"|{', '.join(parts)}|")
    text = re.sub(r"(?<![A-Za-z0-9_\\])E(?![A-Za-z0-9_(])", "e", text)
    text = re.sub(r"(?<![A-Za-z0-9_])I(?![A-Za-z0-9_(])", "i", text)
    text = re.sub(r"(?<=\d)j(?![A-Za-z0-9_])", "i", text)
    text = re.sub(r"(['\"])([^'\"]*)\1", r"\2", text)
    return _mappings(text)


def _replace_calls(text: str, names: str, build: Callable[[str, list[str]], str]) -> str:
    """Replaces each call of one of ``names`` by what ``build`` makes of its name and its arguments."""
    pattern = re.compile(rf"(?<![A-Za-z0-9_.\\])({names})\(")
    position = 0
    while match := pattern.search(text, position):
        close = matching_close(text, match.end() - 1)
        if close < 0:
            break
        built = build(match.group(1), split_list(text[match.end() : close]))
        text = text[: match.start()] + built + text[close + 1 :]
        position = match.start()
        if re.match(pattern, built):  # never the same call again
            position += len(match.group(1))
    return text


def _joined(parts: list[str], operator: str) -> str:
    return (
        operator.join(parts)
        if all(re.fullmatch(r"-?\d+", part) for part in parts)
        else f"({operator.join(parts)})"
    )


def _logarithm(name: str, parts: list[str]) -> str:
    """Python's and SymPy's log is the natural one, or has its base behind it."""
    quotient = [f"\\ln({part})" for part in parts]
    return quotient[0] if len(parts) == 1 else "(" + "/".join(quotient) + ")"


def _matrix(name: str, parts: list[str]) -> str:
    if len(parts) != 1 or not parts[0].startswith("["):
        return f"{name}(" + ", ".join(parts) + ")"
    rows = [row.strip() for row in split_list(parts[0][1:-1])]
    lines = [" & ".join(split_list(row[1:-1])) if row.startswith("[") else row for row in rows]
    return "\\begin{pmatrix} " + " \\\\ ".join(lines) + " \\end{pmatrix}"


def _interval(name: str, parts: list[str]) -> str:
    brackets = _BRACKETS[name.removeprefix("Interval")]
    if len(parts) == 4:  # Interval(a, b, left_open, right_open)
        brackets = ("(" if parts[2] in ("True", "true") else "[") + (")" if parts[3] in ("True", "true") else "]")
    ends = [part if part not in ("oo", "-oo") else part.replace("oo", "\\infty") for part in parts[:2]]
    if ends[0].startswith("-\\infty"):
        brackets = "(" + brackets[1]
    if ends[-1] == "\\infty":
        brackets = brackets[0] + ")"
    return brackets[0] + ", ".join(ends) + brackets[1]


def _mappings(text: str) -> str:
    """``{x: 2, y: 3}`` → ``x = 2, y = 3``; a list of one-entry mappings becomes a list of equations."""

    def equations(match: re.Match[str]) -> str:
        entries = [entry.partition(":") for entry in split_list(match.group(1))]
        return ", ".join(f"{name.strip()} = {value.strip()}" for name, _, value in entries)

    replaced = re.sub(r"\{((?:\s*[A-Za-z]\w*\s*:[^{}:]*)+)\}", equations, text)
    listed = re.fullmatch(r"\[([^\[\]]*=[^\[\]]*)\]", replaced)
    return listed.group(1) if listed and replaced != text else replaced
