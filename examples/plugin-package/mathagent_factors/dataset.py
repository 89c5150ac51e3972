"""The data set divisors: how many divisors has a number? Made, not read, so that nothing need be fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mathagent.evals.datasets.source import Row, Source, Subset
from mathagent.types import Problem

NUMBERS = (12, 36, 60, 97, 128, 210, 360, 1001, 2025, 46656)


def problems(subset: str, rows: Iterable[tuple[str, Row]], limit: int | None) -> Iterator[Problem]:
    """One problem for each number."""
    for number in NUMBERS[:limit]:
        count = sum(number % divisor == 0 for divisor in range(1, number + 1))
        text = f"How many positive divisors does {number} have?"
        yield Problem(id=f"divisors/{number}", text=text, reference=str(count), language="en")


DATASET = Source(
    name="divisors",
    title="Divisors of ten numbers",
    paper="an example of mathagent",
    licence="Apache-2.0",
    answer="whole number",
    answer_type="number",
    build=problems,
    subsets={"all": Subset()},
)
