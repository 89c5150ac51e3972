"""Block casting: a planner casts the experts that a problem needs, more than enough first, then exactly so many.

Source: Xolver; the sections of the reply and the padding are its repository's (github.com/kagnlp/Xolver).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.prompts import render
from mathagent.types import Problem, SamplingParams

CASTER = Role("planner", "xolver/plan", SamplingParams(max_tokens=512))
OVERSUPPLY = 2
"""Experts that the planner thinks of beyond those that it chooses."""
GENERIC = "Mathematics Expert {number}"
MAX_NAME = 60
"""Characters of an expert's name; what is longer is a sentence, not a name."""

_CHOSEN = re.compile(r"influential[ _]+roles?", re.IGNORECASE)
_NUMBERED = re.compile(r"^[ \t#*_>-]*\d{1,2}[.)][ \t]*(.+)$", re.MULTILINE)
_REASON = re.compile(r":|\s[–—-]\s")


async def cast(
    context: RunContext, problem: Problem, m: int, params: SamplingParams
) -> tuple[tuple[str, ...], str | None]:
    """The names of exactly ``m`` experts for ``problem``, and the limit that ended the asking.

    Raises BackendError where the model cannot be reached.
    """
    messages = render(CASTER.prompt, problem=problem_text(problem), m=m, more=m + OVERSUPPLY)
    drafts, limit = await draw(context, messages, params, role=CASTER.name)
    reply = drafts[0].completion if drafts else None
    return read_cast("" if reply is None else reply.text, m), limit


def read_cast(text: str, m: int) -> tuple[str, ...]:
    """Exactly ``m`` different names: those of the reply's second section (of the whole reply where it has none), in
    order, then generic ones. Pure."""
    heads = list(_CHOSEN.finditer(text))
    section = text[heads[-1].end() :] if heads else text
    cast: dict[str, str] = {}
    for name in (*_names(section), *(GENERIC.format(number=number) for number in range(1, m + 1))):
        cast.setdefault(name.casefold(), name)
    return tuple(cast.values())[:m]


def _names(section: str) -> Iterator[str]:
    for line in _NUMBERED.findall(section):
        name = _REASON.split(line, maxsplit=1)[0].strip(" \t*_`\"'[].")
        if name and len(name) <= MAX_NAME:
            yield name
