"""Are two answers the same? The fast half runs anywhere, the full one only in a worker process.

``compare_fast`` decides what plain text work can decide, in bounded time. ``compare`` decides the rest with SymPy
and may hang: it runs only in worker processes that are killed at a deadline (sandbox/calls.py). The conventions are
those of ``matching``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mathagent.answers.forms import parse_form
from mathagent.answers.matching import same_form
from mathagent.answers.normal import normalize
from mathagent.answers.rational import beyond_reach

Verdict = Literal["equal", "different", "undecided"]


class Judgement(NamedTuple):
    """A verdict and why, in a few words."""

    verdict: Verdict
    reason: str


def compare_fast(a: str | None, b: str | None, *, lenient: bool = False) -> Judgement | None:
    """Decides what needs no computer algebra; None where that is needed. Bounded time, never raises."""
    first, second = sorted((a or "", b or ""))
    normal_first, normal_second = normalize(first), normalize(second)
    if not normal_first or not normal_second:
        return Judgement("different", "no answer")
    if normal_first == normal_second:
        return Judgement("equal", "same normal form")
    same = same_form(parse_form(first), parse_form(second), lambda x, y, lenient: None, lenient)
    if same is None:
        if beyond_reach(normal_first) or beyond_reach(normal_second):
            return Judgement("undecided", "a power or factorial is too large to be evaluated")
        return None
    return Judgement("equal" if same else "different", "by shape and exact value")


def compare(a: str, b: str, lenient: bool = False) -> list[str]:
    """[verdict, reason], by all means. May hang or exhaust memory: call it in a worker process."""
    decided = compare_fast(a, b, lenient=lenient)
    if decided is not None:
        return list(decided)
    from mathagent.answers.symbolic import same_leaf

    first, second = sorted((a, b))
    same = same_form(parse_form(first), parse_form(second), same_leaf, lenient)
    if same is None:
        return ["undecided", "the answers could not be read as mathematics"]
    return ["equal" if same else "different", "by computer algebra"]


def probe(text: str) -> bool:
    """Whether ``text`` can be read and evaluated at all. May hang: call it in a worker process."""
    compare(text, "7391 x + 4")
    return True


def warm_up() -> None:
    """Loads what ``compare`` needs (about 1.5 s)."""
    from mathagent.answers import symbolic

    symbolic.warm_up()
