"""Block refine: a draft is written anew, or from its first wrong step on.

Global refinement sees the draft and a critique and writes the whole solution again. Local refinement keeps the steps
before the first wrong one; the model goes on from there. Which of the two repairs a draft differs from draft to draft:
"GLoRe: When, Where, and How to Improve LLM Reasoning via Global and Local Refinements" (arXiv 2402.10963).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import CONTINUER, REFINER, Role
from mathagent.agents.state import Draft
from mathagent.prompts import render
from mathagent.types import Message, Problem, SamplingParams

REFINE_PROMPTS = (REFINER.prompt, CONTINUER.prompt)
MARK = "[WRONG FROM HERE]"
MAX_FORMULA = 2000
"""Characters after which a fence or formula that was never closed no longer holds a step together."""

_STEP_HEAD = re.compile(r"^[ \t#>*_]*step[ \t]+(\d{1,3})\b", re.IGNORECASE | re.MULTILINE)
_LIST_HEAD = re.compile(r"^[ \t#>*_]*(\d{1,3})[.)][ \t*]", re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\s])|(?<=[。！？])\s*(?=\S)")
_PRICE = re.compile(r"\$\d[\d,.]*(?=[\s.,;:!?)]|$)")
_OPEN_AND_CLOSE = ((r"\[", r"\]"), (r"\(", r"\)"), (r"\begin{", r"\end{"))
_FENCES = ("```", "$$")


async def rewrite(
    context: RunContext,
    problem: Problem,
    solution: str,
    critique: str = "",
    *,
    role: Role = REFINER,
    params: SamplingParams | None = None,
    sample: int = 0,
) -> tuple[tuple[Draft, ...], str | None]:
    """Global refinement: ``params.n`` new solutions, and the limit that ended it. See ``draw`` for what it raises.

    ``role``'s prompt has the slots problem, solution, critique ("" where there is none) and has_choices.
    """
    messages = render(
        role.prompt,
        problem=problem_text(problem),
        solution=solution,
        critique=critique,
        has_choices=bool(problem.choices),
    )
    return await draw(context, messages, params or role.params, role=role.name, first_sample=sample)


async def continue_from(
    context: RunContext,
    problem: Problem,
    steps: Sequence[str],
    first_wrong: int,
    critique: str = "",
    *,
    params: SamplingParams | None = None,
    sample: int = 0,
) -> tuple[tuple[Draft, ...], str | None]:
    """Local refinement: ``params.n`` solutions that begin with the ``steps`` before number ``first_wrong`` (from 1).

    Returns whole solutions, and the limit that ended it; see ``draw`` for what it raises. ValueError where there is no
    such step.
    """
    messages = continuation_prompt(CONTINUER, problem, steps, first_wrong, critique)
    drafts, limit = await draw(
        context, messages, params or CONTINUER.params, role=CONTINUER.name, first_sample=sample
    )
    return tuple(behind(steps[: first_wrong - 1], draft) for draft in drafts), limit


def continuation_prompt(
    role: Role, problem: Problem, steps: Sequence[str], first_wrong: int, critique: str = ""
) -> tuple[Message, ...]:
    """What ``role`` is asked to write in place of the ``steps`` from number ``first_wrong`` (from 1) on. Pure.

    Its prompt has the slots problem, kept, mark, wrong, critique ("" where there is none), number and has_choices.
    ValueError where there is no such step.
    """
    if not 1 <= first_wrong <= len(steps):
        raise ValueError(f"there is no step {first_wrong} among {len(steps)}")
    return render(
        role.prompt,
        problem=problem_text(problem),
        kept="\n\n".join(steps[: first_wrong - 1]),
        mark=MARK,
        wrong="\n\n".join(steps[first_wrong - 1 :]),
        critique=critique,
        number=first_wrong,
        has_choices=bool(problem.choices),
    )


def behind(kept: Sequence[str], draft: Draft) -> Draft:
    """The whole solution: the steps ``kept``, and behind them what ``draft`` holds. Pure."""
    if draft.completion is None or not kept:
        return draft
    whole = "\n\n".join((*kept, draft.completion.text.lstrip()))
    return draft.model_copy(update={"completion": draft.completion.model_copy(update={"text": whole})})


def split_steps(text: str) -> tuple[str, ...]:
    """The steps of a solution: as it numbers them, else its paragraphs, else its sentences. Pure.

    What stands before step 1 belongs to it. A formula or program with blank lines or full stops in it is not torn.
    """
    text = text.strip()
    for head in (_STEP_HEAD, _LIST_HEAD):
        starts = _in_sequence(head, text)
        if len(starts) > 1:
            bounds = [0, *starts[1:], len(text)]
            return tuple(text[one:other].strip() for one, other in pairwise(bounds))
    paragraphs = _untorn(text, _PARAGRAPH_END)
    return paragraphs if len(paragraphs) > 1 else _untorn(text, _SENTENCE_END)


def numbered(steps: Sequence[str]) -> str:
    """The steps with their numbers in square brackets, which no numbering of their own is mistaken for."""
    return "\n".join(f"[{number}] {step}" for number, step in enumerate(steps, start=1))


def _in_sequence(head: re.Pattern[str], text: str) -> list[int]:
    """Where the steps 1, 2, 3, … begin; a number out of turn, such as a list's inside a step, is none."""
    starts: list[int] = []
    for match in head.finditer(text):
        if int(match.group(1)) == len(starts) + 1:
            starts.append(match.start())
    return starts


def _untorn(text: str, boundary: re.Pattern[str]) -> tuple[str, ...]:
    """``text`` divided at ``boundary``, but not inside a fence or formula."""
    pieces: list[str] = []
    start = 0
    for match in boundary.finditer(text):
        piece = text[start : match.start()]
        if piece.strip() and (len(piece) > MAX_FORMULA or _balanced(piece)):
            pieces.append(piece.strip())
            start = match.end()
    rest = text[start:].strip()
    return tuple([*pieces, rest] if rest else pieces)


def _balanced(piece: str) -> bool:
    if any(piece.count(fence) % 2 for fence in _FENCES):
        return False
    inline = (
        piece.rpartition("\n\n")[2].replace("$$", "").replace(r"\$", "")
    )  # no formula in a line has a blank one
    if inline.count("$") % 2 and _PRICE.sub("", inline).count("$") % 2:
        return False
    return all(piece.count(opening) <= piece.count(closing) for opening, closing in _OPEN_AND_CLOSE)
