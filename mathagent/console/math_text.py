"""LaTeX as readable Unicode text, for terminals: ``\\frac{1}{2}`` → ``1/2``, ``x^{2}`` → ``x²``. Pure.

It serves the eye, not a parser: what it does not know stays as written, and nothing is evaluated.
"""

from __future__ import annotations

import re

from mathagent.console.math_symbols import (
    ACCENTS,
    ESCAPED,
    MATRIX_BRACKETS,
    NAMED_SETS,
    NEGATED,
    SUBSCRIPT,
    SUPERSCRIPT,
    SYMBOLS,
    UNSEEN,
    WRAPPERS,
)

LONGEST = 20_000  # characters; a longer text is shown as written
DEEPEST = 40  # nested groups; deeper ones are shown as written

_COMMAND = re.compile(r"\\(?:([A-Za-z]+)\*?|(.))", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")
_RELATION = re.compile(r" *([→=∈≤≥<>]) *")
_SIMPLE = re.compile(r"[\w.√²³°πℝ]*")
# A formula between its delimiters; the group that matched is the formula itself.
# As pandoc reads dollars: the formula touches both, and no digit follows. "$5 and $6" is money.
FORMULA = re.compile(
    r"\$\$(.{1,2000}?)\$\$|\\\[(.{1,2000}?)\\\]|\\\((.{1,2000}?)\\\)"
    r"|(?<!\$)\$(?=\S)([^$\n]*?\S)\$(?![\d$])",
    re.DOTALL,
)


def readable(text: str) -> str:
    """Prose with formulas: converts what stands between ``$…$``, ``\\(…\\)`` and the like, and bare commands."""
    if len(text) > LONGEST:
        return text
    pieces, end = [], 0
    for match in FORMULA.finditer(text):
        pieces += [
            _Reader(text[end : match.start()], scripts=False).read(),
            readable_math(match[match.lastindex or 0]),
        ]
        end = match.end()
    return "".join([*pieces, _Reader(text[end:], scripts=False).read()])


def readable_math(formula: str) -> str:
    """One formula without its delimiters, such as an answer."""
    return formula if len(formula) > LONGEST else _Reader(formula, scripts=True).read().strip()


class _Reader:
    """Reads LaTeX left to right; ``scripts``: ``^`` and ``_`` are exponents and indices, not plain characters."""

    def __init__(self, source: str, *, scripts: bool) -> None:
        self.source, self.scripts, self.at, self.depth = source, scripts, 0, 0
        self.matrices = 0  # open environments whose rows stand side by side

    def read(self) -> str:
        """The rest of the source as text."""
        out: list[str] = []
        while self.at < len(self.source):
            out.append(self._unit())
        return "".join(out)

    def _unit(self) -> str:
        char = self.source[self.at]
        if char == "\\":
            return self._command()
        if self.scripts and char == "{":
            return self._group()
        self.at += 1
        if self.scripts and char == "^":
            return _script(self._script_argument(), "^", SUPERSCRIPT)
        if self.scripts and char == "_":
            return _script(self._script_argument(), "_", SUBSCRIPT)
        if char == "&" and self.scripts:
            return " " if self.matrices else ""
        return " " if self.scripts and char == "~" else char

    def _group(self) -> str:
        """``{…}`` without its braces; an unclosed or too deeply nested brace stays as written."""
        start = self.at
        self.at += 1
        self.depth += 1
        out: list[str] = []
        while self.depth <= DEEPEST and self.at < len(self.source):
            if self.source[self.at] == "}":
                self.at += 1
                self.depth -= 1
                return "".join(out)
            out.append(self._unit())
        self.at, self.depth = len(self.source), self.depth - 1
        return self.source[start:]

    def _argument(self) -> str:
        """The argument of a command: a group, a command, or one character; empty at the end of the source."""
        while self.at < len(self.source) and self.source[self.at] == " ":
            self.at += 1
        if self.at == len(self.source):
            return ""
        if self.depth > DEEPEST:
            rest, self.at = self.source[self.at :], len(self.source)
            return rest
        self.depth += 1
        try:
            return self._one_argument()
        finally:
            self.depth -= 1

    def _one_argument(self) -> str:
        if self.source[self.at] == "{":
            was, self.scripts = self.scripts, True
            text = self._group()
            self.scripts = was
            return text
        if self.source[self.at] == "\\":
            return self._command()
        self.at += 1
        return self.source[self.at - 1]

    def _script_argument(self) -> str:
        """As ``_argument``, but ``x^10`` means what its writer meant, all digits."""
        digits = _DIGITS.match(self.source, self.at)
        if digits is None:
            return self._argument()
        self.at = digits.end()
        return digits[0]

    def _command(self) -> str:
        match = _COMMAND.match(self.source, self.at)
        if match is None:  # a backslash at the very end
            self.at += 1
            return "\\"
        self.at = match.end()
        name, escaped = match[1], match[2]
        if name is None:
            if escaped == "\\" and self.matrices:
                return "; "
            return ESCAPED.get(escaped, match[0]) if self.scripts or escaped not in "\\ " else match[0]
        has_argument = self.source[self.at : self.at + 1] == "{"
        if name in ("left", "right") and self.source[self.at : self.at + 1] == ".":
            self.at += 1  # a bracket that is not seen
            return ""
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            above, below = self._argument(), self._argument()
            return f"{_factor(above)}/{_factor(below)}"
        if name in ("binom", "dbinom", "tbinom") and has_argument:
            above, below = self._argument(), self._argument()
            return f"({above} choose {below})"
        if name in ("stackrel", "overset", "underset", "textcolor", "xrightarrow") and has_argument:
            first = self._argument()
            return f"→({first})" if name == "xrightarrow" else self._argument()
        if name == "sqrt":
            return self._root()
        if name == "not" and self.scripts:
            negated = self._argument()
            return NEGATED.get(negated.strip(), f"¬{negated}")
        if name in UNSEEN and has_argument:
            self._argument()
            return ""
        if name == "tag" and has_argument:
            return f"  ({self._argument()})"
        if name in ACCENTS and (has_argument or self.scripts):
            return "".join(char + ACCENTS[name] if char.isalnum() else char for char in self._argument())
        if name in ("begin", "end") and has_argument:
            return self._environment(name)
        if name in WRAPPERS and has_argument:
            return self._argument()
        if name == "mathbb" and has_argument:
            letter = self._argument()
            return NAMED_SETS.get(letter, letter)
        if name in SYMBOLS:
            return SYMBOLS[name]
        # \sin, \log, \max: the name reads well by itself. In prose, an unknown command may be a path: leave it.
        return name if self.scripts else match[0]

    def _environment(self, edge: str) -> str:
        """A matrix in its brackets, rows apart by semicolons; cases behind a brace; other edges are dropped."""
        environment = self._argument().rstrip("*")
        if environment == "array" and edge == "begin" and self.source[self.at : self.at + 1] == "{":
            self._argument()  # how its columns are aligned
        brackets = MATRIX_BRACKETS.get(environment)
        if brackets is None and environment not in ("cases", "array"):
            return ""
        self.matrices = max(0, self.matrices + (1 if edge == "begin" else -1))
        if brackets is None:
            return "{ " if (environment, edge) == ("cases", "begin") else ""
        return brackets[0 if edge == "begin" else 1]

    def _root(self) -> str:
        index = ""
        if self.source[self.at : self.at + 1] == "[" and "]" in self.source[self.at :]:
            close = self.source.index("]", self.at)
            index, self.at = self.source[self.at + 1 : close], close + 1
        return f"{index.translate(SUPERSCRIPT)}√{_factor(self._argument())}"


def _factor(text: str) -> str:
    """``text`` as one factor: in parentheses where it is more than a number or a name."""
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _script(text: str, mark: str, table: dict[int, int]) -> str:
    raised = text.replace(" ", "")
    if raised in ("°", "′"):
        return raised
    if raised and all(ord(char) in table for char in raised):
        return raised.translate(table)
    text = _RELATION.sub(r"\1", text)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}({text})"
