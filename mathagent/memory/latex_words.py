"""LaTeX in words: what a problem is about, for parts of memory that know words and not notation. Pure text work."""

from __future__ import annotations

import re

_WORDS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac"), "fraction"),
    **dict.fromkeys(("le", "leq", "leqslant"), "at most"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "at least"),
    **dict.fromkeys(("ne", "neq"), "not equal"),
    **dict.fromkeys(("log", "ln"), "logarithm"),
    **dict.fromkeys(("lfloor", "rfloor"), "floor"),
    **dict.fromkeys(("lceil", "rceil"), "ceiling"),
    **dict.fromkeys(("pmod", "bmod", "mod"), "modulo"),
    **dict.fromkeys(("binom", "dbinom", "tbinom", "choose"), "binomial"),
    **dict.fromkeys(("pmatrix", "bmatrix", "vmatrix", "matrix"), "matrix"),
    **dict.fromkeys(("mathbf", "vec", "overrightarrow"), "vector"),
    **dict.fromkeys(("cap", "bigcap"), "intersection"),
    **dict.fromkeys(("cup", "bigcup"), "union"),
    "sqrt": "square root",
    "sin": "sine",
    "cos": "cosine",
    "tan": "tangent",
    "cot": "cotangent",
    "prod": "product",
    "int": "integral",
    "lim": "limit",
    "det": "determinant",
    "gcd": "greatest common divisor",
    "lcm": "least common multiple",
    "circ": "degrees",
    "div": "divided by",
    "infty": "infinity",
    "equiv": "congruent",
    "cong": "congruent",
    "sim": "similar",
    "perp": "perpendicular",
    "partial": "derivative",
    "nabla": "gradient",
    "forall": "for all",
    "exists": "exists",
}
"""Commands that say what a formula is about; others keep their name (theta, angle, triangle, sum)."""

_LAYOUT_COMMANDS = """
begin end left right big Big bigg Bigg bigl bigr text textbf textit textrm mathrm mathit mathcal mathbb mbox
operatorname displaystyle overline underline boxed quad qquad hspace vspace cdot cdots ldots dots times array align
aligned cases hline label tag nonumber limits hfill in to
"""
_LAYOUT = frozenset(_LAYOUT_COMMANDS.split())
"""Commands that say how a formula looks."""

_DRAWING = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
_COMMAND = re.compile(r"\\(?:begin|end)\s*\{\s*([A-Za-z]+)\*?\s*\}|\\([A-Za-z]+)")


def in_words(text: str) -> str:
    r"""``text`` with LaTeX commands as words (``\sqrt{3}`` → ``square root {3}``) and Asymptote drawings left out."""
    text = _DRAWING.sub(" diagram ", text)
    return _COMMAND.sub(_spoken, text) if "\\" in text else text


def _spoken(match: re.Match[str]) -> str:
    name = match[1] or match[2]
    return " " if name in _LAYOUT else f" {_WORDS.get(name, name)} "


def without_layout(text: str) -> str:
    """``text`` without drawings and commands of layout; other commands keep their names (``\\frac`` → ``frac``)."""
    text = _DRAWING.sub(" ", text)
    return _COMMAND.sub(_named, text) if "\\" in text else text


def _named(match: re.Match[str]) -> str:
    name = match[1] or match[2]
    return " " if name in _LAYOUT else f" {name} "
