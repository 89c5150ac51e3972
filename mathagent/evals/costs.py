"""What a run cost: tokens, calls, seconds and money; and which methods no other beats at their price. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.evals.records import Record
from mathagent.models.prices import dollars_of, list_price_of, list_price_of_all
from mathagent.types import Usage, Value


class Costs(Value):
    """What ``records`` attempts cost together.

    Tokens and calls count cached replies like the calls that they repeat; ``cached_calls`` says how many those were.
    ``seconds`` is the sum of the attempts' wall clock (they overlap). ``dollars`` is what was paid, ``list_dollars``
    what it had been without a cache; both are sums over the attempts whose price is known: of ``unpriced`` it is not
    known what was paid (nothing, where the cache answered), of ``unlisted`` what it had been.
    """

    records: int
    calls: int
    cached_calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    dollars: float
    list_dollars: float
    unpriced: int
    unlisted: int


def costs_of(records: Sequence[Record]) -> Costs:
    """The costs of ``records`` together."""
    usage = sum((record.usage for record in records), Usage())
    paid = [_paid(record) for record in records]
    listed = [_listed(record) for record in records]
    return Costs(
        records=len(records),
        calls=usage.calls,
        cached_calls=usage.cached_calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        seconds=sum(record.seconds for record in records),
        dollars=sum(one for one in paid if one is not None),
        list_dollars=sum(one for one in listed if one is not None),
        unpriced=sum(one is None for one in paid),
        unlisted=sum(one is None for one in listed),
    )


def _paid(record: Record) -> float | None:
    """A record of a version that kept no money is priced now."""
    return dollars_of(record.backend or record.model, record.usage) if record.dollars is None else record.dollars


def _listed(record: Record) -> float | None:
    """By the models that were asked, where the record says so."""
    models = () if record.solution is None else record.solution.by_model
    return list_price_of_all(models) if models else list_price_of(record.backend or record.model, record.usage)


class CostPoint(Value):
    """A method in the plane of cost (tokens, dollars or seconds a problem) and accuracy; None where not known."""

    label: str
    cost: float | None
    accuracy: float | None


def frontier(points: Sequence[CostPoint]) -> list[CostPoint]:
    """The Pareto front, by rising cost: the points that no other beats in one of the two and matches in the other.

    Points that are equal in both stay together. A point whose cost or accuracy is not known is on no front.
    """
    known = [
        (point.cost, -point.accuracy, point)
        for point in points
        if point.cost is not None and point.accuracy is not None
    ]
    front: list[tuple[float, float, CostPoint]] = []
    for cost, loss, point in sorted(known, key=lambda one: (*one[:2], one[2].label)):
        if not front or loss < front[-1][1] or (cost, loss) == front[-1][:2]:
            front.append((cost, loss, point))
    return [point for _, _, point in front]
