"""The training pair of two corrections: what they share is the prompt, how they go on is compared."""

from __future__ import annotations

import pytest

from mathagent.agents.correction_pair import correction_pair
from mathagent.types import Answer, Candidate, Problem, Step

PROBLEM = Problem(text="What is 3 plus 4, doubled?", id="p1")


def candidate(text: str, answer: str, *critique: str) -> Candidate:
    critiques = tuple(Step(kind="critique", text=one) for one in critique)
    return Candidate(steps=(*critiques, Step(kind="thought", text=text)), answer=Answer(raw=answer, normal=answer))


DRAFT = candidate("<Step1>3+4=7</Step1><Step2>7*2=15</Step2><Answer>15</Answer>", "15")
TEACHER = candidate(
    "<Step1>3+4=7</Step1>\n\n<Step2>7*2=14</Step2><Generalized>g</Generalized><Answer>14</Answer>",
    "14",
    "“7*2=15” is wrong: seven twos are 14.",
)


def test_the_shared_prefix_is_the_problem_and_the_steps_before_the_error() -> None:
    student = candidate("<Step1>3+4=7</Step1><Step2>7*2=16</Step2><Answer>16</Answer>", "16", "it should be 16")
    pair = correction_pair(PROBLEM, DRAFT, TEACHER, student)
    assert pair.prompt[-1].content.startswith(PROBLEM.text)
    assert pair.prefix == "<Step1>3+4=7</Step1>"
    assert pair.chosen == (
        "“7*2=15” is wrong: seven twos are 14.\n\n<Step2>7*2=14</Step2>\n\n<Generalized>g</Generalized>"
        "\n\n<Answer>14</Answer>"
    )
    assert pair.rejected == "it should be 16\n\n<Step2>7*2=16</Step2>\n\n<Answer>16</Answer>"


def test_a_student_who_finds_the_error_too_early_shares_less() -> None:
    student = candidate("<Step1>3+4=8</Step1><Step2>8*2=16</Step2><Answer>16</Answer>", "16", "3+4 is 8")
    pair = correction_pair(PROBLEM, DRAFT, TEACHER, student)
    assert pair.prefix == ""
    assert pair.chosen.startswith("“7*2=15” is wrong: seven twos are 14.\n\n<Step1>3+4=7</Step1>")
    assert pair.rejected.startswith("3+4 is 8\n\n<Step1>3+4=8</Step1>")


def test_the_same_correction_is_no_pair() -> None:
    with pytest.raises(ValueError, match="problem 'p1' in the same words"):
        correction_pair(PROBLEM, DRAFT, TEACHER, TEACHER)
