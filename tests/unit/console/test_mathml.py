from __future__ import annotations

from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathagent.console.mathml import DEEPEST, LONGEST, mathml

ALLOWED = {"math", "semantics", "annotation", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "mpadded"}
ALLOWED |= {"mphantom", "menclose", "msqrt", "mfrac", "mroot", "msub", "msup", "msubsup", "munder", "mover"}
ALLOWED |= {"munderover", "mtable", "mtr", "mtd"}
PIECES = st.sampled_from(
    (r"\frac", r"\sqrt", "{", "}", "x", "12", "^", "_", r"\left(", r"\right)", r"\begin{matrix}", r"\end{matrix}",
     "&", r"\\", r"\text{<b>", "'", "$", r"\href{javascript:a}", r"\style{x:y}", r"\color{red}", "<", ">", '"',
     r"\nope", r"\rule{9em}{9em}", r"\hspace{999em}", "\x00", "\u202e", "\ud800", r"\class{a}", r"\binom",
     r"\substack", "é")
)  # fmt: skip


def shape(formula: str) -> str:
    """The elements of a formula, for comparison: ``mfrac(mn mn)``."""

    def of(element: ElementTree.Element) -> str:
        inner = " ".join(of(child) for child in element)
        return f"{element.tag}({inner})" if inner else f"{element.tag}:{element.text or ''}"

    drawn = mathml(formula)
    assert drawn is not None
    semantics = ElementTree.fromstring(drawn)[0]
    assert semantics[1].text == formula
    return of(semantics[0])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"\frac{1}{2}", "mrow(mfrac(mrow(mn:1) mrow(mn:2)))"),
        (r"x^2", "mrow(msup(mi:x mn:2))"),
        (r"\sqrt[3]{2}", "mrow(mroot(mrow(mn:2) mn:3))"),
        (r"a < b", "mrow(mi:a mo:< mi:b)"),
        (r"\alpha \in \mathbb{R}", "mrow(mi:α mo:∈ mi:ℝ)"),
        (r"12\text{ cm}", "mrow(mn:12 mtext:\xa0cm)"),
    ],
)
def test_formulas(formula: str, expected: str) -> None:
    assert shape(formula).replace("mtext: ", "mtext:\xa0") == expected


TOO_DEEP = DEEPEST + 1


@pytest.mark.parametrize(
    "formula",
    ["", " ", r"\frac{1}", r"\left( x", "}{", r"\nosuchcommand x", "a_b_c", "{" * 900 + "}" * 900,
     "x" * (LONGEST + 1), r"\newcommand{\a}{xx}\a", r"\def\a{xx}\a", "{" * TOO_DEEP + "x" + "}" * TOO_DEEP],
)  # fmt: skip
def test_what_cannot_be_read_is_none(formula: str) -> None:
    assert mathml(formula) is None


def test_markup_in_a_formula_is_text() -> None:
    drawn = mathml(r"\text{<script>alert(1)</script>} + \text{</math><b>}")
    assert drawn is not None
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert drawn.count("</math>") == 1
    assert "<script>alert(1)</script>" in unescape(drawn)


def test_links_styles_and_big_boxes_are_dropped() -> None:
    for formula in (r"\href{javascript:alert(1)}{x}", r"\style{position:fixed}{x}", r"\class{answer}{x}"):
        drawn = mathml(formula)
        assert drawn is not None
        (element,) = ElementTree.fromstring(drawn).iter("mi")
        assert element.text == "x"
        assert drawn.split("<annotation")[0].replace('display="inline"', "").count('="') == 0
    assert "999" not in (mathml(r"x\hspace{999em}y") or "").split("<annotation")[0]


@settings(max_examples=300, deadline=2000)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
@example(r"\textcolor{\" onclick=\"alert(1)}{x}")
def test_anything_gives_known_elements_or_none(formula: str) -> None:
    drawn = mathml(formula)
    if drawn is None:
        return
    drawn.encode("utf-8")
    for element in ElementTree.fromstring(drawn).iter():
        assert element.tag in ALLOWED
        assert not {"href", "style", "class", "id", "mathcolor", "mathbackground"} & element.attrib.keys()
        assert not any(name.startswith("on") for name in element.attrib)
