"""The trace of a solve as one page of HTML that a person reads: problem, answer, evidence, every candidate, the graph.

The page needs nothing but itself: no network, no script, formulas as MathML, the graph as SVG. What models, programs
and people wrote is untrusted: every text is cleaned and escaped, and the page's own policy (CSP) allows its one style
sheet, by its hash, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mathagent import __version__
from mathagent.answers.choices import labelled_choices
from mathagent.console.clean_text import clean, one_line
from mathagent.console.event_log import TimedEvent
from mathagent.console.graph_layers import Graph
from mathagent.console.graph_svg import graph_svg
from mathagent.console.math_text import readable, readable_math
from mathagent.console.prose_html import code_html, formula_html, pre_html, prose_html, text_html
from mathagent.console.solution_view import cost_words, evidence_words
from mathagent.events import ModelReplied, SolveFinished, Voted
from mathagent.types import Solution, Usage

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST_OUTPUT = 100_000  # characters of one program's output; more makes browsers slow, and nobody reads it


def trace_page(solution: Solution, events: Sequence[TimedEvent] = (), graph: Graph | None = None) -> str:
    """The page, complete: UTF-8 text to be written to a file.

    ``events`` are those of the solve (see EventLog) and add votes, costs by role and the list of events; ``graph`` is
    its strategy's (see graph_of). Without them the page shows what the Solution holds: that of a record will do.
    """
    style = files(__package__).joinpath("templates/trace.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    votes, vote_note = _votes(solution, events)
    answer = "no answer" if solution.answer is None else one_line(readable_math(solution.answer), 60)
    shown = None if solution.answer is None else formula_html(solution.answer)
    return _template().render(
        solution=solution,
        title=f"{answer}: {one_line(readable(solution.problem.text), 80)}",
        version=__version__,
        style=Markup(style),
        style_hash=f"sha256-{digest}",
        as_written=solution.answer if shown is not None and shown.startswith("<math") else "",
        choices=labelled_choices(solution.problem.choices),
        evidence=", ".join(evidence_words(solution)),
        cost=", ".join(cost_words(solution)),
        votes=votes,
        vote_note=vote_note,
        shown_candidate=_shown_candidate(solution),
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


def _shown_candidate(solution: Solution) -> int:
    """The index of the candidate that is open at first: one that gives the answer, else the first."""
    for index, candidate in enumerate(solution.candidates):
        if candidate.answer is not None and candidate.answer.normal == solution.answer:
            return index
    return 0


def _clipped(text: str) -> str:
    left_out = len(text) - LONGEST_OUTPUT
    return text if left_out <= 0 else f"{text[:LONGEST_OUTPUT]}\n... ({left_out:,} more characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cleaned(value: Any) -> Any:
    """Every expression of the template goes through here: markup of ours as it is, all else cleaned text."""
    return value if isinstance(value, Markup) else clean(str(value))


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mathagent.console"), autoescape=True, undefined=StrictUndefined, finalize=_cleaned
    )
    environment.filters |= {
        "code": code_html,
        "clipped": _clipped,
        "formula": formula_html,
        "json": _json,
        "one_line": one_line,
        "pre": pre_html,
        "prose": prose_html,
        "text": text_html,
    }
    return environment.get_template("trace.html")
