"""Features: every one against a hand-made solution where it is known, and the same vector whatever is calibrated."""

from __future__ import annotations

from math import log, log1p

import pytest

from mathagent.scorers.features import FEATURE_NAMES, FEATURES, FEATURES_VERSION, features, own_confidence
from mathagent.types import (
    Answer,
    Candidate,
    Check,
    CheckKind,
    CheckOutcome,
    Execution,
    Failure,
    Problem,
    Solution,
    Step,
    Usage,
)

ERROR = Execution(status="error", error="ZeroDivisionError")


def words(answer: str, *, stage: int = 1) -> Candidate:
    return Candidate(
        steps=(Step(kind="thought", text="…"),),
        answer=Answer(raw=answer, normal=answer),
        extraction_stage=stage,
    )


def program(answer: str, *, failures: int = 0) -> Candidate:
    code = Step(kind="code", text="1")
    tried = (code, Step(kind="observation", text="", origin="tool", execution=ERROR)) * failures
    ran = Step(kind="observation", text="", origin="tool", execution=Execution(status="ok"))
    return Candidate(steps=(*tried, code, ran), answer=Answer(raw=answer, normal=answer))


def failed(kind: str) -> Candidate:
    return Candidate(failure=Failure.model_validate({"kind": kind, "message": ""}))


def check(kind: CheckKind, outcome: CheckOutcome) -> Check:
    return Check(kind=kind, program="1", expected="1", outcome=outcome)


def solution(*candidates: Candidate, answer: str | None = "5", **changes: object) -> Solution:
    given = {
        "problem": Problem(text="?"),
        "answer": answer,
        "confidence": 0.75,
        "confidence_basis": "",
        "candidates": candidates,
        "usage": Usage(calls=4, completion_tokens=400),
        "strategy": "auto",
        "model": "script:x",
    }
    return Solution.model_validate({**given, **changes})


def named(one: Solution) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, features(one), strict=True))


def test_every_feature_of_a_rich_solution() -> None:
    certificate = (
        check("execution", "holds"),
        check("substitution", "holds"),
        check("reverse", "holds"),
        check("numeric", "fails"),
        check("domain", "fails"),
        check("brute-force", "undecided"),
    )
    one = solution(
        words("6"),
        program("5", failures=2),
        words("5", stage=2),
        words("7"),
        program("5"),
        failed("truncated"),
        failed("no-answer"),
        words("6"),
        certificate=certificate,
        stopped="budget",
    )
    assert named(one) == pytest.approx(
        {
            "own_confidence": log(3),
            "votes_share": 3 / 8,
            "margin": 1 / 8,
            "rivals": log1p(2),
            "failed_share": 2 / 8,
            "truncated_share": 1 / 8,
            "samples": 3.0,
            "first_agrees": 0.0,
            "views_agree": 1.0,
            "strong_holding": log1p(2),
            "strong_failing": log1p(1),
            "weak_failing": log1p(1),
            "undecided": log1p(1),
            "repairs": log1p(2 / 3),
            "late_extraction": 1 / 3,
            "tokens": log1p(50),
            "stopped_early": 1.0,
        }
    )


def test_one_sample_says_little() -> None:
    values = named(solution(words("5")))
    assert (values["votes_share"], values["margin"], values["first_agrees"]) == (1, 1, 1)
    assert not any(values[name] for name in ("rivals", "samples", "views_agree", "repairs", "stopped_early"))


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ((words("5"), words("5")), 0),
        ((words("5"), failed("code-error")), 0),
        ((words("5"), program("5")), 1),
        ((words("5"), program("6")), -1),
        ((words("6"), program("5")), -1),
    ],
)
def test_two_views(candidates: tuple[Candidate, ...], expected: float) -> None:
    assert named(solution(*candidates))["views_agree"] == expected


def test_critiques_are_repairs() -> None:
    steps = (Step(kind="thought", text=""), Step(kind="critique", text=""), Step(kind="thought", text=""))
    chain = Candidate(steps=steps, answer=Answer(raw="5", normal="5"))
    assert named(solution(chain))["repairs"] == pytest.approx(log(2))


def test_a_calibrated_solution_has_the_features_that_it_had_before() -> None:
    before = solution(words("5"), confidence=0.6)
    after = before.model_copy(update={"confidence": 0.9, "raw_confidence": 0.6})
    assert features(after) == features(before)
    assert own_confidence(after) == 0.6


@pytest.mark.parametrize(("confidence", "odds"), [(None, 0), (0.0, -log(99)), (1.0, log(99)), (0.5, 0)])
def test_own_confidence_is_bounded(confidence: float | None, odds: float) -> None:
    assert named(solution(words("5"), confidence=confidence))["own_confidence"] == pytest.approx(odds)


def test_candidates_may_be_missing() -> None:
    values = named(solution())
    assert values["votes_share"] == values["first_agrees"] == values["samples"] == 0


def test_no_answer_has_no_features() -> None:
    with pytest.raises(ValueError, match="without an answer"):
        features(solution(failed("truncated"), answer=None))


def test_names_are_part_of_the_version() -> None:
    """Whoever changes a feature raises FEATURES_VERSION, and this list with it."""
    assert FEATURES_VERSION == 1
    assert tuple(FEATURES) == (
        "own_confidence",
        "votes_share",
        "margin",
        "rivals",
        "failed_share",
        "truncated_share",
        "samples",
        "first_agrees",
        "views_agree",
        "strong_holding",
        "strong_failing",
        "weak_failing",
        "undecided",
        "repairs",
        "late_extraction",
        "tokens",
        "stopped_early",
    )
