"""What is fitted to few answers: no more than they bear, chosen by cross-validation, judged honestly."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import pytest

from mathagent.scorers.calibration_fit import Example, cross_validated, fit, folds
from mathagent.scorers.features import FEATURE_NAMES, OWN_CONFIDENCE


def example(right: bool, problem: int, **values: float) -> Example:
    row = tuple(values.get(name, 0.0) for name in FEATURE_NAMES)
    return Example(row=row, right=right, problem=f"p{problem}")


def answers(count: int, feature: str, noise: float, *, share: float = 0.5, seed: int = 0) -> list[Example]:
    """Answers of which ``share`` are right, and one feature that tells it up to ``noise``; the others are noise."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        right = number < share * count
        values = dict(zip(FEATURE_NAMES, random.normal(size=len(FEATURE_NAMES)).tolist(), strict=True))
        values[feature] = (1.0 if right else -1.0) + noise * float(random.normal())
        found.append(example(right, number, **values))
    return found


def loss(chances: Sequence[float], examples: Sequence[Example]) -> float:
    return -sum(log(p if one.right else 1 - p) for p, one in zip(chances, examples, strict=True)) / len(examples)


@pytest.mark.parametrize(("right", "wrong"), [(16, 4), (30, 0), (0, 30), (1, 0)])
def test_few_of_a_kind_give_the_base_rate(right: int, wrong: int) -> None:
    examples = [example(number < right, number, own_confidence=float(number)) for number in range(right + wrong)]
    found = fit(examples)
    assert (found.basis, found.names, found.penalty) == ("base rate", (), None)
    expected = (right + 1) / (right + wrong + 2)
    assert found.probability(examples[0].row) == pytest.approx(expected)
    assert (found.records, found.right) == (right + wrong, right)


def test_ten_of_a_kind_bear_the_own_confidence_and_nothing_else() -> None:
    found = fit(answers(40, OWN_CONFIDENCE, 1.0, share=0.75))
    assert (found.basis, found.names) == ("own confidence", (OWN_CONFIDENCE,))
    assert found.line.weights[0] > 0
    by_another = fit(answers(40, "margin", 0.5, share=0.75))
    assert by_another.basis != "all features"


def test_enough_of_both_bear_all_features_where_these_tell_more() -> None:
    examples = answers(120, "strong_holding", 0.7)
    found = fit(examples)
    assert (found.basis, found.names) == ("all features", FEATURE_NAMES)
    weights = dict(zip(found.names, found.line.weights, strict=True))
    assert max(weights, key=lambda name: abs(weights[name])) == "strong_holding"
    assert weights["strong_holding"] > 0
    honest = cross_validated(examples)
    assert loss(honest, examples) < 0.75 * log(2)


def noise(count: int, seed: int) -> list[Example]:
    rows = np.random.default_rng(seed).normal(size=(count, len(FEATURE_NAMES)))
    return [
        Example(row=tuple(row.tolist()), right=number % 2 == 0, problem=f"p{number}")
        for number, row in enumerate(rows)
    ]


def test_noise_is_hardly_believed() -> None:
    """What is fitted to noise costs new answers little more than the base rate's log(2)."""
    fresh = noise(500, seed=99)
    for seed in range(3):
        found = fit(noise(100, seed))
        assert loss([found.probability(one.row) for one in fresh], fresh) < log(2) + 0.03


def test_nothing_is_surer_than_so_many_answers_can_show() -> None:
    examples = answers(60, OWN_CONFIDENCE, 0.0)
    found = fit(examples)
    extreme = tuple(1e6 for _ in FEATURE_NAMES)
    assert found.probability(extreme) <= 1 - 1 / 62
    assert found.probability(tuple(-value for value in extreme)) >= 1 / 62


def test_the_order_of_the_answers_does_not_matter() -> None:
    examples = answers(60, OWN_CONFIDENCE, 1.0)
    shuffled = [examples[place] for place in np.random.default_rng(1).permutation(60)]
    one, other = fit(examples), fit(shuffled)
    assert (one.basis, one.penalty) == (other.basis, other.penalty)
    assert other.line.weights == pytest.approx(one.line.weights)


def test_folds_cover_all_spread_both_kinds_and_keep_problems_whole() -> None:
    examples = [example(number < 25, number % 50) for number in range(100)]
    seen: list[int] = []
    for train, test in folds(examples):
        assert not set(train) & set(test)
        assert len(train) + len(test) == 100
        assert not {examples[i].problem for i in train} & {examples[i].problem for i in test}
        assert 4 <= sum(examples[i].right for i in test) <= 6
        seen += test
    assert sorted(seen) == list(range(100))


def test_what_is_predicted_for_an_answer_never_saw_it() -> None:
    """One answer against all evidence: cross-validation gives it what the others say, whatever it is itself."""
    examples = answers(60, OWN_CONFIDENCE, 0.3)
    turned = [*examples[:-1], examples[-1].model_copy(update={"problem": "p0"})]
    honest = cross_validated(turned)
    assert honest[-1] < 0.3
    train = next(train for train, test in folds(turned) if len(turned) - 1 in test)
    assert 0 not in train


def test_no_answers_no_fit() -> None:
    with pytest.raises(ValueError, match="no answers"):
        fit([])
