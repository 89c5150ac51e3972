"""Block recall: what memory holds for a problem, and how it is put before a model.

Solved problems become turns of the chat (few-shot), the most similar one last; lessons, templates and facts become
notes before the question. What is found is chosen from a pool, under a token limit (prompt_window.py).

What a wrong or hostile experience can do, and what is set against it:
- A note that nobody has checked is quoted as data (tools/untrusted.py), what a model or a problem's author wrote keeps
  no token of a chat template, whatever vouches for the answer: neither can begin a turn. A small model may still
  believe what a quotation says in plain words.
- A solved problem is shown as a turn, and is imitated. So none is shown of which nobody says that it is right (trust
  "unchecked"), and none is written without a strong check, a reference or a person (memory/distil.py). One that is
  wrong nevertheless (a person erred, an imported file lied) is shown like any other. The event Recalled and
  Solution.recalled name it; each solve that is known to have ended wrong with it lowers its success rate, and so its
  place in the window and in a full store (memory/utility.py); `mathagent memory forget ID` takes it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Self

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.prompt_window import estimated_tokens, tokens_of_text, within
from mathagent.agents.context import Memory, RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import StrategyConfig
from mathagent.errors import StorageError
from mathagent.events import Recalled, Recollection, Warned
from mathagent.memory.base import Hit, Query
from mathagent.memory.experience import (
    Exemplar,
    Experience,
    ExperienceKind,
    Fact,
    Lesson,
    Template,
    Trust,
)
from mathagent.prompts import render
from mathagent.tools.untrusted import neutralised, quote_untrusted
from mathagent.types import Message, Problem

RECALL_PROMPTS = ("memory/notes",)

ExemplarForm = Literal["program", "reasoning"]

TITLE_CHARACTERS = 120
NOTE_CHARACTERS = 600
NOTE_KINDS: tuple[ExperienceKind, ...] = ("lesson", "template", "fact")
LEAST_TRUST: Trust = "judged"
"""Of a solved problem that is shown as a turn of the chat: a model takes it for right."""
_POOL = 3
"""Experiences considered for each that is shown."""
_TURN_TOKEN = re.compile(
    r"<(?=[|｜])|<(?=/?(?:s|bos|eos|start_of_turn|end_of_turn|tool_call|tool_response|think)>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)
"""Where a token begins by which chat templates open and close turns. ``<|`` is no Python."""


class RecallingConfig(StrategyConfig):
    """What strategies that can show remembered experiences let be set; without a memory it has no effect."""

    recall: int = Field(default=3, ge=0, le=64, description="Remembered experiences to show at most; 0: none.")
    recall_tokens: int = Field(default=600, ge=1, description="Tokens that they may take together (estimated).")

    def without_memory(self) -> Self:
        return self.model_copy(update={"recall": 0})


async def recall(
    context: RunContext, problem: Problem, config: RecallingConfig, forms: Sequence[ExemplarForm]
) -> list[Hit]:
    """What to show for ``problem``: solved problems that have one of ``forms``, then notes; best first.

    Tells the run what was found. Nothing without a memory; a store that cannot be read is a warning, not the end of a
    solve.
    """
    if context.memory is None or config.recall == 0:
        return []
    try:
        pool = await _pool(context.memory, problem_text(problem), config.recall, forms)
    except StorageError as error:
        _warn(context, error)
        return []
    cost = partial(shown_tokens, forms=forms)
    chosen = within(pool, config.recall_tokens, most=config.recall, cost=cost)
    tell_recalled(context, chosen, cost)
    return chosen


async def _pool(memory: Memory, text: str, most: int, forms: Sequence[ExemplarForm]) -> list[Hit]:
    """What ``most`` experiences are chosen from: notes only where solved problems do not suffice."""
    solved = Query(text=text, kinds=("exemplar",), limit=most * _POOL, least_trust=LEAST_TRUST)
    # What does not fit does harm, what is missing none.
    hits = [hit for hit in await memory.search(solved) if hit.alike]
    found = [hit for hit in hits if any(is_shown(hit.experience, form) for form in forms)]
    if len(found) < most:
        notes = Query(text=text, kinds=NOTE_KINDS, limit=(most - len(found)) * _POOL)
        found += [hit for hit in await memory.search(notes) if hit.alike]
    return found


def add_recall(
    graph: StateGraph[Any, Any, Any, Any],
    config: RecallingConfig,
    forms: Callable[[Problem], Sequence[ExemplarForm]],
    *,
    before: Sequence[str],
) -> None:
    """Begins ``graph`` with a node "recall" (see ``recall``), which the nodes ``before`` follow side by side.

    A solve without a memory begins with those: a node costs about a millisecond. With ``recall`` 0 there is no such
    node, and no choice, which costs a fifth of one.

    ``forms`` are those that the strategy's prompts for a problem can show. What is found lies in ``found`` of the
    state; a node that has shown it to a model says so by ``newly_shown``.
    """

    if config.recall == 0:
        for name in before:
            graph.add_edge(START, name)
        return

    async def recall_experiences(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        found = await recall(runtime.context, state.problem, config, forms(state.problem))
        return {"found": tuple(found)}

    def first(state: SolveState, runtime: Runtime[RunContext]) -> list[str]:
        return list(before) if runtime.context.memory is None else ["recall"]

    graph.add_node("recall", recall_experiences)
    graph.add_conditional_edges(START, first, ["recall", *before])
    for name in before:
        graph.add_edge("recall", name)


def offered(state: SolveState) -> list[Experience]:
    """What the node "recall" has found, best first. Pure."""
    return [hit.experience for hit in state.found]


def newly_shown(state: SolveState, drafts: Sequence[Draft], form: ExemplarForm) -> list[Experience]:
    """What of ``offered`` stood in the prompt of ``drafts`` (see ``with_recalled``) and is not in ``recalled`` yet.

    Nothing where the model has not replied: it was shown nothing. Pure.
    """
    if all(draft.completion is None for draft in drafts):
        return []
    return newly_offered(state, form)


def newly_offered(state: SolveState, form: ExemplarForm) -> list[Experience]:
    """What of ``offered`` can be shown as ``form`` and is not in ``recalled`` yet. Pure."""
    known = {one.id for one in state.recalled}
    return [one for one in offered(state) if is_shown(one, form) and one.id not in known]


async def search_memory(context: RunContext, query: Query, *, max_tokens: int = 0) -> list[Experience]:
    """The best experiences for ``query`` that are more alike than chance, best first, and together fit ``max_tokens``
    (estimated; 0: no limit).

    Tells the run what was found. Without memory nothing is; a store that cannot be read is a warning, not the end of
    a solve.
    """
    if context.memory is None:
        return []
    hits = [hit for hit in await find_hits(context, query) if hit.alike]
    return tell_recalled(context, within(hits, max_tokens, most=query.limit) if max_tokens else hits)


def with_recalled(
    messages: Sequence[Message], recalled: Sequence[Experience], form: ExemplarForm
) -> tuple[Message, ...]:
    """``messages`` with ``recalled`` before the last user turn: exemplars that have ``form`` as turns of their own, the
    most similar (first) one last, and all else as notes within that turn. Pure."""
    last = max((place for place, turn in enumerate(messages) if turn.role == "user"), default=None)
    if last is None or not recalled:
        return tuple(messages)
    turns = [turn for one in reversed(recalled) for turn in _exemplar_turns(one, form)]
    notes = [note for one in recalled if (note := note_text(one))]
    question = messages[last]
    if notes:
        (question,) = render("memory/notes", notes=notes, text=question.content)
    return (*messages[:last], *turns, question, *messages[last + 1 :])


def _exemplar_turns(experience: Experience, form: ExemplarForm) -> tuple[Message, ...]:
    content = experience.content
    if not isinstance(content, Exemplar):
        return ()
    content = without_turn_tokens(content)
    shown = getattr(content, form)
    if not shown:
        return ()
    asked = problem_text(Problem(text=content.problem, choices=content.choices))
    reply = f"```python\n{shown}\n```" if form == "program" else shown
    return (Message(role="user", content=asked), Message(role="assistant", content=reply))


def without_turn_tokens(content: Exemplar) -> Exemplar:
    """``content`` with every token broken by which it could begin a turn of its own; programs stay what they are.

    Who posed the problem, and the model that solved it, may have written one, and nobody who confirms an answer looks
    for that. Pure.
    """

    def broken(text: str) -> str:
        return _TURN_TOKEN.sub(r"\g<0> ", text)

    return Exemplar(
        problem=broken(content.problem),
        choices=tuple(map(broken, content.choices)),
        program=broken(content.program),
        reasoning=broken(content.reasoning),
        answer=broken(content.answer),
    )


def is_shown(experience: Experience, form: ExemplarForm) -> bool:
    """Whether ``with_recalled`` shows anything of ``experience`` to who is asked for ``form``. Pure."""
    return bool(_exemplar_turns(experience, form) or note_text(experience))


def shown_tokens(experience: Experience, forms: Sequence[ExemplarForm]) -> int:
    """Tokens that ``with_recalled`` adds for ``experience``, in the form among ``forms`` that takes most; estimated
    from their length. Pure."""
    turns = [sum(len(turn.content) for turn in _exemplar_turns(experience, form)) for form in forms]
    return tokens_of_text(max([len(note_text(experience)), *turns]))


def note_text(experience: Experience) -> str:
    """A lesson, template or fact as a note for a model, of NOTE_CHARACTERS at most; "" for what is no note.

    What nobody has checked (``trust`` "unchecked") is quoted: it is data, whatever it says. What a model wrote (a
    lesson, a template, what is "judged") keeps no token that chat templates look for. Pure.
    """
    content = experience.content
    match content:
        case Lesson():
            parts = (f"In a similar problem {content.mistake} was wrong; {content.fix}", *content.knowledge)
            note = " ".join(parts)
        case Template():
            note = f"{content.problem_type}: {content.plan}"
        case Fact():
            note = f"{content.title}: {content.statement}"
        case _:
            return ""
    if experience.trust == "unchecked":
        source = experience.provenance.source or "memory"
        return quote_untrusted(note, source=source, max_chars=NOTE_CHARACTERS)
    by_model = experience.trust == "judged" or not isinstance(content, Fact)
    note = " ".join((neutralised(note) if by_model else note).split())
    return note if len(note) <= NOTE_CHARACTERS else f"{note[: NOTE_CHARACTERS - 1]}…"


async def find_hits(context: RunContext, query: Query) -> list[Hit]:
    """The best hits for ``query``; nothing is told of them: they may never be shown. Without memory, none.

    A store that cannot be read is a warning, not the end of a solve.
    """
    if context.memory is None:
        return []
    try:
        return await context.memory.search(query)
    except StorageError as error:
        _warn(context, error)
        return []


def tell_recalled(
    context: RunContext, chosen: Sequence[Hit], cost: Callable[[Experience], int] = estimated_tokens
) -> list[Experience]:
    """The experiences of ``chosen``, which a model will be shown: the run is told so, and what they cost."""
    found = [hit.experience for hit in chosen]
    context.emit(Recalled(found=tuple(map(_recollection, chosen)), tokens=sum(map(cost, found))))
    return found


def _warn(context: RunContext, error: StorageError) -> None:
    context.emit(Warned(message=f"memory cannot be read, the solve goes on without it: {error}"))


def _recollection(hit: Hit) -> Recollection:
    one = hit.experience
    where = one.provenance
    source = where.source or "/".join(part for part in (where.dataset, where.item) if part) or where.run
    title = " ".join(one.key_text.split())[:TITLE_CHARACTERS]
    return Recollection(
        id=one.id,
        experience=one.kind,
        title=title,
        source=source,
        trust=one.trust,
        score=round(hit.score, 4),
    )
