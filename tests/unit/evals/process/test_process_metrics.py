"""ProcessBench F1, Matthews correlation, MR-Score and macro-F1 against values worked out by hand and published rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.process.critique import agrees, majority, step_of, verdict_of
from mathagent.evals.process.metrics import (
    MrItem,
    average,
    combined,
    combined_without_reason,
    confusion,
    harmonic_mean,
    interval,
    macro_f1,
    matthews,
    mr_score,
    offsets,
    process_score,
    share_agreeing,
    verdict_confusion,
)


def test_f1_of_the_card() -> None:
    assert 100 * harmonic_mean(0.60, 0.80) == pytest.approx(68.5714, abs=5e-5)
    assert harmonic_mean(0.0, 0.0) == 0.0
    references = ["step 2"] * 10 + ["correct"] * 10
    predictions = ["step 2"] * 6 + ["step 3"] * 2 + ["correct"] * 2 + ["correct"] * 8 + ["step 1"] * 2
    score = process_score(references, predictions)
    assert (score.erroneous, score.correct) == (10, 10)
    assert (score.error_accuracy, score.correct_accuracy) == (0.6, 0.8)
    assert score.f1 == pytest.approx(0.685714, abs=5e-7)
    assert score.low is not None
    assert score.high is not None
    assert 0 < score.low < score.f1 < score.high < 1


def test_always_correct_finds_no_error() -> None:
    score = process_score(["step 1", "step 4", "correct"], ["correct"] * 3)
    assert (score.error_accuracy, score.correct_accuracy, score.f1) == (0.0, 1.0, 0.0)


def test_unreadable_and_unplaced_predictions_never_match() -> None:
    score = process_score(["step 1", "correct", "correct", "step 2"], [None, None, "correct", "incorrect"])
    assert (score.error_accuracy, score.correct_accuracy, score.unreadable) == (0.0, 0.5, 2)


def test_a_set_without_samples_of_one_kind_has_no_f1() -> None:
    score = process_score(["step 1", "step 2"], ["step 1", None])
    assert (score.error_accuracy, score.correct_accuracy, score.f1, score.low) == (0.5, None, None, None)


def test_the_average_needs_every_subset() -> None:
    assert average([0.5, 0.7, 0.6, 0.2]) == pytest.approx(0.5)
    assert average([0.5, None]) is None
    assert average([]) is None


def test_the_interval_is_that_of_two_binomial_shares() -> None:
    """With 100 of 100 correct samples right only E varies, whose quantiles are the binomial's: 50 to 70 of 100."""
    references = ["step 1"] * 100 + ["correct"] * 100
    predictions = ["step 1"] * 60 + ["step 2"] * 40 + ["correct"] * 100
    score = process_score(references, predictions, resamples=20000)
    # scipy.stats.binom.ppf([0.025, 0.975], 100, 0.6) = [50, 69]
    assert score.low == pytest.approx(harmonic_mean(0.50, 1.0), abs=0.008)
    assert score.high == pytest.approx(harmonic_mean(0.69, 1.0), abs=0.008)
    assert process_score(references, predictions, resamples=0).low is None
    assert process_score(references, predictions) == process_score(references, predictions)


def test_offsets_and_verdicts() -> None:
    references = ["step 2", "step 2", "step 5", "correct", "step 1"]
    predictions = ["step 2", "step 4", "step 4", "step 1", "correct"]
    assert offsets(references, predictions) == {-1: 1, 0: 1, 2: 1}
    assert verdict_confusion(references, predictions) == {
        ("incorrect", "incorrect"): 3,
        ("correct", "incorrect"): 1,
        ("incorrect", "correct"): 1,
    }


def test_mr_score_of_the_card() -> None:
    """1,427 correct and 1,573 wrong solutions; tp 1200, tn 900, 500 right steps, 400 right reasons."""
    items = (
        [MrItem(is_correct=True, verdict="correct")] * 1200
        + [MrItem(is_correct=True, verdict="incorrect")] * 227
        + [MrItem(is_correct=False, verdict="incorrect", step_right=True, reason_right=True)] * 400
        + [MrItem(is_correct=False, verdict="incorrect", step_right=True, reason_right=False)] * 100
        + [MrItem(is_correct=False, verdict="incorrect")] * 400
        + [MrItem(is_correct=False, verdict="correct")] * 673
    )
    score = mr_score(items)
    assert (score.tp, score.tn, score.fp, score.fn) == (1200, 900, 673, 227)
    assert score.mcc == pytest.approx(0.425971, abs=5e-7)
    assert score.step_accuracy == pytest.approx(500 / 1573)
    assert score.reason_accuracy == pytest.approx(400 / 1573)
    assert score.score == pytest.approx(0.307699, abs=5e-7)
    assert score.score_without_reason == pytest.approx((0.2 * 0.425971 + 0.3 * 500 / 1573) / 0.5, abs=5e-6)


def test_mr_score_of_the_published_row() -> None:
    """GPT-4-Turbo, 0-shot, in the table of MR-GSM8K: .633, .488, .463 and 50.5."""
    assert combined(0.633, 0.488, 0.463) == pytest.approx(0.5045, abs=5e-5)
    assert combined(-0.4, 0.5, 0.5) == pytest.approx(0.4)
    assert combined_without_reason(-0.4, 0.5) == pytest.approx(0.3)
    assert combined(None, 0.5, 0.5) is None


def test_a_step_counts_only_behind_a_right_verdict_and_a_reason_behind_a_right_step() -> None:
    items = [
        MrItem(is_correct=True, verdict="correct"),
        MrItem(is_correct=False, verdict="correct", step_right=True, reason_right=True),
        MrItem(is_correct=False, verdict="incorrect", step_right=False, reason_right=True),
        MrItem(is_correct=False, verdict="incorrect", step_right=True, reason_right=False),
    ]
    score = mr_score(items)
    assert score.step_accuracy == pytest.approx(1 / 3)
    assert score.reason_accuracy == 0.0


def test_wrong_solutions_alone_have_no_correlation_and_no_mr_score() -> None:
    score = mr_score([MrItem(is_correct=False, verdict="incorrect", step_right=True, reason_right=True)] * 3)
    assert (score.mcc, score.score, score.score_without_reason) == (None, None, None)
    assert (score.step_accuracy, score.reason_accuracy) == (1.0, 1.0)


def test_a_judge_who_says_the_same_of_everything_has_a_correlation_of_0() -> None:
    """The published script divides by zero here."""
    items = [MrItem(is_correct=known, verdict="correct") for known in (True, True, False)]
    score = mr_score([item.model_copy(update={"reason_right": None}) for item in items])
    assert (score.mcc, score.step_accuracy, score.reason_accuracy, score.score) == (0.0, 0.0, 0.0, 0.0)


def test_ungraded_reasons_leave_the_rest() -> None:
    score = mr_score(
        [
            MrItem(is_correct=True, verdict="correct"),
            MrItem(is_correct=False, verdict="incorrect", step_right=True),
        ]
    )
    assert (score.mcc, score.reason_accuracy, score.score, score.score_without_reason) == (1.0, None, None, 1.0)


def test_unreadable_verdicts_count_against_whatever_is_right() -> None:
    score = mr_score([MrItem(is_correct=True, verdict=None), MrItem(is_correct=False, verdict="unsure")])
    assert (score.tp, score.tn, score.fp, score.fn, score.unreadable) == (0, 0, 1, 1, 2)
    assert score.mcc == -1.0


@given(*(st.integers(0, 200) for _ in range(4)))
def test_matthews_is_a_correlation(tp: int, tn: int, fp: int, fn: int) -> None:
    value = matthews(tp, tn, fp, fn)
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert matthews(tn, tp, fn, fp) == pytest.approx(value)  # the classes change places
    assert matthews(fn, fp, tn, tp) == pytest.approx(-value)  # the predictions are turned round


def test_macro_f1_of_the_card() -> None:
    table = confusion(["C", "C", "I", "I"], ["C", "I", "I", None])
    assert macro_f1(table, ("C",)) == pytest.approx(0.6667, abs=5e-5)
    assert macro_f1(table, ("I",)) == pytest.approx(0.5)
    assert macro_f1(table, ("C", "I")) == pytest.approx(0.5833, abs=5e-5)


def test_the_third_class_can_only_hurt() -> None:
    right = confusion(["C", "C", "I", "I"], ["C", "C", "I", "I"])
    assert macro_f1(right, ("C", "I")) == 1.0
    for said in (None, "unsure"):
        worse = confusion(["C", "C", "I", "I"], ["C", said, "I", "I"])
        assert macro_f1(worse, ("C", "I")) == pytest.approx((2 / 3 + 1) / 2)
    assert macro_f1(confusion(["C"], [None]), ("C", "I")) == 0.0
    assert macro_f1(confusion([], []), ("C", "I")) is None


def test_accuracy_over_steps() -> None:
    assert share_agreeing(confusion(["step 2", "step 3", "correct"], ["step 2", "step 2", None])) == pytest.approx(
        1 / 3
    )
    assert share_agreeing(confusion([], [])) is None


def test_percentiles() -> None:
    assert interval([float(value) for value in range(101)], level=0.9) == pytest.approx((5.0, 95.0))
    with pytest.raises(ValueError, match="needs values"):
        interval([])


def test_labels() -> None:
    assert [step_of(label) for label in ("step 1", "step 12", "step 0", "correct", None)] == [
        0,
        11,
        None,
        None,
        None,
    ]
    assert [verdict_of(label) for label in ("step 3", "correct", "unsure", None)] == [
        "incorrect",
        "correct",
        "unsure",
        None,
    ]
    assert agrees("step 3", "incorrect")  # no step is asked for
    assert not agrees("incorrect", "step 3")
    assert not agrees(None, "correct")


def test_votes_are_counted_over_labels_and_ties_keep_the_earliest() -> None:
    assert majority(["step 2", None, "correct", "correct"]) == "correct"
    assert majority(["step 2", "correct"]) == "step 2"
    assert majority([None, None, "step 9"]) == "step 9"
    assert majority([None]) is None
    assert majority([]) is None
