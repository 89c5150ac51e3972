"""Where a calibration is found, when it is not used and how that is said, what it makes of a solution."""

from __future__ import annotations

import json
from datetime import date
from math import exp
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import StorageError, UsageError
from mathagent.scorers.calibration import CALIBRATION_VERSION, Calibration, Fit, Quality, calibration_file
from mathagent.scorers.confidence import (
    Calibrations,
    abstaining,
    checked_share,
    store_calibration,
    with_confidence,
)
from mathagent.scorers.features import FEATURE_NAMES, FEATURES_VERSION
from mathagent.scorers.logistic import Line
from mathagent.types import Answer, Candidate, Problem, Solution

BACKEND = "script:x@1"
CONFIG = {"n": 4, "temperature": 0.7}


def calibration(**changes: Any) -> Calibration:
    fit = Fit(
        basis="own confidence",
        names=("own_confidence",),
        line=Line(intercept=-1.0, weights=(0.5,), mean=(0.2,), scale=(2.0,)),
        penalty=1.0,
        records=60,
        right=36,
    )
    given: dict[str, Any] = {
        "backend": BACKEND,
        "strategy": "pal",
        "config": CONFIG,
        "fit": fit,
        "problems": 60,
        "datasets": ("gsm8k",),
        "made_on": date(2026, 11, 28),
        "made_by": "0.1",
        "before": Quality(brier=0.2, ece=0.1, aurc=0.1),
        "after": Quality(brier=0.1, ece=0.05, aurc=0.1),
    }
    return Calibration.model_validate({**given, **changes})


def solution(**changes: Any) -> Solution:
    given: dict[str, Any] = {
        "problem": Problem(text="?"),
        "answer": "5",
        "confidence": 0.6667,
        "confidence_basis": "3 of 4 samples agree",
        "candidates": [Candidate(answer=Answer(raw="5", normal="5"))],
        "strategy": "pal",
        "config": CONFIG,
        "model": "script:x",
    }
    return Solution.model_validate({**given, **changes})


def find(folder: Path, one: Solution | None = None, backend: str = BACKEND) -> Calibration | str:
    return Calibrations(folder).find(one or solution(), backend)


def test_stored_and_found_again(tmp_path: Path) -> None:
    path = store_calibration(calibration(), tmp_path / "new")
    assert path.name.startswith("pal-")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert find(path.parent) == calibration()


def test_the_probability_is_the_lines() -> None:
    one = solution(confidence=0.5)  # log-odds 0
    assert calibration().probability(one) == pytest.approx(1 / (1 + exp(1.0 + 0.05)))


def test_a_calibrated_solution_says_on_what_it_rests(tmp_path: Path) -> None:
    store_calibration(calibration(), tmp_path)
    found = with_confidence(solution(), find(tmp_path))
    assert found.confidence == round(calibration().probability(solution()), 4)
    assert found.raw_confidence == 0.6667
    assert found.confidence_basis == (
        "3 of 4 samples agree; calibrated on 60 problems of gsm8k (2026-11-28), by its own estimate alone"
    )


@pytest.mark.parametrize(
    ("basis", "said"), [("all features", "(2026-11-28)"), ("base rate", "(2026-11-28), base rate only")]
)
def test_the_basis_is_said(basis: str, said: str) -> None:
    fit = calibration().fit.model_copy(update={"basis": basis})
    one = calibration(fit=fit, datasets=("gsm8k", "math-500"))
    assert one.basis == f"calibrated on 60 problems of gsm8k and math-500 {said}"


@pytest.mark.parametrize(
    "other",
    [
        {"strategy": "cot"},
        {"config": {**CONFIG, "n": 8}},
        {"config": {}},
    ],
)
def test_other_strategies_and_settings_are_uncalibrated(tmp_path: Path, other: dict[str, Any]) -> None:
    store_calibration(calibration(), tmp_path)
    assert find(tmp_path, solution(**other)) == "uncalibrated"


def test_another_backend_is_uncalibrated(tmp_path: Path) -> None:
    store_calibration(calibration(), tmp_path)
    assert find(tmp_path, backend="script:x@2") == "uncalibrated"
    assert find(tmp_path / "missing") == "uncalibrated"


def test_an_uncalibrated_solution_keeps_its_estimate_and_says_so() -> None:
    found = with_confidence(solution(), "uncalibrated")
    assert (found.confidence, found.raw_confidence) == (0.6667, None)
    assert found.confidence_basis == "3 of 4 samples agree; uncalibrated"


def test_without_an_answer_nothing_changes() -> None:
    none = solution(answer=None, confidence=None, candidates=[])
    assert with_confidence(none, calibration()) == none
    assert with_confidence(none, "uncalibrated") == none


def test_the_users_own_wins_over_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, own = tmp_path / "package", tmp_path / "own"
    shipped = calibration(problems=200)
    store_calibration(shipped, package / "calibrations")
    monkeypatch.setattr("mathagent.scorers.confidence.files", lambda name: package)
    assert find(own) == shipped
    store_calibration(calibration(), own)
    assert find(own) == calibration()
    (own / calibration().file_name).write_text("{", encoding="utf-8")
    assert find(own) == shipped


@pytest.mark.parametrize("field", ["version", "features_version"])
def test_another_version_is_uncalibrated_and_says_so(tmp_path: Path, field: str) -> None:
    path = store_calibration(calibration(), tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content[field] += 1
    path.write_text(json.dumps(content | {"unknown_field": 1}), encoding="utf-8")
    said = find(tmp_path)
    now = {"version": CALIBRATION_VERSION, "features_version": FEATURES_VERSION}[field]
    assert isinstance(said, str)
    assert said.startswith("uncalibrated: ")
    assert f"{field} is {now + 1}, and this mathagent's is {now}" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ["no_such"]}, "there is no feature no_such"),
        ({"names": ["margin", "rivals"]}, "as many as the names"),
        ({"line": {"intercept": 0, "weights": [1], "mean": [0], "scale": [0]}}, "not 0"),
        ({"line": {"intercept": 0}}, "line.weights"),
        ({"line": {"intercept": float("nan"), "weights": [1], "mean": [0], "scale": [1]}}, "line.intercept"),
    ],
)
def test_a_damaged_fit_is_uncalibrated_and_says_so(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = store_calibration(calibration(), tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"fit": content["fit"] | change}), encoding="utf-8")
    found = find(tmp_path)
    assert isinstance(found, str)
    assert said in found


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{}"])
def test_an_unreadable_file_is_uncalibrated_and_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / calibration().file_name).write_bytes(content)
    found = find(tmp_path)
    assert isinstance(found, str)
    assert found.startswith(f"uncalibrated: {calibration().file_name} ")


def test_a_calibration_under_a_wrong_name_is_not_used(tmp_path: Path) -> None:
    other = calibration(backend="another")
    store_calibration(other, tmp_path).rename(tmp_path / calibration().file_name)
    assert "something else" in str(find(tmp_path))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match=r"cannot write .*--out"):
        store_calibration(calibration(), tmp_path / "file" / "folder")


def test_file_names_are_plain_whatever_the_strategy_is_called() -> None:
    assert "/" not in calibration_file("b", "../../etc", {})
    assert calibration_file("b", "x", {"n": 1}) != calibration_file("b", "x", {"n": 2})


@pytest.mark.parametrize(
    ("confidence", "least", "abstains"),
    [
        (0.4, 0.5, True),
        (0.5, 0.5, False),
        (0.6, 0.5, False),
        (None, 0.5, True),
        (None, 0.0, True),
        (0.0, 0.0, False),
    ],
)
def test_abstaining(confidence: float | None, least: float, abstains: bool) -> None:
    found = abstaining(solution(confidence=confidence), least)
    assert (found.abstained, found.answer) == (abstains, "5")


def test_nobody_abstains_unasked_or_without_an_answer() -> None:
    assert not abstaining(solution(confidence=None), None).abstained
    assert not abstaining(solution(answer=None), 0.9).abstained


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_impossible_shares(share: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        checked_share(share)


def test_possible_shares() -> None:
    assert [checked_share(share) for share in (None, 0, 0.5, 1)] == [None, 0, 0.5, 1]


def test_every_shipped_calibration_can_be_used() -> None:
    from importlib.resources import files

    for file in files("mathagent").joinpath("calibrations").iterdir():
        if file.name.endswith(".json"):
            found = Calibration.model_validate_json(file.read_text(encoding="utf-8"))
            assert found.file_name == file.name
            assert set(found.fit.names) <= set(FEATURE_NAMES)
