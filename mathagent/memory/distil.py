"""Distil: what a solve leaves for memory. Pure: no store, no model, no comparison that needs a process.

Both sides are kept, as in Memory-R (arXiv 2504.02273): what was right as exemplars, what went wrong as lessons. How the
strategy fared is noted wherever that is known; a caller that tries strategies one after the other gets SMART's implicit
biasing (arXiv 2410.16128) for nothing: a later try counts for its strategy like a first one.

The gate: a wrong exemplar would be copied by every problem like it, so none is kept on a model's word alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import pairwise

from mathagent.memory.exemplar_text import tidy_program, tidy_reasoning
from mathagent.memory.experience import Exemplar, Experience, Lesson, Provenance, StrategyStatistics, Trust
from mathagent.memory.failure_lessons import (
    MOST_LESSONS,
    key_text,
    lesson_of_failure,
    lessons_of_success,
    same_answer,
)
from mathagent.types import Candidate, Check, Solution

MOST_REASONING = 1500
MOST_PROGRAM = 2000
"""Characters of what is shown in a prompt again; a longer solution is no exemplar."""
DERIVATIONS = frozenset({"agreement", "recomputation"})
"""Checks that solve the problem once more. See ``trust_in``."""

_VALUE_LINE = re.compile(r"\n\n(?:solution\(\)|answer)\s*\Z")
_KNOWN: tuple[Trust, ...] = ("person", "graded", "verified")


def trust_in(solution: Solution, *, reference_grade: bool | None = None, person: bool | None = None) -> Trust:
    """What stands behind the answer of ``solution``; "unchecked" where nothing does, or something speaks against it.

    "person" and "graded" where a person or a reference says that it is right and neither says that it is wrong. Else
    the certificate of a solve that ended and did not abstain: "verified" where a strong check holds and none fails. Of
    derivations alone (another program gives the same answer) that makes it "judged" only: they are samples of the same
    model, which misreads a problem twice in the same way, while the other strong checks test the answer against what
    the problem states. Votes without a program are no check at all.
    """
    if solution.answer is None or reference_grade is False or person is False:
        return "unchecked"
    if person or reference_grade:
        return "person" if person else "graded"
    if solution.stopped != "finished" or solution.abstained:
        return "unchecked"
    holding = [one for one in solution.certificate if one.outcome == "holds" and one.strength == "strong"]
    if not holding or any(one.outcome == "fails" for one in solution.certificate):
        return "unchecked"
    return "judged" if all(one.kind in DERIVATIONS for one in holding) else "verified"


def certified(solution: Solution) -> bool:
    """Whether the certificate alone lets ``solution`` become an exemplar that counts as verified."""
    return trust_in(solution) == "verified"


def experiences_of(
    solution: Solution,
    *,
    reference_grade: bool | None,
    person: bool | None,
    provenance: Provenance,
    lessons: Sequence[Lesson] = (),
) -> list[Experience]:
    """What ``solution`` teaches: at most one exemplar, a few lessons, and how its strategy fared.

    ``reference_grade`` and ``person`` say whether the answer is right (None: nobody said); one "wrong" outweighs all
    else. ``lessons`` are a model's on the same solve: they are kept where it is known how it ended, as "judged".
    Nothing follows from a solve of which nothing is known.
    """
    trust = trust_in(solution, reference_grade=reference_grade, person=person)
    wrong = reference_grade is False or person is False
    if trust == "unchecked" and not wrong:
        return []
    if wrong:
        trust = "person" if person is False else "graded"
    subject = solution.problem.metadata.get("subject")
    base = Experience(
        content=StrategyStatistics(
            problem=key_text(solution.problem),
            strategy=solution.strategy,
            model=solution.model,
            success=not wrong,
            tokens=solution.usage.completion_tokens,
            seconds=solution.seconds,
        ),
        provenance=provenance,
        trust=trust,
        subject=subject if isinstance(subject, str) else "",
    )
    found = _of_failure(solution, base) if wrong else _of_success(solution, base)
    found += [base.model_copy(update={"content": lesson, "trust": "judged"}) for lesson in lessons]
    # A solve that was broken off says nothing of its strategy.
    if trust in _KNOWN and solution.stopped in ("finished", "budget"):
        found.append(base)
    return found


def _of_failure(solution: Solution, base: Experience) -> list[Experience]:
    lesson = lesson_of_failure(solution)
    update = {"content": lesson, "evidence": solution.certificate}
    return [] if lesson is None else [base.model_copy(update=update)]


def _of_success(solution: Solution, base: Experience) -> list[Experience]:
    right = _right(solution)
    found: list[Experience] = []
    exemplar = _exemplar(solution, right)
    if exemplar is not None:
        score = 1.0 if base.trust in ("graded", "person") else None
        update = {"content": exemplar, "score": score, "evidence": solution.certificate}
        found.append(base.model_copy(update=update))
    if right:
        winner = min(right, key=lambda one: (not working_program(one), _length(one)))
        repaired = next((one for one in right if len(one.steps) > 2), winner)
        lessons = dict.fromkeys([*lessons_of_success(solution, repaired), *lessons_of_success(solution, winner)])
        found += [base.model_copy(update={"content": lesson}) for lesson in [*lessons][:MOST_LESSONS]]
    return found


def _right(solution: Solution) -> list[Candidate]:
    """The candidates that give the solution's answer, which is right, and of which no check fails.

    Where the strategy names a winner only that one: what its judge preferred is the solution to keep (Xolver).
    """
    assert solution.answer is not None
    won = () if solution.winner is None else (solution.candidates[solution.winner],)
    return [
        one
        for one in won or solution.candidates
        if one.answer is not None
        and same_answer(one.answer.normal, solution.answer)
        and not any(check.outcome == "fails" for check in one.checks)
    ]


def _exemplar(solution: Solution, right: Sequence[Candidate]) -> Exemplar | None:
    """The shortest program and the shortest reasoning that lead to the answer; None where neither can be shown."""
    assert solution.answer is not None
    problem = key_text(solution.problem)
    programs = [tidy_program(program, problem) for one in right if (program := working_program(one))]
    words = [tidy_reasoning(text, problem) for one in right if (text := _reasoning(one))]
    program = min((text for text in programs if len(text) <= MOST_PROGRAM), key=len, default="")
    reasoning = min((text for text in words if len(text) <= MOST_REASONING), key=len, default="")
    if not program and not reasoning:
        return None
    return Exemplar(
        problem=solution.problem.text,
        choices=solution.problem.choices,
        program=program,
        reasoning=reasoning,
        answer=solution.answer,
    )


def working_program(candidate: Candidate) -> str:
    """The program that gives the answer of ``candidate`` by itself; "" where there is none.

    A session's cells need those before them: what was checked to give the answer counts, else the one program that ran.
    """
    ran = [
        code.text
        for code, seen in pairwise(candidate.steps)
        if code.kind == "code" and seen.execution is not None and seen.execution.ok
    ]
    checked = next((one for one in candidate.checks if one.kind == "execution" and one.outcome == "holds"), None)
    if checked is None:  # it ran, but nobody saw it give this answer
        return ""
    return ran[0] if len(ran) == 1 else _source(checked) if ran else ""


def _source(check: Check) -> str:
    """The program in an execution check, without what the check added to have its value."""
    program = _VALUE_LINE.sub("", check.program)
    try:
        calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program
    for call in calls:
        first = call.args[0] if call.args else None
        if isinstance(call.func, ast.Name) and call.func.id == "compile" and isinstance(first, ast.Constant):
            return str(first.value)
    return program


def _reasoning(candidate: Candidate) -> str:
    """The words of a candidate that wrote no program, as it last put them."""
    if any(step.kind == "code" for step in candidate.steps):
        return ""
    thoughts = [step.text for step in candidate.steps if step.kind == "thought"]
    if any(step.kind == "critique" for step in candidate.steps):
        return thoughts[-1] if thoughts else ""
    return "\n".join(thoughts)


def _length(candidate: Candidate) -> int:
    return sum(len(step.text) for step in candidate.steps)
