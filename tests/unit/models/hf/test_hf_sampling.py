from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from mathagent.models.hf import sampling
from mathagent.models.hf.sampling import Draw, choose

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0, -2.0]])


def draw(seed: int = 0, **options: float) -> Draw:
    return Draw(**{"temperature": 1.0, **options}, uniform=random.Random(seed))  # type: ignore[arg-type]


def tokens(draws: list[Draw], logits: torch.Tensor = LOGITS) -> list[int]:
    return [one.token for one in choose(logits.expand(len(draws), -1), draws)]


def test_without_temperature_the_likeliest_is_taken() -> None:
    assert tokens([Draw(), Draw()]) == [0, 0]


def test_samples_follow_the_distribution_at_the_temperature() -> None:
    count = 20_000
    found = Counter(tokens([draw(seed, temperature=2.0) for seed in range(count)]))
    expected = (LOGITS[0] / 2).softmax(0).tolist()
    for token, share in enumerate(expected):
        assert found[token] / count == pytest.approx(share, abs=4 * (share / count) ** 0.5)


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.6}, {0}),
        ({"top_p": 0.7}, {0, 1}),
        ({"min_p": 0.2}, {0, 1}),
        ({"top_k": 3, "min_p": 0.2}, {0, 1}),
        ({"top_p": 1e-9}, {0}),
    ],
)
def test_filters_leave_out_the_unlikely(options: dict[str, float], possible: set[int]) -> None:
    assert set(tokens([draw(seed, **options) for seed in range(300)])) == possible


@settings(max_examples=40, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**31), min_size=2, max_size=6),
    top_p=st.sampled_from([1.0, 0.9, 0.3]),
    top_k=st.sampled_from([0, 3]),
)
def test_what_a_row_gets_does_not_depend_on_the_others(seeds: list[int], top_p: float, top_k: int) -> None:
    generator = torch.Generator().manual_seed(seeds[0])
    logits = torch.randn(len(seeds), 50, generator=generator) * 3

    def drawn(rows: list[int]) -> list[int]:
        draws = [draw(seeds[row], top_p=top_p, top_k=top_k if row % 2 else 0) for row in rows]
        return [one.token for one in choose(logits[rows], draws)]

    assert drawn(list(range(len(seeds)))) == [drawn([row])[0] for row in range(len(seeds))]


def test_the_short_list_of_candidates_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(1, 200, generator=torch.Generator().manual_seed(1))
    draws = [{"top_p": 0.95}, {"top_p": 0.5, "min_p": 0.05}, {"top_k": 100}, {"top_k": 150, "top_p": 0.999}]

    def drawn() -> list[int]:
        return tokens([draw(seed, **options) for options in draws for seed in range(50)], logits)

    whole = drawn()
    monkeypatch.setattr(sampling, "CANDIDATES", 4)
    assert drawn() == whole


def test_log_probs_are_the_models_own_whatever_is_filtered() -> None:
    own = LOGITS[0].log_softmax(0).tolist()
    allowed = torch.tensor([False, False, True, True, True])
    (one,) = choose(LOGITS, [draw(temperature=0.5, top_k=1, logprobs=2)], [allowed])
    assert one.token == 2
    assert one.logprob == pytest.approx(own[2])
    assert [token for token, _ in one.top] == [0, 1]
    assert [logprob for _, logprob in one.top] == pytest.approx(own[:2])


def test_each_row_tells_as_many_alternatives_as_it_was_asked_for() -> None:
    found = choose(LOGITS.expand(4, -1), [Draw(logprobs=wanted) for wanted in (None, 0, 1, 3)])
    assert [one.logprob is None for one in found] == [True, False, False, False]
    assert [len(one.top) for one in found] == [0, 0, 1, 3]


def test_a_constraint_binds_its_own_row_only_and_leaves_the_logits_alone() -> None:
    logits = LOGITS.expand(2, -1).clone()
    before = logits.clone()
    only_last = torch.tensor([False] * 4 + [True])
    assert [one.token for one in choose(logits, [draw(), Draw()], [only_last, None])] == [4, 0]
    assert torch.equal(logits, before)


def test_a_token_that_is_forced_has_its_own_log_prob() -> None:
    own = LOGITS[0].log_softmax(0).tolist()
    draws = [draw(logprobs=1), Draw(logprobs=0), Draw()]
    found = choose(LOGITS.expand(3, -1), draws, forced=[4, None, 3])
    assert [one.token for one in found] == [4, 0, 3]
    assert [one.logprob for one in found[:2]] == pytest.approx([own[4], own[0]])
    assert found[0].top == ((0, pytest.approx(own[0])),)


def test_a_token_that_was_not_taken_is_drawn_again_with_the_same_number() -> None:
    one, same = draw(7), draw(7)
    numbers = []
    for _ in range(5):
        numbers.append(one.number())
        assert one.number() == numbers[-1]
        one.spent()
    assert numbers == [same.uniform.random() for _ in range(5)]
