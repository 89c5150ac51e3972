"""Inequalities that bound one variable: as an interval. Pure text work."""

from __future__ import annotations

import re

from mathagent.answers.form import Form

NAME = (
    r"(?:\\text\{[^{}]*\}|\\angle ?[A-Za-z]+|\\(?:overline|vec|widehat)\{[A-Za-z]+\}|\\[a-zA-Z]+|[A-Za-z]+)"
    r"(?:_\{[^{}]*\})?'*(?:\^\{-1\})?(?:\([A-Za-z](?:,[A-Za-z])*\))?"
)
"""What people call a value by: ``x``, ``\\theta_{1}``, ``f(x)``, ``\\overline{AB}``, ``\\angle ABC``, a word."""
LONE_NAME = re.compile(rf"^{NAME}(?: [A-Za-z]+)*$")


def without_minus(items: tuple[Form, ...], operators: list[str]) -> tuple[tuple[Form, ...], list[str]]:
    """``-1 < -x`` as ``x < 1``; all else as it is."""
    at = [i for i, item in enumerate(items) if item.text[:1] == "-" and LONE_NAME.match(item.text[1:])]
    at = [i for i in at if items[i].text != "-\\infty"]
    if len(at) != 1 or len(items) > 3:
        return items, operators
    return tuple(_negated(item) for item in reversed(items)), list(reversed(operators))


def _negated(item: Form) -> Form:
    if item.value is not None:
        return Form("number", str(-item.value), value=-item.value)
    return Form("expression", item.text[1:] if LONE_NAME.match(item.text[1:]) else f"-({item.text})")


def as_interval(items: tuple[Form, ...], operators: list[str]) -> Form | None:
    """``-2 \\le x < 1`` as the interval ``[-2,1)``; None where it is no bound on one bare variable."""
    if not set(operators) <= {"<", "\\le"} or len(items) > 3:
        return None
    at = [i for i, item in enumerate(items) if LONE_NAME.match(item.text) and not item.text.startswith("\\infty")]
    bounded = [item.kind in ("number", "expression") for i, item in enumerate(items) if i not in at]
    if len(at) != 1 or not all(bounded) or (len(items) == 3 and at != [1]):
        return None
    left_end = items[0] if at[0] > 0 else Form("expression", "-\\infty")
    right_end = items[-1] if at[0] < len(items) - 1 else Form("expression", "\\infty")
    opening = "[" if at[0] > 0 and operators[0] == "\\le" else "("
    closing = "]" if at[0] < len(items) - 1 and operators[-1] == "\\le" else ")"
    text = f"{opening}{left_end.text},{right_end.text}{closing}"
    return Form("tuple", text, (left_end, right_end), brackets=opening + closing, variable=items[at[0]].text)
