"""Failure lessons: what went wrong in a solve whose end is known, in the words of the solve itself. Pure.

The failure side of memory (Memory-R, arXiv 2504.02273): a lesson names the mistake and what differs in what was right,
never the right answer, which near duplicates would copy (a failure of NesyCD's notes, arXiv 2409.13203).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mathagent.answers.extract import extract_answer
from mathagent.answers.normal import normalize
from mathagent.answers.rational import exact_value
from mathagent.memory.experience import Lesson
from mathagent.types import Candidate, Problem, Solution, Step

MOST_LESSONS = 2
MOST_LINES = 3
MOST_CHARACTERS = 240
SIMILAR = 0.5
"""Programs at least so alike (difflib's ratio of lines) are one and its repair; else the difference says nothing."""
UNKNOWN_FIX = "it is not known what would have been right"


def same_answer(a: str, b: str) -> bool | None:
    """Whether two answers are the same; None where that takes more than arithmetic."""
    if normalize(a) == normalize(b):
        return True
    first, second = exact_value(a), exact_value(b)
    return None if first is None or second is None else first == second


def key_text(problem: Problem) -> str:
    """The problem's text and choices, as experiences are found by it."""
    return "\n".join((problem.text, *problem.choices))


def lessons_of_success(solution: Solution, winner: Candidate) -> list[Lesson]:
    """What was put right on the way to ``winner``, whose answer is the right one; the most telling first.

    First what ``winner`` itself repaired (a program that failed, a draft that was criticised), then the wrong answer
    that most other candidates gave.
    """
    problem = key_text(solution.problem)
    answer = winner.answer.normal if winner.answer is not None else ""
    found = [
        Lesson(problem=problem, mistake=mistake, fix=fix)
        for mistake, fix in (*_repairs_within(winner, answer), *_repairs_of_others(solution, winner, answer))
    ]
    return list(dict.fromkeys(found))[:MOST_LESSONS]


def lesson_of_failure(solution: Solution) -> Lesson | None:
    """That the answer of ``solution`` is wrong; nobody knows what would have been right. None without an answer."""
    if solution.answer is None:
        return None
    wrong = next(
        (one for one in solution.candidates if one.answer and same_answer(one.answer.normal, solution.answer)),
        None,
    )
    way = _way(wrong) if wrong is not None else ""
    failing = [check.claim or check.kind for check in solution.certificate if check.outcome == "fails"]
    mistake = f"the answer {_short(solution.answer)}{way}"
    if failing:
        mistake += f" (this did not hold: {_short('; '.join(failing))})"
    return Lesson(problem=key_text(solution.problem), mistake=mistake, fix=UNKNOWN_FIX)


def _repairs_within(winner: Candidate, answer: str) -> Iterator[tuple[str, str]]:
    """(mistake, fix) for each program of ``winner`` that failed before one that did not, and each criticised draft."""
    programs = [
        (code.text, seen.execution)
        for code, seen in pairwise(winner.steps)
        if code.kind == "code" and seen.execution is not None
    ]
    for (before, execution), (after, then) in pairwise(programs):
        if not execution.ok and then.ok and (changed := changed_lines(before, after)):
            error = execution.error or f"status {execution.status}"
            yield f"a program that ended with {_short(error)}", changed
    for before_step, critique in pairwise(winner.steps):
        if critique.kind == "critique" and before_step.kind in ("thought", "code"):
            draft = extract_answer(before_step.text)
            if draft is not None and same_answer(draft.normal, answer) is False and critique.text.strip():
                yield f"the answer {_short(draft.raw)}", f"the critique was: {_short(critique.text)}"


def _repairs_of_others(solution: Solution, winner: Candidate, answer: str) -> Iterator[tuple[str, str]]:
    """(mistake, fix) of the programs that failed, then of the wrong candidates, the commonest answer first."""
    for one in solution.candidates:
        changed = changed_lines(last_code(one.steps), last_code(winner.steps))
        if one.failure is not None and one.failure.kind in ("code-error", "code-timeout") and changed:
            yield f"a program that ended with {_short(one.failure.message)}", changed
    wrong = [
        one
        for one in solution.candidates
        if one.answer is not None and same_answer(one.answer.normal, answer) is False
    ]
    votes = Counter(normalize(one.answer.normal) for one in wrong if one.answer is not None)
    for one in sorted(wrong, key=lambda one: -votes[normalize(one.answer.normal if one.answer else "")]):
        assert one.answer is not None
        failing = [check.claim or check.kind for check in one.checks if check.outcome == "fails"]
        mistake = f"the answer {_short(one.answer.raw)}{_way(one)}"
        if failing:
            mistake += f" (this did not hold: {_short('; '.join(failing))})"
        fix = changed_lines(last_code(one.steps), last_code(winner.steps)) or _conclusion(winner)
        if fix:
            yield mistake, fix


def changed_lines(before: str, after: str) -> str:
    """What ``after`` has in place of lines of ``before``, in words; "" where they are too different, or the same."""
    old, new = ([line.strip() for line in text.splitlines() if line.strip()] for text in (before, after))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    if not old or not new or matcher.ratio() < SIMILAR:
        return ""
    parts: list[str] = []
    for kind, start, end, first, last in matcher.get_opcodes():
        gone, come = "; ".join(old[start:end][:MOST_LINES]), "; ".join(new[first:last][:MOST_LINES])
        match kind:
            case "replace":
                parts.append(f"`{come}` in place of `{gone}`")
            case "insert":
                parts.append(f"`{come}` was missing")
            case "delete":
                parts.append(f"without `{gone}`")
    return _short("it was put right by " + ", ".join(parts[:MOST_LINES])) if parts else ""


def last_code(steps: Sequence[Step]) -> str:
    """The last program among ``steps``; "" where there is none."""
    return next((step.text for step in reversed(steps) if step.kind == "code"), "")


def _conclusion(winner: Candidate) -> str:
    """The lines from which the right answer follows: the last statements of the program that gave it."""
    lines = [line.split("#")[0].strip() for line in last_code(winner.steps).splitlines()]
    computing = [line for line in lines if "=" in line or line.startswith("return ")]
    return _short(f"right was to compute `{'; '.join(computing[-MOST_LINES:])}`") if computing else ""


def _way(candidate: Candidate) -> str:
    computing = [
        line.split("#")[0].strip()
        for line in last_code(candidate.steps).splitlines()
        if "=" in line or "return " in line
    ]
    return f" by `{_short('; '.join(computing[-MOST_LINES:]))}`" if computing else ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MOST_CHARACTERS else f"{flat[: MOST_CHARACTERS - 1]}…"
