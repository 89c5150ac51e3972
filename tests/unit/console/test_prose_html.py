from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.console.prose_html import LONGEST, code_html, formula_html, pre_html, prose_html, text_html


class Shown(HTMLParser):
    """What a page shows: its text without formulas' sources, its elements and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes, self._hidden = "", [], [], 0
        self.feed(str(page))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._hidden += tag == "annotation"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "annotation"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def test_prose_has_lists_tables_bold_code_and_formulas() -> None:
    page = prose_html(
        "# Plan\n1. Take $x_1$.\n2. **Then** run `f(x)`.\n\n| n | $a_n$ |\n|---|--:|\n| 1 | 2 |\n\n"
        "```python\nx = 'a'\n```\n\\[ \\frac{1}{2} \\]"
    )
    shown = Shown(page)
    for tag in ("ol", "li", "strong", "code", "table", "pre", "math", "mfrac", "msub"):
        assert tag in shown.tags, tag
    assert 'display="block"' in page
    assert "h1" not in shown.tags  # a reply's headings are not the page's
    assert "style" not in shown.attributes
    assert "Plan" in shown.text


@pytest.mark.parametrize(
    "text",
    ["2*3*4 = 24", "a_1_b", "> 5 is more", "<script>alert(1)</script>", "[x](javascript:alert(1))", "&lt;b&gt;",
     "![x](http://e/x)", "it costs $5 and $6", "<http://example.com>", "[a]: http://example.com", "</style></pre>"],
)  # fmt: skip
def test_what_is_no_markdown_of_ours_stays_as_written(text: str) -> None:
    shown = Shown(prose_html(text))
    assert shown.text.strip() == text
    assert shown.tags == ["p"]


def test_a_formula_that_cannot_be_read_stays_as_written() -> None:
    shown = Shown(prose_html(r"Take $\frac{1}$ and $\left( x$."))
    assert shown.text.strip() == r"Take $\frac{1}$ and $\left( x$."
    assert "math" not in shown.tags


def test_dollars_in_code_are_dollars() -> None:
    shown = Shown(prose_html("`a$b$c` and\n```\necho $x$ \\(y\\)\n```"))
    assert "a$b$c" in shown.text
    assert "echo $x$ \\(y\\)" in shown.text
    assert "math" not in shown.tags


def test_environments_need_no_delimiters_and_bare_commands_read_well() -> None:
    shown = Shown(prose_html("So\n\\begin{align*}x &= 1 \\\\ y &= 2\\end{align*}\nand \\frac{3}{4} of \\pi"))
    assert "mtable" in shown.tags
    assert "and 3/4 of π" in shown.text


def test_a_stand_in_cannot_be_forged() -> None:
    shown = Shown(prose_html("\ue0000\ue001 $x$ \ue00099\ue001"))
    assert shown.tags.count("math") == 1
    assert shown.text.replace(" ", "").strip() == "0x99"


def test_problems_keep_their_lines_and_are_no_markdown() -> None:
    page = text_html("1. **Find**\n   $x^2$ <b>")
    shown = Shown(page)
    assert shown.text == "1. **Find**\n   x2 <b>"
    assert set(shown.tags) == {"math", "semantics", "mrow", "msup", "mi", "mn", "annotation"}


@pytest.mark.parametrize("answer", ["Tuesday", "42", "(3, 5)", "x + 1", "12 dollars", r"\frac{1}", "C:\\new"])
def test_an_answer_in_words_or_plain_signs_stays_as_written(answer: str) -> None:
    assert Shown(formula_html(answer)).text == answer


@pytest.mark.parametrize("answer", [r"\frac{1}{2}", "x^2", "a_1", r"\{1, 2\}", r"\left(3, \frac{\pi}{2}\right)"])
def test_an_answer_in_latex_is_drawn(answer: str) -> None:
    assert "math" in Shown(formula_html(answer)).tags


def test_programs_are_highlighted_and_whole() -> None:
    program = "def f(x):\n\treturn '</code><script>'  # \x1b[31mred\u202e\n"
    shown = Shown(code_html(program))
    assert shown.text == "def f(x):\n\treturn '</code><script>'  # red\\u202e\n"
    assert set(shown.tags) == {"pre", "code", "span"}
    assert 'class="k"' in code_html(program)


def test_very_long_texts_are_shown_as_written() -> None:
    text = "**a** " * (LONGEST // 5)
    assert Shown(prose_html(text)).tags == ["pre"]
    assert Shown(prose_html(text)).text == text.strip()


@settings(max_examples=200, deadline=2000)
@given(
    st.text(
        alphabet=st.sampled_from("ab1 \n\t$\\{}[]()<>&*_`#|-=~^\"'!\ue000\ue001\u202e\x1b\ud800/:"), max_size=120
    )
)
def test_any_text_gives_elements_of_ours_only(text: str) -> None:
    ours = {
        "p",
        "ul",
        "ol",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "code",
        "pre",
        "br",
        "span",
    }
    for page in (prose_html(text), text_html(text), formula_html(text), code_html(text), pre_html(text)):
        page.encode("utf-8")
        shown = Shown(page)
        extra = {tag for tag in shown.tags if tag not in ours and not tag.startswith("m")}
        assert extra <= {"semantics", "annotation"}
        assert not {"style", "href", "src", "id"} & set(shown.attributes)
        assert not any(name.startswith("on") for name in shown.attributes)
