"""A solution as Markdown, for a person's notes: problem, answer, evidence, programs. Formulas stay LaTeX."""

from __future__ import annotations

import re

from mathagent.answers.choices import labelled_choices
from mathagent.console.certificate_view import conclude
from mathagent.console.clean_text import clean, one_line
from mathagent.console.solution_view import cost_words, recalled_words
from mathagent.types import Candidate, Solution

_MARKS = {"holds": "✓", "fails": "✗", "undecided": "?"}


def solution_markdown(solution: Solution) -> str:
    """The page. What models and programs wrote is cleaned, and fenced where it is code; it ends with a line end."""
    lines = ["# Problem", "", clean(solution.problem.text).strip(), ""]
    lines += [f"- ({label}) {one_line(text)}" for label, text in labelled_choices(solution.problem.choices)]
    lines += ["", "## Answer", "", _answer(solution), ""]
    if solution.confidence is not None:
        lines += [f"Confidence {solution.confidence:.2f} ({one_line(solution.confidence_basis)}).", ""]
    if solution.stopped != "finished":
        lines += [f"Stopped: {one_line(solution.detail) or solution.stopped}.", ""]
    lines += ["## Certificate", "", conclude(solution.certificate) + ".", ""]
    for check in solution.certificate:
        about = " – ".join(one_line(part) for part in (check.claim, check.reason) if part)
        lines += [f"{_MARKS[check.outcome]} **{check.kind}** ({check.strength}) {about}".rstrip(), ""]
        lines += [*_fenced(check.program, "python"), "", f"expected: `{_code_span(check.expected)}`", ""]
    for number, candidate in enumerate(solution.candidates, start=1):
        lines += [f"## Candidate {number}", "", *_candidate(candidate)]
    memory = f"; {recalled_words(solution)}" if solution.recalled else ""
    lines += [
        "## How",
        "",
        f"{solution.strategy} on {one_line(solution.model)}: {', '.join(cost_words(solution))}{memory}.",
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _answer(solution: Solution) -> str:
    return "none" if solution.answer is None else f"**{one_line(solution.answer, 10_000)}**"


def _candidate(candidate: Candidate) -> list[str]:
    lines: list[str] = []
    for step in candidate.steps:
        if step.kind in ("thought", "critique"):
            lines += [clean(step.text).strip(), ""]
        else:
            lines += [*_fenced(step.text, "python" if step.kind == "code" else "text"), ""]
    if candidate.answer is not None:
        return [*lines, f"Answer: {one_line(candidate.answer.normal, 10_000)}", ""]
    failure = candidate.failure
    return [*lines, f"No answer: {failure.kind}: {one_line(failure.message)}" if failure else "No answer.", ""]


def _fenced(text: str, language: str) -> list[str]:
    """``text`` in a fence that is longer than any in it."""
    text = clean(text).strip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence]


def _code_span(text: str) -> str:
    return one_line(text, 1000).replace("`", "'")
