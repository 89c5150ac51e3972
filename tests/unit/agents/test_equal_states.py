"""Merging: by what is computed, by texts that are near, and never across what differs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mathagent.agents.blocks.equal_states import (
    average_linkage,
    clusters,
    load_embedder,
    merged,
    numbers_in,
    values_in,
)
from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.errors import UnknownName
from mathagent.memory.base import Embedder

if TYPE_CHECKING:
    from mathagent.memory.base import Vectors


class FakeEmbedder:
    """Texts with the same characters point the same way, all others at right angles."""

    name, dimensions, chance_similarity = "fake", 8, 0.1

    def embed(self, texts: Sequence[str]) -> Vectors:
        kinds = list(dict.fromkeys("".join(sorted(text)) for text in texts))
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row, kinds.index("".join(sorted(text)))] = 1.0
        return vectors


FAKE: Embedder = FakeEmbedder()
HASHED = load_embedder("hashed")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2+3=5", [5]),
        ("She has $3 \\times 4 = 12$ eggs.", [12]),
        ("(2 + 3) * 4 = 5 * 4 = 20", [20]),
        ("He pays 1,200 / 4 = 300.", [300]),
        ("16 - 3 = 14, as I think", [13]),  # as it is, not as the model says
        ("16-3=13, 13-4=9", [9, 13]),
        ("x = 3 and y = 4", []),
        ("nothing here", []),
        ("9^(9^9) = 1", []),
    ],
)
def test_values_are_computed(text: str, values: list[int]) -> None:
    assert values_in(text) == tuple(Fraction(value) for value in values)


@pytest.mark.parametrize("text", ["1 " * 2000 + "x = 5", "1" * 4000 + "x = 5", "(" * 4000 + "1 + 1 = 2"])
def test_a_step_that_repeats_itself_takes_no_time(text: str) -> None:
    started = time.process_time()
    values_in(text)
    assert time.process_time() - started < 1.0


def test_numbers() -> None:
    assert numbers_in("He eats 3 of 1,200 eggs, 2.5 a day") == (Fraction(5, 2), Fraction(3), Fraction(1200))


def test_the_card_two_orders_of_one_sum_are_one_state() -> None:
    assert clusters(["2+3=5", "3+2=5", "7+1=8"], "embedding", FAKE, 0.15) == [[0, 1], [2]]
    assert clusters(["2+3=5", "3+2=5", "7+1=8"], "values", FAKE, 0.15) == [[0, 1], [2]]
    assert clusters(["2+3=5", "3+2=5", "7+1=8"], "both", HASHED, 0.15) == [[0, 1], [2]]


def test_an_embedder_that_does_not_look_at_numbers_is_put_right_by_values() -> None:
    steps = ["He buys 2 + 3 = 5 eggs", "He buys 2 + 4 = 6 eggs", "In all there are 3 + 2 = 5 of them"]
    assert clusters(steps, "embedding", HASHED, 0.15) == [[0, 1], [2]]
    assert clusters(steps, "both", HASHED, 0.15) == [[0, 2], [1]]


def test_words_are_compared_where_nothing_is_computed() -> None:
    words = [
        "First find how many eggs are sold.",
        "First find how many eggs are sold!",
        "Let x be 3.",
        "Let x be 4.",
    ]
    assert clusters(words, "both", HASHED, 0.15) == [[0, 1], [2], [3]]
    assert clusters(words, "values", HASHED, 0.15) == [[0], [1], [2], [3]]


def test_average_linkage_is_by_the_mean_and_ends_at_the_distance() -> None:
    distances = [[0.0, 0.1, 0.3], [0.1, 0.0, 0.1], [0.3, 0.1, 0.0]]
    assert average_linkage(distances, 0.15) == [[0, 1], [2]]  # (0.3 + 0.1) / 2 is too far
    assert average_linkage(distances, 0.2) == [[0, 1, 2]]
    assert average_linkage([], 0.2) == []


def test_merging_keeps_kinds_and_depths_apart() -> None:
    def step(text: str, **more: object) -> TreeNode:
        return TreeNode.model_validate({"parent": 0, "depth": 1, "text": text, **more})

    steps = [step("2+3=5"), step("3+2=5"), step("2+3=5", state="finished"), step("2+3=5", depth=2), step("1+1=2")]
    tree = merged(SearchTree().with_nodes(steps), range(1, 6), "both", HASHED, 0.15)
    assert [tree.group_of(one) for one in range(6)] == [0, 1, 1, 3, 4, 5]
    assert tree.states()[1] == [1, 2]
    assert tree.nodes[1].prior == pytest.approx(0.8 + 0.2 * 2 / 3)
    assert merged(tree, range(1, 6), "none", HASHED, 0.15) is tree


def test_an_unknown_embedder() -> None:
    with pytest.raises(UnknownName, match="hashed"):
        load_embedder("no-such")
