"""The trace of a solve as one page of HTML that a person reads: problem, answer, evidence, every candidate, the graph.

The page needs nothing but itself: no network, no script, formulas as MathML, the graph as SVG. What models, programs
and people wrote is untrusted (see html_templates).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mathagent import __version__
from mathagent.answers.choices import labelled_choices
from mathagent.console.clean_text import one_line
from mathagent.console.event_log import TimedEvent
from mathagent.console.graph_layers import Graph
from mathagent.console.graph_svg import graph_svg
from mathagent.console.html_templates import asset, csp_hash, template
from mathagent.console.math_text import readable, readable_math
from mathagent.console.memory_lines import remembered_words, shown_to_model
from mathagent.console.prose_html import formula_html
from mathagent.console.solution_view import cost_words, evidence_words
from mathagent.events import ModelReplied, Recollection, Remembered, SolveFinished, Voted
from mathagent.types import Solution, Usage


def trace_page(solution: Solution, events: Sequence[TimedEvent] = (), graph: Graph | None = None) -> str:
    """The page, complete: UTF-8 text to be written to a file.

    ``events`` are those of the solve (see EventLog) and add votes, costs by role and the list of events; ``graph`` is
    its strategy's (see graph_of). Without them the page shows what the Solution holds: that of a record will do.
    """
    style = asset("trace.css")
    votes, vote_note = _votes(solution, events)
    answer = "no answer" if solution.answer is None else one_line(readable_math(solution.answer), 60)
    shown = None if solution.answer is None else formula_html(solution.answer)
    return template("trace.html").render(
        solution=solution,
        title=f"{answer}: {one_line(readable(solution.problem.text), 80)}",
        version=__version__,
        style=style,
        style_hash=csp_hash(style),
        as_written=solution.answer if shown is not None and shown.startswith("<math") else "",
        choices=labelled_choices(solution.problem.choices),
        evidence=", ".join(evidence_words(solution)),
        cost=", ".join(cost_words(solution)),
        votes=votes,
        vote_note=vote_note,
        recalled=_recalled(solution, events),
        remembered=[remembered_words(one.event) for one in events if isinstance(one.event, Remembered)],
        shown_candidate=shown_candidate(solution),
        graph=None if graph is None else Markup(graph_svg(graph, f"Graph of {one_line(solution.strategy)}")),
        dashes=graph is not None and any(edge.conditional for edge in graph.edges),
        roles=_roles(events),
        programs=_program_seconds(solution),
        events=[_EventRow.of(timed) for timed in events],
    )


@dataclass(frozen=True)
class _EventRow:
    """One line of the list of events."""

    at_s: float
    kind: str
    about: str
    whole: str

    @classmethod
    def of(cls, timed: TimedEvent) -> _EventRow:
        event = timed.event
        if isinstance(event, SolveFinished):
            about = f"answer: {one_line(event.solution.answer or 'none', 80)}, stopped: {event.solution.stopped}"
            return cls(timed.at_s, event.kind, about, "its Solution is what the rest of this page shows")
        fields = event.model_dump(mode="json", exclude={"kind"})
        about = ", ".join(f"{name}: {one_line(_json(value), 60)}" for name, value in fields.items())
        return cls(timed.at_s, event.kind, about, json.dumps(fields, indent=2, ensure_ascii=False))


@dataclass(frozen=True)
class _RoleRow:
    """What one role's replies cost."""

    role: str
    replies: int
    cached: int
    prompt_tokens: int
    completion_tokens: int


def _roles(events: Sequence[TimedEvent]) -> list[_RoleRow]:
    replies: dict[str, list[ModelReplied]] = {}
    for timed in events:
        if isinstance(timed.event, ModelReplied):
            replies.setdefault(timed.event.role, []).append(timed.event)
    rows = []
    for role, said in replies.items():
        usage = sum((reply.usage for reply in said), Usage())
        cached = sum(reply.cached for reply in said)
        rows.append(_RoleRow(role, len(said), cached, usage.prompt_tokens, usage.completion_tokens))
    return rows


def _program_seconds(solution: Solution) -> list[float]:
    """Wall clock of every program of every candidate."""
    steps = [step for candidate in solution.candidates for step in candidate.steps]
    return [step.execution.wall_s for step in steps if step.execution is not None]


def _votes(solution: Solution, events: Sequence[TimedEvent]) -> tuple[list[tuple[str, int]], str]:
    """The votes for each answer, most first, and what they are; none for a single candidate."""
    voted = [timed.event for timed in events if isinstance(timed.event, Voted)]
    if voted:
        return list(voted[-1].classes), f"Equal answers count as one: {voted[-1].reason}"
    if len(solution.candidates) < 2:
        return [], ""
    answers = Counter(one.answer.normal for one in solution.candidates if one.answer is not None)
    return answers.most_common(), "Candidates with the same answer, letter by letter."


def _recalled(solution: Solution, events: Sequence[TimedEvent]) -> list[Recollection]:
    """What a model was shown of memory; of a solve without events, or what was shown before them, only the ids."""
    told = {one.id: one for one in shown_to_model(timed.event for timed in events)}
    untold = (
        Recollection(id=one, experience="experience", title="") for one in solution.recalled if one not in told
    )
    return [*told.values(), *untold]


def shown_candidate(solution: Solution) -> int:
    """The index of the candidate that is open at first: one that gives the answer, else the first."""
    for index, candidate in enumerate(solution.candidates):
        if candidate.answer is not None and candidate.answer.normal == solution.answer:
            return index
    return 0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
