"""Page: the few ways in which the console prints, each in a styled and a plain form.

Styled is for a terminal that can do it. Plain is for a pipe, a dumb terminal or NO_COLOR: the same words, no control
characters, no wrapping. Everything printed here is treated as untrusted: cleaned, and never read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from mathagent.console.clean_text import clean, clip_lines
from mathagent.console.math_text import readable, readable_math

WIDEST = 100  # columns: longer lines read badly
LABEL = 12  # columns of a field's label

# Colours of the terminal's own palette that are legible on light and on dark backgrounds.
_CODE = ANSISyntaxTheme(
    {
        ("Keyword",): Style(color="magenta"),
        ("Operator", "Word"): Style(color="magenta"),
        ("Literal", "Number"): Style(color="cyan"),
        ("Literal", "String"): Style(color="green"),
        ("Comment",): Style(dim=True),
        ("Name", "Function"): Style(bold=True),
        ("Name", "Class"): Style(bold=True),
    }
)
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")


class Page:
    """Prints on ``console``; ``styled``, ``unicode`` and ``draws_boxes`` say what the terminal behind can show."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.styled = console.is_terminal and not console.is_dumb_terminal and not console.no_color
        self.unicode = _encodes(console.encoding, "…·→√²αℝ⠋")
        self.draws_boxes = _encodes(console.encoding, "│┌╭├┼┄┆▼")
        self.dot = " · " if self.unicode else ", "

    @property
    def width(self) -> int:
        """Columns to fill."""
        return min(self.console.width, WIDEST)

    def fit(self, text: str) -> str:
        """``text``, cleaned, with what the terminal's encoding lacks written as escapes."""
        text = clean(text)
        if self.unicode:
            return text
        return text.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)

    def math(self, text: str) -> str:
        """An answer as a person reads it."""
        return self.fit(readable_math(clean(text)) if self.unicode else text)

    def line(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """Prints ``text``, which may have several lines."""
        self._print(Text(self.fit(text), style=style), indent)

    def parts(self, *parts: tuple[str, str], indent: int = 0, hang: int = 0) -> None:
        """Prints one line of (text, style) parts; where it is wrapped, further lines begin ``hang`` columns further."""
        self._print(Text.assemble(*((self.fit(text), style) for text, style in parts)), indent, hang)

    def field(self, label: str, value: str, style: str = "") -> None:
        """Prints ``label`` and ``value`` in two columns; plain: ``label: value``."""
        if not self.styled:
            self.line(f"{label}: {value}")
            return
        body = Text(self.fit(value), style=style)
        lines = body.wrap(self.console, max(8, self.width - LABEL), overflow="fold")
        for index, line in enumerate(lines):
            self._print(Text.assemble(((label if index == 0 else "").ljust(LABEL), "dim"), line), 0)

    def table(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Prints (name, what it is about, style of the name) rows in two columns; plain: without wrapping."""
        widest = max(len(name) for name, _, _ in rows) + 2
        if not self.styled:
            for name, about, _ in rows:
                self.line(name.ljust(widest) + about)
            return
        column = min(widest, self.width // 2)
        for name, about, style in rows:
            left = Text(self.fit(name), style=style)
            names = left.wrap(self.console, column - 2, overflow="fold")
            abouts = Text(self.fit(about), style="dim").wrap(self.console, self.width - column)
            for index in range(max(len(names), len(abouts))):
                cell = names[index] if index < len(names) else Text()
                cell.truncate(column, pad=True)
                self._print(Text.assemble(cell, abouts[index] if index < len(abouts) else ""), 0)

    def prose(self, text: str, indent: int = 2) -> None:
        """Prints a reply in words: formulas made readable, ``**bold**`` bold."""
        shown = self.fit(readable(clean(text)) if self.unicode else text).strip()
        if not self.styled:
            self._print(Text(shown), indent)
            return
        rich_text, end = Text(), 0
        for match in _BOLD.finditer(shown):
            rich_text.append(shown[end : match.start()]).append(match[1], style="bold")
            end = match.end()
        self._print(rich_text.append(shown[end:]), indent)

    def prose_line(self, text: str) -> str:
        """A text with formulas as a person reads it, still to be printed."""
        return readable(clean(text)) if self.unicode else text

    def code(self, program: str, indent: int = 2) -> None:
        """Prints a Python program, highlighted."""
        shown = self.fit(clip_lines(program, most=200))
        if not self.styled:
            self._print(Text(shown), indent)
            return
        highlighted = Syntax(shown, "python", theme=_CODE).highlight(shown)
        highlighted.rstrip()
        self._print(highlighted, indent)

    def _print(self, text: Text, indent: int, hang: int = 0) -> None:
        if self.styled:
            # Wrapped here and not padded by rich: who copies from the terminal should get no trailing spaces.
            lines = text.wrap(self.console, max(8, self.width - indent - hang), overflow="fold")
            starts = [" " * indent, *[" " * (indent + hang)] * (len(lines) - 1)]
            shown = (Text.assemble(start, line) for start, line in zip(starts, lines, strict=True))
            self.console.print(Text("\n").join(shown))
            return
        padded = "\n".join(f"{' ' * indent}{line}".rstrip() for line in text.plain.split("\n"))
        self.console.print(Text(padded), soft_wrap=True)


def _encodes(encoding: str, sample: str) -> bool:
    try:
        sample.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
