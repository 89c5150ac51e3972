from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.latex_words import in_words, without_layout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"$\frac{1}{2}$", "$ fraction {1}{2}$"),
        (r"\sqrt[3]{x} \le \sin\theta", "square root [3]{x} at most sine theta"),
        (r"\begin{pmatrix} a \\ b \end{pmatrix}", r"matrix a \\ b matrix"),
        (r"\left( \text{apples} \right)", "( {apples} )"),
        ("No LaTeX at all", "No LaTeX at all"),
        ("See [asy] draw((0,0)--(1,1)); [/asy] and [asy] unfinished", "See diagram and diagram"),
    ],
)
def test_commands_become_words(text: str, words: str) -> None:
    assert " ".join(in_words(text).split()) == words


def test_names_stay_where_only_layout_goes() -> None:
    text = r"\left(\dfrac{a}{b}\right) \cdot \triangle [asy] dot((1,1)); [/asy] end"
    assert " ".join(without_layout(text).split()) == "( dfrac {a}{b} ) triangle end"


@given(st.text(alphabet="\\ab{}[]asy/ \n$1", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for plain in (in_words(text), without_layout(text)):
        assert "[asy]" not in plain or "[asy]" not in text.replace("\\", "")
