"""Correction pair: two corrections of one draft, the better before the worse, as training data. Pure.

Source: the second stage of "SuperCorrect" (arXiv 2410.09008): the preference is on how the first error is found and put
right, given the steps before it. The two are solves of the strategy supercorrect that begin with the same draft, one by
the teacher, one by the student; who was right is for the evaluation to say.
"""

from __future__ import annotations

from itertools import takewhile

from mathagent.agents.blocks.thought_template import parse_template
from mathagent.agents.problem_text import problem_text
from mathagent.prompts import render
from mathagent.types import Candidate, Message, Problem, Value

SOLVE_PROMPT = "supercorrect/solve"


class CorrectionPair(Value):
    """One record of preference optimisation: after ``prompt`` (the problem) and ``prefix`` (the steps that all share),
    ``chosen`` is preferred to ``rejected``. Both say first what is wrong, then go on from the prefix."""

    prompt: tuple[Message, ...]
    prefix: str
    chosen: str
    rejected: str


def correction_pair(problem: Problem, draft: Candidate, teacher: Candidate, student: Candidate) -> CorrectionPair:
    """The pair of the teacher's and the student's correction of ``draft``. ValueError where they are the same."""
    solutions = [_solution(candidate) for candidate in (draft, teacher, student)]
    shared = [texts[0] for texts in takewhile(lambda texts: len(set(texts)) == 1, zip(*solutions, strict=False))]
    chosen, rejected = (_trace(candidate, len(shared)) for candidate in (teacher, student))
    if chosen == rejected:
        raise ValueError(f"teacher and student correct the draft of problem '{problem.id}' in the same words")
    return CorrectionPair(
        prompt=render(SOLVE_PROMPT, problem=problem_text(problem), has_choices=bool(problem.choices)),
        prefix="\n\n".join(shared),
        chosen=chosen,
        rejected=rejected,
    )


def _solution(candidate: Candidate) -> tuple[str, ...]:
    """The steps of a candidate's latest text, each in its tag."""
    written = [step.text for step in candidate.steps if step.kind == "thought"]
    return parse_template(written[-1]).step_texts if written else ()


def _trace(candidate: Candidate, shared: int) -> str:
    """The critique that a candidate began with, and its solution behind the first ``shared`` steps."""
    critiques = [step.text for step in candidate.steps if step.kind == "critique"]
    written = [step.text for step in candidate.steps if step.kind == "thought"]
    whole = parse_template(written[-1]) if written else parse_template("")
    ends = [
        f"<Generalized>{whole.generalized}</Generalized>" if whole.generalized else "",
        f"<Answer>{whole.answer}</Answer>" if whole.answer else "",
    ]
    return "\n\n".join(part for part in (*critiques, *whole.step_texts[shared:], *ends) if part)
