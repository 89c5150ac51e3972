"""Block step hints: what memory holds of similar problems, whole and step by step, before a model that writes steps.

Source: "Enhancing Test-Time Scaling of Large Language Models with Hierarchical Retrieval-Augmented MCTS" (R2-LLMs,
arXiv 2507.05557). Coarse: an abstract description of the problem finds solved ones. Fine: of their steps, the one most
like the latest step shows how one may go on. The store leaves out what would give a measured problem away.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from mathagent.agents.blocks.equal_states import load_embedder
from mathagent.agents.blocks.recall import LEAST_TRUST, find_hits
from mathagent.agents.blocks.refine import split_steps
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.memory.base import Hit, Query
from mathagent.memory.experience import Exemplar, Experience
from mathagent.prompts import render
from mathagent.tools.untrusted import neutralised
from mathagent.types import Problem, SamplingParams

HINT_PROMPTS = ("r2/template", "r2/hint")
TEMPLATE_PARAMS = SamplingParams(max_tokens=128)
HINT_CHARACTERS = 400
"""Of a step that is shown as a hint."""


async def describe(context: RunContext, problem: Problem) -> tuple[str, str | None]:
    """The model's description of the kind of ``problem`` ("" where there is none), and the limit that ended it."""
    messages = render("r2/template", problem=problem_text(problem))
    try:
        drafts, limit = await draw(context, messages, TEMPLATE_PARAMS, role="templater")
    except BackendError as error:
        context.emit(Warned(message=f"similar problems are looked for by the problem alone: {error}"))
        return "", None
    reply = drafts[0].completion if drafts else None
    return ("" if reply is None else reply.text.strip()), limit


async def similar_problems(context: RunContext, problem: Problem, description: str, limit: int) -> list[Hit]:
    """Solved problems with a solution in words that are like ``problem``, as it stands and as it is described."""
    text = "\n".join(part for part in (problem_text(problem), description) if part)
    hits = await find_hits(context, Query(text=text, kinds=("exemplar",), limit=limit, least_trust=LEAST_TRUST))
    return [hit for hit in hits if hit.alike and reasoning_of(hit.experience)]


def reasoning_of(experience: Experience) -> str:
    """The solution in words that an experience holds; "" for none."""
    return experience.content.reasoning if isinstance(experience.content, Exemplar) else ""


def step_hint(found: Sequence[Experience], steps: Sequence[str], embedder: str) -> str:
    """What followed the step most like the latest of ``steps`` in the solutions ``found``; "" where none is alike."""
    best = _most_alike(found, steps, embedder)
    if best is None:
        return ""
    similar, following = (neutralised(text)[:HINT_CHARACTERS] for text in (best.similar, best.following))
    (hint,) = render("r2/hint", similar=similar, following=following)
    return hint.content


def hint_giver(found: Sequence[Experience], steps: Sequence[str], embedder: str) -> Experience | None:
    """The experience that ``step_hint`` takes its hint from; None where it gives none."""
    best = _most_alike(found, steps, embedder)
    return None if best is None else found[best.place]


class _Pair(NamedTuple):
    """A step and the one behind it, of the solution at ``place``."""

    place: int
    similar: str
    following: str


def _most_alike(found: Sequence[Experience], steps: Sequence[str], embedder: str) -> _Pair | None:
    pairs = _pairs(tuple(reasoning_of(one) for one in found))
    if not pairs or not steps:
        return None
    model = load_embedder(embedder)
    vectors = model.embed([steps[-1], *(pair.similar for pair in pairs)])
    likeness = (vectors[1:] @ vectors[0]).tolist()
    best = max(range(len(pairs)), key=lambda place: likeness[place])
    return None if likeness[best] <= model.chance_similarity else pairs[best]


@lru_cache(maxsize=64)
def _pairs(solutions: tuple[str, ...]) -> tuple[_Pair, ...]:
    return tuple(
        _Pair(place, similar, following)
        for place, text in enumerate(solutions)
        for similar, following in pairwise(split_steps(text))
    )
