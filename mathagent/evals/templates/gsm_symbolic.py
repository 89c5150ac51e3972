"""Reads templates in the language of GSM-Symbolic (Mirzadeh et al. 2024, arXiv 2410.05229).

Its data is not part of this package: ``question_annotated`` and ``answer_annotated`` come from the published files.
These name lists of words that were never published (``sports``, ``length_lg``). We have lists of our own for many of
the names; a variable of another list keeps the word of the original.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mathagent.errors import UsageError
from mathagent.evals.templates.expressions import FUNCTIONS
from mathagent.evals.templates.originals import number_in_words
from mathagent.evals.templates.template import Draw, Template
from mathagent.evals.templates.word_lists import word_lists

_SLOT = re.compile(r"\{\s*(\w+)\s*(?:,([^{}]*))?\}")
_FINAL = re.compile(r"####\s*\{([^{}]+)\}\s*\Z")


def read_gsm_symbolic(item: Mapping[str, Any]) -> Template:
    """The template in a record with ``question_annotated`` and ``answer_annotated``.

    ``original`` holds the values that stand beside the variables in the text; a variable of a list or a function that
    is not known keeps its own. Raises UsageError naming the template and what is wrong with it.
    """
    name = str(item.get("id", "template"))
    text, answer = item.get("question_annotated"), item.get("answer_annotated")
    if not isinstance(text, str) or not isinstance(answer, str):
        raise UsageError(f"{name}: a template has question_annotated and answer_annotated")
    question, sections = _sections(name, text)
    original: dict[str, str] = {}
    for slot in _SLOT.finditer(question):
        if slot[2] is not None:
            original.setdefault(slot[1], slot[2].strip())
    final = _FINAL.search(answer)
    stated = " ".join(sections["answer"]).strip().removeprefix("{").removesuffix("}")
    if not stated and final is None:
        raise UsageError(f"{name}: no line '#answer:', and the answer does not end with '#### {{expression}}'")
    template = Template(
        id=name,
        body=_SLOT.sub(lambda slot: f"{{{slot[1]}}}", question).strip(),
        draws=tuple(_known([_draw(name, line) for line in sections["init"]], original)),
        conditions=tuple(sections["conditions"]),
        answer=stated or (final[1] if final else ""),
        subject=str(item.get("subject", "")),
        family=str(item.get("origin_id", "")),
        original=original,
    )
    template.check()
    return template


def final_expression(item: Mapping[str, Any]) -> str | None:
    """The expression after ``####`` in ``answer_annotated``: a second statement of the answer."""
    final = _FINAL.search(str(item.get("answer_annotated", "")))
    return final[1] if final else None


def _sections(name: str, text: str) -> tuple[str, dict[str, list[str]]]:
    question, *rest = re.split(r"^\s*#(init|conditions|answer):", text, flags=re.MULTILINE)
    sections: dict[str, list[str]] = {"init": [], "conditions": [], "answer": []}
    for title, content in zip(rest[::2], rest[1::2], strict=True):
        lines = [line.strip() for line in content.splitlines() if line.strip()]
        sections[title] += [line.removeprefix("-").strip() if title != "answer" else line for line in lines]
    if not sections["init"]:
        raise UsageError(f"{name}: no variables under '#init:'")
    return question, sections


def _draw(name: str, line: str) -> Draw:
    left, equals, source = line.partition("=")
    names = tuple(part.strip() for part in left.replace("$", " ").split(","))
    if not equals or not all(re.fullmatch(r"[A-Za-z_]\w*", one) for one in names):
        raise UsageError(f"{name}: '{line}' is no line 'variable = values'")
    return Draw(names=names, source=source.strip(), numeric=True if "$" in left else None)


def _known(draws: Iterable[Draw], original: Mapping[str, str]) -> list[Draw]:
    """The draws, each from something that is known, or from nothing but the original's value where that is stated."""
    names = {*word_lists(), *FUNCTIONS, "sample"}
    found: list[Draw] = []
    for draw in draws:
        unknown = _reads(draw.source) - names
        kept = [one for name in draw.names if unknown and (one := _kept(draw, name, original)) is not None]
        found += kept if len(kept) == len(draw.names) else [draw]
        names |= {*draw.names}
    return found


def _reads(source: str) -> set[str]:
    """The names of lists, variables and functions in ``source``; {} for what is no expression."""
    try:
        nodes = list(ast.walk(ast.parse(source, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    dotted = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)} - {"np.arange"}
    return dotted | {node.id for node in nodes if isinstance(node, ast.Name)} - {"np"}


def _kept(draw: Draw, name: str, original: Mapping[str, str]) -> Draw | None:
    """The variable with the original's value only; None where that is not stated, or is no number where one belongs."""
    text = original.get(name)
    number = None if text is None else number_in_words(text)
    if text is None or (draw.numeric and number is None):
        return None
    written = re.fullmatch(r"-?\d+(\.\d+)?" if draw.numeric else r"\d+", text)
    value = text if written else f"({text!r}, {number})" if draw.numeric else repr(text)
    return Draw(names=(name,), source=f"[{value}]", numeric=draw.numeric)
