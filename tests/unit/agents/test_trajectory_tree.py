"""Credit assignment on MALT's tree: the vector of its card, and what may go wrong with real trees."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.trajectory_tree import (
    GRADES,
    Path,
    TrajectoryTree,
    jsonl,
    label,
    prompt_of,
    role_of,
    sibling_pairs,
)
from mathagent.answers.compare import AnswerComparer
from mathagent.evals.grader import Grader
from mathagent.types import Answer, Candidate, Failure, Problem, Solution, Step
from tests.unit.agents.scripted_context import no_worker

PROBLEM = Problem(text="What is 3 + 4?")


def leaf(n: int, index: int, answer: str) -> Candidate:
    i, j, k = index // n**2, index // n % n, index % n
    texts = (f"draft {i}", f"critique {i}{j}", f"refinement {i}{j}{k}")
    steps = tuple(Step(kind="critique" if text[0] == "c" else "thought", text=text) for text in texts)
    return Candidate(steps=steps, answer=Answer(raw=answer, normal=answer))


def tree(n: int) -> TrajectoryTree:
    return TrajectoryTree(
        problem=PROBLEM, branching=n, leaves=tuple(leaf(n, index, str(index)) for index in range(n**3))
    )


A, B = (0,), (1,)
A1, A2, B1, B2 = (0, 0), (0, 1), (1, 0), (1, 1)
CARD = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def test_values_and_labels_of_the_card() -> None:
    values = tree(2).values(CARD)
    assert {path: values[path] for path in (A, B, A1, A2, B1, B2)} == {
        A: 0.75,
        B: 0.25,
        A1: 1.0,
        A2: 0.5,
        B1: 0.0,
        B2: 0.5,
    }
    good = [path for path in (A, B, A1, A2, B1, B2) if label(values[path]) == "good"]
    assert good == [A, A1]  # exactly 0.5 is bad
    assert len(values) == 14
    assert [role_of(path) for path in list(values)[:3]] == ["generator", "generator", "verifier"]


def test_pairs_of_the_card_never_cross_parents() -> None:
    pairs = sibling_pairs(tree(2).values(CARD))
    assert pairs == [(A, B), (A1, A2), ((0, 1, 0), (0, 1, 1)), ((1, 1, 0), (1, 1, 1))]
    records = tree(2).preference_pairs(tree(2).values(CARD))
    assert [(one.role, one.chosen, one.rejected) for one in records] == [
        ("generator", "draft 0", "draft 1"),
        ("verifier", "critique 00", "critique 01"),
        ("refiner", "refinement 010", "refinement 011"),
        ("refiner", "refinement 110", "refinement 111"),
    ]
    assert records[3].prompt == prompt_of(PROBLEM, ["draft 1", "critique 11"])
    assert (records[0].chosen_value, records[0].rejected_value) == (0.75, 0.25)


def test_good_replies_are_for_imitation() -> None:
    records = tree(2).good_replies(tree(2).values(CARD))
    assert [(one.role, one.completion) for one in records] == [
        ("generator", "draft 0"),
        ("verifier", "critique 00"),
        ("refiner", "refinement 000"),
        ("refiner", "refinement 001"),
        ("refiner", "refinement 010"),
        ("refiner", "refinement 110"),
    ]
    lines = jsonl(records).splitlines()
    assert len(lines) == 6
    assert json.loads(lines[0])["prompt"][-1]["role"] == "user"


def test_a_higher_threshold_gives_less() -> None:
    values = tree(2).values(CARD)
    assert sibling_pairs(values, 0.8) == [(A1, A2), ((0, 1, 0), (0, 1, 1)), ((1, 1, 0), (1, 1, 1))]
    assert (A, B) in sibling_pairs(values, 0.3)
    assert (B2, B1) in sibling_pairs(values, 0.3)


def test_all_right_or_all_wrong_gives_no_pairs() -> None:
    for grade in (0.0, 1.0):
        assert sibling_pairs(tree(3).values([grade] * 27)) == []


def test_what_was_never_written_or_judged_has_no_value() -> None:
    failure = Failure(kind="model-error", message="down")
    whole = tree(2)
    # Critique A2 failed: its leaves have the draft's text alone. Leaf B1.1 was not judged.
    cut = Candidate(steps=whole.leaves[2].steps[:1], failure=failure)
    broken = whole.model_copy(update={"leaves": (*whole.leaves[:2], cut, cut, *whole.leaves[4:])})
    grades: list[float | None] = [1, 0, 0, 0, 1, GRADES["undecided"], 1, 1]
    values = broken.values(grades)
    assert A2 not in values
    assert (0, 1, 0) not in values
    assert values[A] == values[A1] == 0.5
    assert values[B1] == 1
    assert A2 not in broken.texts()
    assert {one.role for one in broken.preference_pairs(values)} == {"generator", "refiner"}


def test_siblings_that_wrote_the_same_are_no_pair_and_one_record() -> None:
    same = tree(1).leaves[0]
    twins = TrajectoryTree(problem=PROBLEM, branching=2, leaves=(same,) * 8)
    values = twins.values(CARD)
    assert sibling_pairs(values)
    assert twins.preference_pairs(values) == []
    assert [one.role for one in twins.good_replies(values)] == [
        *("generator", "verifier", "refiner", "refiner", "refiner")
    ]


@given(
    st.integers(1, 3).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.sampled_from([0.0, 1.0]), min_size=n**3, max_size=n**3))
    )
)
def test_a_drafts_value_is_the_mean_of_its_leaves(case: tuple[int, list[float]]) -> None:
    n, grades = case
    values = tree(n).values(grades)
    for draft in range(n):
        below = grades[draft * n**2 : (draft + 1) * n**2]
        assert values[(draft,)] == pytest.approx(sum(below) / len(below))
    for better, worse in sibling_pairs(values):
        assert better[:-1] == worse[:-1]
        assert values[better] > 0.5 >= values[worse]


def test_the_tree_of_a_solution() -> None:
    solution = Solution(
        problem=PROBLEM,
        answer="7",
        confidence=None,
        confidence_basis="",
        candidates=tree(2).leaves,
        strategy="malt",
        config={"tree": 2},
        model="script:test",
    )
    assert TrajectoryTree.of(solution) == tree(2)
    assert tree(2).answers == [str(index) for index in range(8)]
    for wrong in ({"config": {"tree": 0}}, {"config": {}}, {"candidates": tree(2).leaves[:7]}):
        with pytest.raises(ValueError, match="are no tree"):
            TrajectoryTree.of(solution.model_copy(update=wrong))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        tree(2).values([1.0])


async def test_where_the_reference_meets_the_tree() -> None:
    grader = Grader(AnswerComparer(no_worker))
    problem = PROBLEM.model_copy(update={"reference": "3.0"})
    outcomes = [(await grader.grade(answer, problem)).outcome for answer in tree(2).answers]
    values = tree(2).values([GRADES[outcome] for outcome in outcomes])
    assert {path for path, value in values.items() if value > 0} == {(0, 1, 1), (0, 1), (0,)}


def test_paths_are_breadth_first() -> None:
    expected: list[Path] = [(i, j, k) for i in range(2) for j in range(2) for k in range(2)]
    assert [tree(2).path(index) for index in range(8)] == expected
    assert [len(path) for path in tree(2).texts()] == [1] * 2 + [2] * 4 + [3] * 8
    with pytest.raises(ValueError, match="nothing comes after 3"):
        prompt_of(PROBLEM, ["a", "b", "c"])
