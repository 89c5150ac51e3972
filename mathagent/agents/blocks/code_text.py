"""Block code text: where are the programs in a reply? Pure."""

from __future__ import annotations

import re

from mathagent.types import Value

_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)(^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_PYTHON = ("python", "py", "python3")


class CodeBlock(Value):
    """A fenced block: its label in lower case, its code, and where in the text it begins and ends (fences included).

    ``closed`` is false for a block that the end of the text cuts.
    """

    language: str
    code: str
    start: int
    end: int
    closed: bool

    @property
    def is_python(self) -> bool:
        return self.language in _PYTHON


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced blocks of ``text``, in order."""
    return [
        CodeBlock(
            language=match[1].lower(),
            code=match[2].strip("\n"),
            start=match.start(),
            end=match.end(),
            closed=bool(match[3]),
        )
        for match in _FENCE.finditer(text)
    ]


def extract_code(text: str) -> str:
    """The program in a reply: the first block fenced as Python, else the first fenced block, else the whole text.

    A block that was cut before its closing fence counts as well.
    """
    blocks = code_blocks(text)
    if not blocks:
        return text.strip()
    return next((block.code for block in blocks if block.is_python), blocks[0].code).strip()


def blanked_code(text: str) -> str:
    """``text`` with blanks in the place of its closed blocks of Python: places in one are places in the other.

    For who looks for marks between the programs: ``# Output: 12`` within one is a comment of it.
    """
    pieces, position = [], 0
    for block in code_blocks(text):
        if block.closed and block.is_python:
            pieces += [text[position : block.start], " " * (block.end - block.start)]
            position = block.end
    return "".join([*pieces, text[position:]])


def without_code(text: str) -> str:
    """``text`` without its fenced blocks."""
    pieces, position = [], 0
    for block in code_blocks(text):
        pieces.append(text[position : block.start])
        position = block.end
    return "".join([*pieces, text[position:]])
