"""Pools vote as strategies do: by equivalence, without those that have no answer."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.evals.metrics.attempts import best_of_k, majority_at_k, pass_at_k
from mathagent.evals.metrics.items import items
from mathagent.evals.pools import attempt_pools, candidate_pools, repeated_attempts
from mathagent.evals.records import Outcome, Record
from mathagent.types import Answer, Candidate, Failure, Problem, Solution, Step, Usage

NO_ANSWER = Failure(kind="no-answer", message="it says nothing")


def attempt(number: int, answer: str | None, outcome: Outcome, text: str = "", **fields: Any) -> Record:
    solution = Solution(
        problem=Problem(text="?"),
        answer=answer,
        confidence=None,
        confidence_basis="",
        strategy="cot",
        model="m",
        candidates=(
            Candidate(steps=(Step(kind="thought", text=text),), answer=Answer(raw=answer or "0", normal="0")),
        ),
    )
    return Record(
        key=f"k{number}",
        dataset="d",
        problem_id="p",
        item_hash="h",
        attempt=number,
        strategy="cot",
        config={},
        model="m",
        reference="0.5",
        answer=answer,
        outcome=outcome,
        reason="",
        usage=Usage(completion_tokens=5),
        solution=solution,
        **fields,
    )


async def no_algebra(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    raise AssertionError(f"{function} was asked for {args}")


async def test_equal_answers_vote_together_whatever_their_spelling() -> None:
    records = [
        attempt(0, "1/2", "correct", confidence=0.4),
        attempt(1, "3", "incorrect"),
        attempt(2, "0.5", "correct"),
        attempt(3, None, "incorrect"),
        attempt(4, None, "incorrect"),
        attempt(5, " ", "incorrect"),
    ]
    [pool] = await attempt_pools(items(records), AnswerComparer(no_algebra))
    assert pool.voted == (0, 1, 0, None, None, None)
    assert pool.correct == 2
    assert pool.scores[0] == 0.4
    assert pool.completion_tokens == (5,) * 6
    assert majority_at_k(pool, 6).value == 1


async def test_what_was_not_graded_is_left_out_or_wrong() -> None:
    records = [attempt(0, "1/2", "correct"), attempt(1, "9", "undecided"), attempt(2, None, "error")]
    [left_out] = await attempt_pools(items(records), AnswerComparer(no_algebra))
    assert left_out.attempts == 1
    [wrong] = await attempt_pools(items(records, ungraded="wrong"), AnswerComparer(no_algebra), ungraded="wrong")
    assert wrong.right == (True, False, False)
    nothing = await attempt_pools(items(records[1:]), AnswerComparer(no_algebra))
    assert nothing == []


def test_repeated_attempts_are_counted() -> None:
    records = [attempt(number, "3", "incorrect", text) for number, text in enumerate(["a", "b", "a", "a"])]
    assert repeated_attempts(items(records)) == 2
    silent = [attempt(number, "3", "incorrect", "") for number in range(3)]
    assert repeated_attempts(items(silent)) == 0


async def test_candidates_of_one_solve_are_a_pool() -> None:
    """Coverage beside what was chosen: 1 of 4 samples is right, and the majority is wrong."""
    record = attempt(0, "3", "incorrect")
    assert record.solution is not None
    answers = [Answer(raw=text, normal=text) for text in ("3", "1/2", "3")]
    candidates = (*(Candidate(answer=answer) for answer in answers), Candidate(failure=NO_ANSWER))
    kept = record.model_copy(update={"solution": record.solution.model_copy(update={"candidates": candidates})})
    error = attempt(1, None, "error").model_copy(update={"solution": None})
    (pool,) = await candidate_pools(items([kept, error]), AnswerComparer(no_algebra))
    assert pool.right == (False, True, False, False)
    assert pool.voted == (0, 1, 0, None)
    assert pool.completion_tokens == (1, 1, 1, 1)
    assert [pass_at_k(pool.attempts, pool.correct, k) for k in (1, 4)] == [0.25, 1.0]
    assert majority_at_k(pool, 4).value == 0.0
    assert best_of_k(pool, 2) is None
