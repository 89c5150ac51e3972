"""Block step list: steps of which each says whether it is general reasoning or the call of a tool. Pure.

Source: the format of "SMART: Self-Aware Agent for Tool Overuse Mitigation" (arXiv 2502.11435).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mathagent.agents.blocks.code_text import blanked_code, code_blocks, without_code
from mathagent.types import Value

CODE = "Code"
_HEAD = re.compile(
    r"^[ \t#*-]*step[ \t]*\d{1,3}[ \t]*[:.)：][ \t]*(?P<title>[^\n]{0,300}?)[ \t*]*"
    r"\((?:general(?:[ \t]+reasoning)?|tool[ \t]*[:：][ \t]*(?P<tool>[A-Za-z]{1,30})[^)\n]{0,80})\)[ \t*:：]*$",
    re.IGNORECASE | re.MULTILINE,
)
_FINAL = re.compile(r"^[ \t#*-]*final[ \t]+(?:response|answer)[ \t*]*(?:[:：]|$)", re.IGNORECASE | re.MULTILINE)
_OUTPUT = re.compile(r"^[ \t#*-]*output[ \t*]*[:：]", re.IGNORECASE | re.MULTILINE)
_LONG_NUMBER = re.compile(r"\d[\d,]*\d")
_OPERATION = re.compile(r"(?<=[\w)\]])\s*(?:\*\*|[-+*/×÷^%−])\s*(?=[\w(\[])")
MAX_DIGITS = 4
MAX_OPERATIONS = 3
"""Beyond so many digits of a number, or operations in a step, arithmetic in words goes wrong."""


class ListedStep(Value):
    """One step: ``tool`` "" is general reasoning; ``output`` is what the tool gave (None: it has not been called)."""

    title: str
    text: str
    tool: str = ""
    output: str | None = None


class Planned(Value):
    """What a reply adds: steps, and the final response where it ends (None: it goes on). ``headed``: its steps have
    headings."""

    steps: tuple[ListedStep, ...] = ()
    final: str | None = None
    headed: bool = False


def read_steps(reply: str, *, until: Literal["first", "last"] = "first") -> Planned:
    """The steps of ``reply``. ``until`` says which of several calls of tools is the one to make: behind the "first"
    one nothing counts, since the model had to imagine its output; the "last" one is what the paper's program runs.

    A reply without headings is one step: its first program, else general reasoning. Outputs that a model wrote itself
    are left out. Pure.
    """
    end = _FINAL.search(blanked_code(reply))
    final = reply[end.end() :].strip() if end is not None else None
    listed = reply if end is None else reply[: end.start()]
    heads = list(_HEAD.finditer(listed))
    if not heads:
        steps = _without_heads(listed)
    else:
        bounds = [*(head.start() for head in heads[1:]), len(listed)]
        steps = [
            ListedStep(
                title=head["title"].strip(" *"),
                text=_own_words(listed[head.end() : bound]),
                tool=head["tool"] or "",
            )
            for head, bound in zip(heads, bounds, strict=True)
        ]
    called = next((place for place, step in enumerate(steps) if step.tool), None)
    if until == "first" and called is not None:
        return Planned(steps=tuple(steps[: called + 1]), headed=bool(heads))
    return Planned(steps=tuple(steps), final=final, headed=bool(heads))


def _without_heads(text: str) -> list[ListedStep]:
    program = next((block for block in code_blocks(text) if block.is_python and block.closed), None)
    if program is not None:
        before = without_code(text[: program.start]).strip()
        words = [ListedStep(title="Reasoning", text=_own_words(before))] if before else []
        return [*words, ListedStep(title="Compute", text=program.code, tool=CODE)]
    words_only = _own_words(text)
    return [ListedStep(title="Reasoning", text=words_only)] if words_only else []


def _own_words(text: str) -> str:
    invented = _OUTPUT.search(blanked_code(text))
    return text[: invented.start() if invented else None].strip()


def shown(steps: Sequence[ListedStep]) -> str:
    """The steps as a numbered list, each output under its step. Pure."""
    lines = []
    for number, step in enumerate(steps, start=1):
        kind = f"tool: {step.tool}" if step.tool else "general reasoning"
        lines.append(f"- Step {number}: {step.title} ({kind})\n{step.text}")
        if step.output is not None:
            lines.append(f"- Output: {step.output}")
    return "\n".join(lines)


def is_exact_arithmetic(text: str) -> bool:
    """Whether a step calculates with numbers of more than 4 digits, or more than 3 times: too much for the head."""
    digits = (len(number.replace(",", "")) for number in _LONG_NUMBER.findall(text))
    return any(count > MAX_DIGITS for count in digits) or len(_OPERATION.findall(text)) > MAX_OPERATIONS
