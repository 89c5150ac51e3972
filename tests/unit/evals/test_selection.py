"""Which problems a run takes: conditions, a seeded order that others do not disturb, and the limit, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UnknownName, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.selection import select
from mathagent.types import Problem


def problem(number: int) -> Problem:
    return Problem(
        text=f"question {number}",
        id=f"p{number}",
        reference="1",
        language=["en", "de"][number % 2],
        metadata={"subject": ["Algebra", "Number Theory"][number % 2], "level": f"Level {number % 5 + 1}"},
    )


ALL = Dataset(name="set", problems=tuple(problem(number) for number in range(40)))


def ids(dataset: Dataset) -> list[str]:
    return [one.id for one in dataset.problems]


def test_conditions_hold_together_and_values_are_alternatives() -> None:
    taken = select(ALL, subset=["level=4,5", "subject=number-theory"])
    assert ids(taken) == [
        one.id for one in ALL.problems if one.metadata["level"] in ("Level 4", "Level 5") and one.language == "de"
    ]
    assert ids(taken)
    assert ids(select(ALL, subset=["language=de"])) == ids(ALL)[1::2]
    assert ids(select(ALL, subset=["ids=p7,p3"])) == ["p3", "p7"]


def test_zero_is_a_level_and_ids_are_taken_as_they_are() -> None:
    named = [Problem(text=name, id=name, reference="1", metadata={"level": 0}) for name in ("a-1", "a_1", "A 1")]
    dataset = Dataset(name="set", problems=tuple(named))
    assert len(select(dataset, subset=["level=0"]).problems) == 3
    assert ids(select(dataset, subset=["ids=a-1"])) == ["a-1"]


def test_ids_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("p5\n\np1\n", encoding="utf-8")
    assert ids(select(ALL, subset=[f"ids=@{tmp_path / 'ids.txt'}"])) == ["p1", "p5"]
    with pytest.raises(UsageError, match="cannot read"):
        select(ALL, subset=[f"ids=@{tmp_path / 'none.txt'}"])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("level", "is no condition; write for example level=4,5"),
        ("level=", "is no condition"),
        ("levle=3", "did you mean level"),
        ("level=6", "no level in set is named '6'"),
        ("subject=algebre", "did you mean Algebra"),
        ("family=3", "no problem of set has a family"),
        ("ids=p99", "no id in set is named 'p99'"),
    ],
)
def test_what_no_problem_meets_is_said(condition: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        select(ALL, subset=[condition])
    assert issubclass(UnknownName, UsageError)


def test_the_limit_comes_last() -> None:
    assert ids(select(ALL, subset=["language=de"], limit=2)) == ["p1", "p3"]
    mixed = ids(select(ALL, shuffle=True, seed=1))
    assert ids(select(ALL, shuffle=True, seed=1, limit=5)) == mixed[:5]
    assert mixed != ids(ALL)


@given(seed=st.integers(), kept=st.sets(st.integers(0, 39), min_size=1))
def test_a_seed_orders_any_part_as_it_orders_the_whole(seed: int, kept: set[int]) -> None:
    whole = ids(select(ALL, shuffle=True, seed=seed))
    assert sorted(whole) == sorted(ids(ALL))
    part = Dataset(name="part", problems=tuple(ALL.problems[index] for index in sorted(kept)))
    wanted = set(ids(part))
    assert ids(select(part, shuffle=True, seed=seed)) == [one for one in whole if one in wanted]


def test_seeds_differ() -> None:
    orders = {tuple(ids(select(ALL, shuffle=True, seed=seed))) for seed in range(20)}
    assert len(orders) == 20
