from __future__ import annotations

from typing import Any

import pytest

from mathagent.evals.failures import (
    FAILURES,
    candidate_failure,
    count_failures,
    failure_kind,
    failure_of,
    is_refusal,
)
from mathagent.evals.records import Record
from mathagent.types import Answer, Candidate, Failure, FailureKind, Problem, Solution, Step, Stopped


def failed(kind: FailureKind, text: str | None = None, message: str = "") -> Candidate:
    steps = () if text is None else (Step(kind="thought", text=text),)
    return Candidate(steps=steps, failure=Failure(kind=kind, message=message or kind))


def ran(kind: FailureKind, program: str = "f()", message: str = "") -> Candidate:
    steps = (Step(kind="code", text=program), Step(kind="observation", text="", origin="tool"))
    return Candidate(steps=steps, failure=Failure(kind=kind, message=message or kind))


def unreadable(program: str) -> Candidate:
    return ran("code-error", program, "SyntaxError: invalid syntax")


def answered(text: str, answer: str = "7") -> Candidate:
    return Candidate(steps=(Step(kind="thought", text=text),), answer=Answer(raw=answer, normal=answer))


def solution(
    *candidates: Candidate, answer: str | None = None, stopped: Stopped = "finished", choices: tuple[str, ...] = ()
) -> Solution:
    return Solution(
        problem=Problem(text="What?", choices=choices),
        answer=answer,
        confidence=None,
        confidence_basis="",
        candidates=candidates,
        stopped=stopped,
        strategy="cot",
        model="script:x",
    )


def record(made: Solution | None = None, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "key": "k",
        "dataset": "d",
        "problem_id": "p",
        "strategy": "cot",
        "config": {},
        "model": "script:x",
        "reference": "7",
        "answer": None if made is None else made.answer,
        "outcome": "incorrect",
        "reason": "",
        "solution": made,
    }
    return Record(**{**fields, **changes})


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (failed("truncated", "Let us begin with"), "truncated"),
        (failed("refused", ""), "refused"),
        (failed("no-answer", "I'm sorry, but I can't help with that request."), "refused"),
        (failed("no-answer", "There are 3 apples and 4 pears, so together it is clear."), "format"),
        (failed("no-answer", "x = 3", "the model wrote no program"), "format"),
        (failed("no-answer", "x = 3", "the budget ended before the answer was stated"), "no-answer"),
        (failed("no-answer", "  "), "no-answer"),
        (failed("no-answer"), "no-answer"),
        (ran("no-answer"), "no-answer"),
        (ran("code-error"), "code-error"),
        (ran("code-timeout"), "timeout"),
        (failed("model-error"), "error"),
        (unreadable("def solution():\nI'm sorry, but I can't help with that request."), "refused"),
        (unreadable("I cannot answer this."), "refused"),
        (unreadable("def solution():\nLet me think. x = 4.\nThe answer is \\boxed{4}."), "format"),
        (unreadable("If x is 4, then it is 8 (as x doubles)."), "format"),
        (unreadable("def solution():"), "no-answer"),
        (unreadable("def solution():\n    x = 3\n  return x"), "code-error"),
        (unreadable("First we set x.\nx = 3 apples"), "code-error"),
        (unreadable("for x in range(3):\nprint x"), "code-error"),
        (ran("code-error", "nothing here", "NameError: name 'nothing' is not defined"), "code-error"),
    ],
)
def test_a_candidates_failure_is_known_by_its_kind_and_its_words(candidate: Candidate, kind: str) -> None:
    assert candidate_failure(candidate) == kind
    assert failure_of(record(solution(candidate))) == kind


def test_every_kind_that_a_candidate_can_have_is_in_the_table() -> None:
    kinds: tuple[FailureKind, ...] = FailureKind.__args__  # type: ignore[attr-defined]
    assert {candidate_failure(failed(kind)) for kind in kinds} <= set(FAILURES)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I can’t help with this.",
        "Sorry, I am unable to provide an answer to this question.",
        "I cannot help with that request.",
        "As an AI language model, I cannot provide the answer.",
        "As a large language model, I am not able to answer that.",
        "I must respectfully decline.",
        "I apologize, but I'm not able to answer this.",
        "Unfortunately, I cannot comply with this request.",
        "We are unable to assist you.",
        "抱歉，我无法回答这个问题。",
        "对不起，我不能提供帮助。",
    ],
)
def test_words_that_decline_are_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot assume that x is positive, so I take both cases.",
        "We can't have a negative number of apples; the count is 4.",
        "Sorry, let me correct the second line: 3 + 4 = 7.",
        "Tom cannot help with the dishes, so Ann washes all 12.",
        "The answer is 7.",
        "Unfortunately the shop cannot sell half an apple, so it is 3.",
        "I'm sorry, I can't help but notice: \\boxed{4}",
        "我们无法直接求解，所以用数值方法。",
    ],
)
def test_mathematics_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_the_commonest_failure_of_the_candidates_counts() -> None:
    made = solution(ran("code-error"), failed("truncated", "…"), ran("code-error"))
    assert failure_kind(made) == "code-error"
    assert failure_kind(solution(failed("no-answer"), failed("truncated", "…"))) == "truncated"  # the telling one


def test_a_wrong_answer_is_wrong_whatever_other_candidates_did() -> None:
    assert failure_kind(solution(ran("code-error"), answered("It is 8.", "8"), answer="8")) == "wrong"


def test_an_answer_that_names_no_choice_is_a_matter_of_form() -> None:
    made = solution(answered("It is 8.", "8"), answer="8", choices=("1", "2"))
    assert failure_of(record(made, reason="no choice is named")) == "format"
    assert failure_of(record(made, reason="choice A, not B")) == "wrong"


def test_an_answer_read_out_of_a_refusal_is_a_refusal() -> None:
    made = solution(answered("I'm sorry, I cannot help with that.", "that"), answer="that")
    assert failure_of(record(made)) == "refused"


def test_how_a_solve_without_candidates_ended_is_its_failure() -> None:
    assert failure_of(record(solution(stopped="budget"))) == "budget"
    assert failure_of(record(solution(stopped="interrupted"))) == "interrupted"
    assert failure_of(record(solution())) == "no-answer"


def test_a_budget_that_ended_before_the_answer_is_the_failure() -> None:
    cut = failed("no-answer", "3 + 4", "the budget ended before the answer was stated")
    assert failure_of(record(solution(cut, stopped="budget"))) == "budget"


def test_outcomes_that_are_no_grade_are_their_own_failures() -> None:
    right = solution(answered("7"), answer="7")
    assert failure_of(record(right, outcome="correct")) is None
    assert failure_of(record(right, outcome="undecided")) == "undecided"
    assert failure_of(record(outcome="error", error="no route to host", failure="error")) == "error"
    assert failure_of(record(outcome="error", error="300 s are over", failure="timeout")) == "timeout"


def test_a_record_without_its_solution_keeps_its_stored_kind() -> None:
    for stored, kind in (
        ("wrong", "wrong"),
        ("code-timeout", "timeout"),
        ("finished", "no-answer"),
        (None, "no-answer"),
    ):
        assert failure_of(record(failure=stored)) == kind
    assert failure_of(record(failure=None, answer="8")) == "wrong"


def test_counts_come_with_their_first_examples() -> None:
    wrong = [record(answer="8", problem_id=str(index), key=str(index)) for index in range(5)]
    right = record(answer="7", outcome="correct", key="r")
    cut = record(solution(failed("truncated", "…")), key="c")
    found = count_failures([right, cut, *wrong], examples=2)
    assert [(one.kind, one.count) for one in found] == [("wrong", 5), ("truncated", 1)]
    assert [example.problem_id for example in found[0].examples] == ["0", "1"]
    assert found[0].meaning == FAILURES["wrong"]


def test_a_candidate_with_an_answer_did_not_fail() -> None:
    with pytest.raises(ValueError, match="has an answer"):
        candidate_failure(answered("7"))
