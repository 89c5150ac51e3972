"""What a person sees of the candidates: all in a line each, or one of them whole."""

from __future__ import annotations

from rich.console import Console

from mathagent.console.certificate_view import mark
from mathagent.console.check_lines import show_check
from mathagent.console.clean_text import clip_lines, one_line
from mathagent.console.execution_view import show_execution
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.console.why_view import AnswerVotes
from mathagent.errors import UsageError
from mathagent.types import Candidate, Solution

OUTPUT_LINES = 60


def show_candidates(console: Console, solution: Solution, votes: AnswerVotes) -> None:
    """Prints one row for each candidate: its answer or failure, how it came about, votes and checks."""
    page = Page(console)
    if not solution.candidates:
        page.line("there are no candidates: the solve ended before the first")
        return
    size = {index: len(members) for members in votes.classes for index in members}
    chosen = {index for members in votes.classes if votes.supports(members) for index in members}
    rows, widest = [], len(str(len(solution.candidates)))
    for index, candidate in enumerate(solution.candidates):
        star = "* " if index in chosen else "  "
        about = [_way(candidate), *([counted(size[index], "vote")] if index in size else [])]
        marks = " ".join(f"{mark(check, page)} {check.kind}" for check in candidate.checks)
        if candidate.failure is not None:
            about.append(one_line(candidate.failure.message, 160))
        about += [marks] if marks else []
        rows.append(
            (
                f"{star}{str(index + 1).rjust(widest)}  {_result(candidate, page)}",
                page.dot.join(about),
                "bold" if index in chosen else "",
            )
        )
    page.table(rows)


def show_candidate(console: Console, solution: Solution, number: int) -> None:
    """Prints candidate ``number`` (from 1) whole. Raises UsageError where there is none."""
    page = Page(console)
    total = len(solution.candidates)
    if not 1 <= number <= total:
        known = f"they are numbered from 1 to {total}" if total else "there are none"
        raise UsageError(f"there is no candidate {number}; {known}")
    candidate = solution.candidates[number - 1]
    page.line(f"candidate {number} of {total}: {_result(candidate, page)}", style="bold")
    for step in candidate.steps:
        by = "" if step.origin == "model" else f" ({step.origin})"
        page.line(f"{step.kind}{by}", style="dim")
        if step.kind == "code":
            page.code(step.text)
        elif step.execution is not None:
            show_execution(page, step.execution, most=OUTPUT_LINES)
        elif step.kind == "observation":
            page.line(clip_lines(step.text, most=OUTPUT_LINES), indent=2)
        else:
            page.prose(step.text)
    if candidate.failure is not None:
        page.line(f"{candidate.failure.kind}: {one_line(candidate.failure.message)}", style="red")
    for check in candidate.checks:
        show_check(page, check)


def _result(candidate: Candidate, page: Page) -> str:
    if candidate.answer is not None:
        return page.math(one_line(candidate.answer.normal, 60))
    return candidate.failure.kind if candidate.failure is not None else "no answer"


def _way(candidate: Candidate) -> str:
    programs = sum(step.kind == "code" for step in candidate.steps)
    return "words" if not programs else "program" if programs == 1 else f"{programs} programs"
