"""LaTeX as MathML, which browsers draw by themselves. Pure; what comes out is safe to put into a page.

latex2mathml turns ``\\text{<script>}`` into a script and ``\\href`` into a link: its tree is therefore written anew
from lists of allowed elements and attributes, with every text escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import Literal
from xml.etree.ElementTree import Element

from mathagent.console.clean_text import clean

LONGEST = 2000  # characters of a formula; a longer one stays as written
DEEPEST = 60  # nested elements

# Element → how many children it must have (None: any), as MathML Core has it.
_ELEMENTS: dict[str, int | None] = {
    "math": None, "mrow": None, "mi": 0, "mn": 0, "mo": 0, "mtext": 0, "mspace": 0, "mstyle": None, "mpadded": None,
    "mphantom": None, "menclose": None, "msqrt": None, "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3,
    "munder": 2, "mover": 2, "munderover": 3, "mtable": None, "mtr": None, "mtd": None,
}  # fmt: skip
_ATTRIBUTES = frozenset(
    ("accent", "accentunder", "columnalign", "displaystyle", "fence", "form", "linethickness", "mathvariant",
     "movablelimits", "notation", "scriptlevel", "separator", "stretchy", "symmetric")
)  # fmt: skip
# Lengths only as the converter's own symbols have them: a formula must not be drawn over what stands beside it.
_LENGTHS = frozenset(("lspace", "maxsize", "minsize", "rspace", "width"))
_SMALL_LENGTH = re.compile(r"-?0?\.\d+em|[0-9](\.\d+)?em")
# Macros could grow a short formula beyond all bounds.
_REFUSED = ("\\newcommand", "\\renewcommand", "\\providecommand", "\\def", "\\let", "\\DeclareMathOperator")


@lru_cache(maxsize=4096)  # a report draws the same problem's formulas for each arm
def mathml(formula: str, display: Literal["inline", "block"] = "inline") -> str | None:
    """A ``<math>`` element for ``formula`` (without its delimiters); None where it cannot be read."""
    formula = clean(formula).strip()
    if not formula or len(formula) > LONGEST or any(command in formula for command in _REFUSED):
        return None
    from latex2mathml.converter import convert_to_element

    try:
        tree = convert_to_element(formula, display=display)
        inner = "".join(_written(child, DEEPEST) for child in tree)
    except Exception:  # noqa: BLE001 - the converter raises a dozen unrelated errors; all mean that it cannot be read
        return None
    return f'<math display="{display}"><semantics>{inner}{_annotation(formula)}</semantics></math>'


def _annotation(formula: str) -> str:
    """The source, for who copies the formula or hears the page."""
    return f'<annotation encoding="application/x-tex">{escape(formula)}</annotation>'


def _written(element: Element, depth: int) -> str:
    """``element`` as text. Raises ValueError for what is not MathML that we know, or is nested too deeply."""
    wanted = _ELEMENTS.get(element.tag, -1)
    if wanted == -1 or depth == 0 or wanted not in (None, len(element)):
        raise ValueError(f"<{element.tag}> with {len(element)} children")
    # The converter holds special characters as references, &#x0002B; for +.
    text = escape(unescape(element.text or ""))
    if "\\" in text and element.tag == "mi" and len(text) > 1:
        raise ValueError(f"unknown command {text}")
    attributes = "".join(
        f' {name}="{escape(value)}"'
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES or (name in _LENGTHS and _SMALL_LENGTH.fullmatch(value))
    )
    children = "".join(_written(child, depth - 1) for child in element)
    return f"<{element.tag}{attributes}>{text}{children}</{element.tag}>"
