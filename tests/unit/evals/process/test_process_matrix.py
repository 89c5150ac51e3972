"""The matrix of MathCheck: cells, means, groups that pass, intervals over groups; toy groups worked out by hand."""

from __future__ import annotations

from statistics import mean

import pytest

from mathagent.evals.process.matrix import MatrixReport, Observed, share_passed
from mathagent.evals.process.metrics import macro_f1, share_agreeing

ROWS, COLUMNS = ("seed", "paraphrase"), ("solving", "outcome")


def score(row: str, column: str, table: object) -> float | None:
    return macro_f1(table, ("C", "I")) if column == "outcome" else share_agreeing(table)  # type: ignore[arg-type]


REPORT = MatrixReport(ROWS, COLUMNS, score)

TOY = [
    Observed("seed", "solving", 1, "right", "right"),
    Observed("seed", "solving", 2, "right", "wrong"),
    Observed("paraphrase", "solving", 1, "right", "right"),
    Observed("paraphrase", "solving", 2, "right", "right"),
    # gold C C I I, said C I I nothing: F1 .6667 and .5
    Observed("seed", "outcome", 1, "C", "C"),
    Observed("seed", "outcome", 1, "I", "I"),
    Observed("seed", "outcome", 2, "C", "I"),
    Observed("seed", "outcome", 2, "I", None),
    Observed("paraphrase", "outcome", 1, "C", "C"),
    Observed("paraphrase", "outcome", 2, "I", "I"),
]


def test_cells_and_means() -> None:
    matrix = REPORT.of(TOY, resamples=0)
    assert matrix.cell("seed", "solving").value == 0.5
    assert matrix.cell("seed", "outcome").value == pytest.approx(7 / 12)
    assert matrix.cell("paraphrase", "outcome").value == 1.0
    assert [one.value for one in matrix.row_means] == pytest.approx([(0.5 + 7 / 12) / 2, 1.0])
    assert [one.value for one in matrix.column_means] == pytest.approx([0.75, (7 / 12 + 1) / 2])
    assert matrix.overall.value == pytest.approx(mean([0.5, 7 / 12, 1.0, 1.0]))
    assert matrix.overall.low is None
    assert matrix.groups == 2


def test_a_mean_without_all_its_cells_is_none() -> None:
    matrix = REPORT.of([one for one in TOY if (one.row, one.column) != ("seed", "outcome")], resamples=0)
    assert matrix.cell("seed", "outcome").value is None
    assert [one.value for one in matrix.row_means] == [None, 1.0]
    assert matrix.overall.value is None
    assert REPORT.of([]).overall.value is None


def test_intervals_are_over_groups() -> None:
    """Of two groups, one all right and one all wrong, a sample of two has 0, 1 or 2 right groups (1:2:1)."""
    seen = [Observed("seed", "solving", group, "right", said) for group, said in ((1, "right"), (2, "wrong"))]
    one_group = MatrixReport(("seed",), ("solving",), score).of(seen * 50, resamples=500)
    cell = one_group.cell("seed", "solving")
    assert (cell.value, cell.low, cell.high) == (0.5, 0.0, 1.0)  # 100 answers, and still only two groups
    many = [Observed("seed", "solving", group, "right", ("right", "wrong")[group % 2]) for group in range(100)]
    wide = MatrixReport(("seed",), ("solving",), score).of(many, resamples=4000).cell("seed", "solving")
    assert wide.low == pytest.approx(0.40, abs=0.021)  # a binomial share of 100: 0.5 -+ 1.96 * 0.05
    assert wide.high == pytest.approx(0.60, abs=0.021)


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert REPORT.of(TOY, resamples=200, seed=3) == REPORT.of(TOY, resamples=200, seed=3)


def test_an_answer_without_a_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match="no cell"):
        REPORT.of([Observed("seed", "drawing", 1, "right", "right")])


def test_groups_that_pass() -> None:
    solving = [(row, "solving") for row in ROWS]
    assert share_passed(TOY, solving) == (1, 2)
    everything = [(row, column) for row in ROWS for column in COLUMNS]
    assert share_passed(TOY, everything) == (1, 2)
    partly = [one for one in TOY if not (one.group == 1 and one.column == "outcome")]
    assert share_passed(partly, everything) == (0, 1)  # a group that was not asked everything is not counted
    assert share_passed([], everything) == (0, 0)
