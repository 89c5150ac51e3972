"""What models and people write, as HTML: words with formulas, Markdown, programs. Pure; all of it escaped.

Of Markdown only what cannot be mistaken for mathematics is read: lists, tables, headings, ``**bold**`` and code. A
single asterisk is a product, a line that begins with ``>`` a comparison, and links and images are shown as written.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mathagent.console.clean_text import clean
from mathagent.console.math_text import FORMULA, readable
from mathagent.console.mathml import mathml

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 50_000  # characters of a text that is read as Markdown; a longer one is shown as written

_OPEN, _CLOSE = "\ue000", "\ue001"  # stand for a formula while Markdown is read; taken out of the text before
_PLACE = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_ENVIRONMENT = re.compile(
    r"\\begin\{(align|alignat|aligned|array|cases|equation|gather|[bpvBV]?matrix|smallmatrix)(\*?)\}"
    r".{1,2000}?\\end\{\1\2\}",
    re.DOTALL,
)
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")
_FORMULA_LIKE = re.compile(r"\\[A-Za-z{]|[\^]|_[0-9A-Za-z{]")
_NOT_READ = [
    "blockquote",
    "code",
    "emphasis",
    "entity",
    "hr",
    "html_block",
    "html_inline",
    "lheading",
    "reference",
]
_NOT_READ += ["autolink", "image", "link"]


def formula_html(formula: str) -> Markup:
    """One formula without its delimiters, such as an answer. What cannot be read, or is words, stays as written."""
    formula = clean(formula).strip()
    drawn = mathml(formula) if _FORMULA_LIKE.search(formula) else None
    return Markup(f'<span class="written">{escape(formula)}</span>' if drawn is None else drawn)


def text_html(text: str) -> Markup:
    """Words with formulas, line ends kept; nothing else has a meaning. For problems and short remarks."""
    text = clean(text)
    pieces, end = [], 0
    for match in FORMULA.finditer(text) if len(text) <= LONGEST else ():
        pieces += [escape(text[end : match.start()]), _drawn(match[0])]
        end = match.end()
    return Markup("".join([*pieces, escape(text[end:])]))


def prose_html(text: str) -> Markup:
    """A reply in words, which is Markdown as models write it."""
    text = clean(text).replace(_OPEN, "").replace(_CLOSE, "").strip()
    if len(text) > LONGEST:
        return Markup(f'<pre class="words">{escape(text)}</pre>')
    formulas: list[str] = []

    def put_away(match: re.Match[str]) -> str:
        formulas.append(match[0])
        return f"{_OPEN}{len(formulas) - 1}{_CLOSE}"

    marked = _ENVIRONMENT.sub(put_away, FORMULA.sub(put_away, text))
    return Markup(_markdown().render(marked, {"formulas": formulas}))


def code_html(program: str) -> Markup:
    """A Python program, highlighted with the classes of Pygments (``k`` a keyword, ``s`` a string, …)."""
    from pygments import highlight

    lexer, formatter = _python()  # making them takes longer than a program's colours
    shown = highlight(clean(program), lexer, formatter)
    return Markup(f'<pre class="code" tabindex="0"><code>{shown}</code></pre>')


def pre_html(text: str) -> Markup:
    """Text as it stands, such as what a program printed."""
    return Markup(f'<pre tabindex="0">{escape(clean(text))}</pre>')


def _drawn(written: str) -> str:
    """A formula with its delimiters, or an environment without any."""
    match = FORMULA.fullmatch(written)
    block = match is None or written.startswith(("$$", "\\["))
    drawn = mathml(written if match is None else match[match.lastindex or 0], "block" if block else "inline")
    return f'<code class="formula">{escape(written)}</code>' if drawn is None else drawn


@cache
def _python() -> tuple[Any, Any]:
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(stripnl=False, ensurenl=False), HtmlFormatter(nowrap=True)


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable(_NOT_READ)
    # Headings of a reply are not headings of the page.
    rules: dict[str, Any] = {
        "text": lambda renderer, tokens, index, options, env: _words(tokens[index].content, env["formulas"]),
        "code_inline": lambda renderer, tokens, index, options, env: (
            f"<code>{escape(_restored(tokens[index].content, env['formulas']))}</code>"
        ),
        "fence": lambda renderer, tokens, index, options, env: _fence(tokens[index], env["formulas"]),
        # The page allows no style attribute, which a column's alignment would be.
        "td_open": lambda *_: "<td>",
        "th_open": lambda *_: "<th>",
        "heading_open": lambda *_: '<p class="heading">',
        "heading_close": lambda *_: "</p>\n",
    }
    for name, rule in rules.items():
        markdown.add_render_rule(name, rule)
    return markdown


def _fence(token: Token, formulas: list[str]) -> str:
    written = _restored(token.content, formulas)
    if token.info.strip().lower() in ("", "py", "python", "python3"):
        return code_html(written)
    return pre_html(written)


def _restored(text: str, formulas: list[str]) -> str:
    return _PLACE.sub(lambda match: formulas[int(match[1])], text)


def _words(text: str, formulas: list[str]) -> str:
    """Inline text: formulas drawn, bare commands readable, bold bold."""
    shown = _BOLD.sub(r"<strong>\1</strong>", escape(readable(text), quote=False))
    return _PLACE.sub(lambda match: _drawn(formulas[int(match[1])]), shown)
