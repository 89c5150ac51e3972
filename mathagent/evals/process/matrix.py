"""A matrix of scores: rows are kinds of problem, columns are tasks, a cell is a score of the answers that fall in it.

Made for MathCheck's 4 × 4 (arXiv 2407.08733), for any rows and columns. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mathagent.evals.process.metrics import Confusion, average, interval
from mathagent.types import Value

RESAMPLES = 1000

CellFunction = Callable[[str, str, Confusion], float | None]
"""From a row, a column and the confusion of its answers to the cell's score; None: there is none."""


@dataclass(frozen=True)
class Observed:
    """One answer: where it belongs, which group of related items it comes from, what was right, what was said."""

    row: str
    column: str
    group: Hashable
    reference: str
    predicted: str | None


class Scored(Value):
    """A score with its 95% interval (None: not resampled, or no score)."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Matrix(Value):
    """The cells by row and column, the means of rows and columns, and ``overall``: the mean of all cells.

    A mean over cells of which one has no score is None.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Scored, ...], ...]
    row_means: tuple[Scored, ...]
    column_means: tuple[Scored, ...]
    overall: Scored
    groups: int = 0

    def cell(self, row: str, column: str) -> Scored:
        """The score of a cell. Raises ValueError for an unknown row or column."""
        return self.cells[self.rows.index(row)][self.columns.index(column)]


@dataclass(frozen=True)
class MatrixReport:
    """How a matrix is made of answers: its rows, its columns, and the score of a cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    cell_fn: CellFunction

    def of(self, observed: Sequence[Observed], *, resamples: int = RESAMPLES, seed: int = 0) -> Matrix:
        """The matrix of ``observed``, with intervals from resampling whole groups (0 ``resamples``: without).

        Items of a group share a seed problem, so that only groups are independent. Raises ValueError for an answer
        that belongs to no row or column.
        """
        for one in observed:
            if one.row not in self.rows or one.column not in self.columns:
                raise ValueError(f"there is no cell for row {one.row!r}, column {one.column!r}")
        groups = list(dict.fromkeys(one.group for one in observed))
        counts = Counter(((one.row, one.column), (one.reference, one.predicted)) for one in observed)
        point = self._scores(counts)
        drawn = [self._scores(table) for table in _resampled(observed, groups, resamples, seed)]
        values = [_scored(score, [one[place] for one in drawn]) for place, score in enumerate(point)]
        width, height = len(self.columns), len(self.rows)
        cells = tuple(tuple(values[width * row : width * (row + 1)]) for row in range(height))
        means = values[width * height :]
        return Matrix(
            rows=tuple(self.rows),
            columns=tuple(self.columns),
            cells=cells,
            row_means=tuple(means[:height]),
            column_means=tuple(means[height : height + width]),
            overall=means[-1],
            groups=len(groups),
        )

    def _scores(self, counts: Mapping[_Key, int]) -> list[float | None]:
        """All cells row by row, then the means of rows and of columns, then the mean of all cells."""
        tables: dict[tuple[str, str], dict[tuple[str, str | None], int]] = defaultdict(dict)
        for (cell, pair), count in counts.items():
            tables[cell][pair] = count
        cells = [[self.cell_fn(row, column, tables[row, column]) for column in self.columns] for row in self.rows]
        flat = [score for row in cells for score in row]
        by_column = [[row[place] for row in cells] for place in range(len(self.columns))]
        return [*flat, *(average(row) for row in cells), *(average(column) for column in by_column), average(flat)]


_Key = tuple[tuple[str, str], tuple[str, str | None]]


def _resampled(
    observed: Sequence[Observed], groups: Sequence[Hashable], resamples: int, seed: int
) -> Iterator[dict[_Key, int]]:
    """The counts of ``resamples`` samples of as many groups as there are, drawn with replacement."""
    if not groups or not resamples:
        return
    import numpy as np

    keys = list(dict.fromkeys(((one.row, one.column), (one.reference, one.predicted)) for one in observed))
    column_of = {key: place for place, key in enumerate(keys)}
    row_of = {group: place for place, group in enumerate(groups)}
    counts = np.zeros((len(groups), len(keys)), dtype=np.int64)
    for one in observed:
        counts[row_of[one.group], column_of[(one.row, one.column), (one.reference, one.predicted)]] += 1
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(groups), [1 / len(groups)] * len(groups), size=resamples)
    for sample in (weights @ counts).tolist():
        yield {key: count for key, count in zip(keys, sample, strict=True) if count}


def _scored(value: float | None, drawn: Sequence[float | None]) -> Scored:
    known = [one for one in drawn if one is not None]
    if value is None or not known:
        return Scored(value=value)
    low, high = interval(known)
    return Scored(value=value, low=low, high=high)


def share_passed(observed: Sequence[Observed], cells: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """In how many groups every answer in ``cells`` is right, of how many that have answers in all of these cells."""
    wanted = set(cells)
    seen: dict[Hashable, set[tuple[str, str]]] = defaultdict(set)
    failed: set[Hashable] = set()
    for one in observed:
        if (one.row, one.column) in wanted:
            seen[one.group].add((one.row, one.column))
            if one.predicted != one.reference:
                failed.add(one.group)
    whole = [group for group, places in seen.items() if places == wanted]
    return sum(group not in failed for group in whole), len(whole)
