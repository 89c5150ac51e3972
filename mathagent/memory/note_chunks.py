"""Note chunks: a note's text in pieces of about a paragraph, each under the headings that it stands under. Pure."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

CHUNK_CHARACTERS = 800
"""What a piece aims at: a paragraph or two, so that a prompt has room for several."""
MOST_CHARACTERS = 1200
"""A paragraph up to so long stays whole."""
TITLE_CHARACTERS = 120

_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_MARKDOWN_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_RST_UNDERLINE = re.compile(r"""^([=\-~^"'`#*+<>:._])\1{2,}\s*$""")
_TEX_HEADING = re.compile(
    r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?(?:\[[^\]]*\])?\{(.+?)\}\s*(?:\\label\{[^}]*\}\s*)?$"
)
_TEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph")
_TEX_COMMENT = re.compile(r"(?<!\\)%.*$")
_TEX_BODY = re.compile(r"\\begin\{document\}")
_BREAKS = (re.compile(r"\n"), re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])"), re.compile(r"\s+"))


class Chunk(NamedTuple):
    """A piece of a note: where it begins (line, of a notebook: cell; from 1), its headings from the top, its text."""

    line: int
    headings: tuple[str, ...]
    text: str


class _Line(NamedTuple):
    number: int
    text: str
    heading: tuple[int, str] | None = None  # its level (1: outermost) and title


class UnreadableNote(Exception):
    """The note is not what its name says; the message says why."""


def chunks_of(text: str, suffix: str) -> list[Chunk]:
    """The pieces of a note whose file name ends in ``suffix`` (".md", ".rst", ".tex", ".py", ".ipynb", ".txt").

    A piece ends at a heading or a blank line, never within a fenced block that is short enough. Raises
    UnreadableNote.
    """
    lines = _READERS.get(suffix, _plain)(text.replace("\r\n", "\n").replace("\r", "\n"))
    return list(_packed(lines))


def title_of(name: str, headings: tuple[str, ...]) -> str:
    """The title of a piece: the note's name and the headings, as far as they fit; the innermost stays."""
    title = " › ".join(dict.fromkeys((name, *headings)))
    return title if len(title) <= TITLE_CHARACTERS else f"…{title[-TITLE_CHARACTERS + 1 :]}"


def _plain(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield _Line(number, line.rstrip())


def _markdown(text: str) -> Iterator[_Line]:
    fence = ""
    for line in _plain(text):
        mark = _FENCE.match(line.text)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        heading = None if fence else _MARKDOWN_HEADING.match(line.text)
        if heading:
            yield line._replace(text="", heading=(len(heading[1]), heading[2]))
        else:  # a blank line within a fence is part of it
            yield line._replace(text=line.text or " ") if fence else line


def _rst(text: str) -> Iterator[_Line]:
    lines = text.split("\n")
    levels: list[str] = []
    skip = -1
    for index, line in enumerate(lines):
        if index == skip:
            continue
        following = lines[index + 1] if index + 1 < len(lines) else ""
        underline = _RST_UNDERLINE.match(following)
        if underline and line.strip() and not line[0].isspace() and len(following.rstrip()) >= len(line.rstrip()):
            if underline[1] not in levels:
                levels.append(underline[1])
            yield _Line(index + 1, "", (levels.index(underline[1]) + 1, line.strip()))
            skip = index + 1
        elif not _RST_UNDERLINE.match(line):  # a line above a title
            yield _Line(index + 1, line.rstrip())


def _tex(text: str) -> Iterator[_Line]:
    body = _TEX_BODY.search(text)
    start = text.count("\n", 0, body.end()) + 1 if body else 0
    for line in _plain(text):
        if line.number <= start:
            continue
        bare = _TEX_COMMENT.sub("", line.text)
        if not bare.strip() and line.text.strip():
            continue  # a line of comment ends no paragraph
        heading = _TEX_HEADING.search(bare)
        if heading:
            yield line._replace(text="", heading=(_TEX_LEVELS.index(heading[1]) + 1, heading[2]))
        elif bare.strip() != r"\end{document}":
            yield line._replace(text=bare)


def _python(text: str) -> Iterator[_Line]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableNote(f"no Python ({error})") from error
    names: dict[int, str] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            names[first] = node.name
    for line in _plain(text):
        if line.number in names:
            yield _Line(line.number, "", (1, names[line.number]))
        yield line


def _notebook(text: str) -> Iterator[_Line]:
    try:
        cells = json.loads(text)["cells"]
        texts = [
            (number, _clean("".join(cell["source"])))
            for number, cell in enumerate(cells, start=1)
            if cell["cell_type"] in ("markdown", "raw")
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableNote(f"no notebook ({type(error).__name__}: {error})") from error
    for number, source in texts:
        for line in _markdown(source):
            yield line._replace(number=number)
        yield _Line(number, "")


def _clean(text: str) -> str:
    """``text`` without what escapes in JSON can bring in: halves of characters, NULs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


_READERS: dict[str, Callable[[str], Iterator[_Line]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".rst": _rst,
    ".tex": _tex,
    ".py": _python,
    ".ipynb": _notebook,
}


def _packed(lines: Iterator[_Line]) -> Iterator[Chunk]:
    """Paragraphs joined to pieces of about CHUNK_CHARACTERS, none across a heading."""
    pending: Chunk | None = None
    for paragraph in _paragraphs(lines):
        if pending is not None:
            joined = f"{pending.text}\n\n{paragraph.text}"
            if pending.headings == paragraph.headings and len(joined) <= CHUNK_CHARACTERS:
                pending = pending._replace(text=joined)
                continue
            yield pending
        pending = paragraph
    if pending is not None:
        yield pending


def _paragraphs(lines: Iterator[_Line]) -> Iterator[Chunk]:
    above: list[tuple[int, str]] = []
    block: list[_Line] = []

    def finish() -> Iterator[Chunk]:
        text = "\n".join(line.text for line in block).strip()
        if text:
            headings = tuple(title for _, title in above)
            yield from _split(Chunk(block[0].number, headings, text))
        block.clear()

    for line in lines:
        if line.heading is not None or not line.text:
            yield from finish()
        if line.heading is not None:
            above[:] = [one for one in above if one[0] < line.heading[0]] + [line.heading]
        elif line.text and (block or line.text.strip()):
            block.append(line)
    yield from finish()


def _split(chunk: Chunk) -> Iterator[Chunk]:
    """A paragraph that is too long, cut at a line's, else a sentence's, else a word's end."""
    text, line = chunk.text, chunk.line
    while len(text) > MOST_CHARACTERS:
        cut = CHUNK_CHARACTERS
        for pattern in _BREAKS:
            ends = [match.end() for match in pattern.finditer(text, CHUNK_CHARACTERS // 2, CHUNK_CHARACTERS)]
            if ends:
                cut = ends[-1]
                break
        yield chunk._replace(line=line, text=text[:cut].strip())
        line += text.count("\n", 0, cut)
        text = text[cut:].lstrip()
    if text:
        yield chunk._replace(line=line, text=text)
