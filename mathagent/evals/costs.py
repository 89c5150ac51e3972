"""What a run cost: tokens, calls, seconds and money; and which methods no other beats at their price. Pure.

Prices are those of the package genai-prices: what the providers list, dated and bundled, never fetched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mathagent.evals.records import Record
from mathagent.models.endpoint_url import is_private, split_identity
from mathagent.types import Usage, Value

_LOCAL = frozenset({"embedded", "script", "hf"})
_OPENAI_URL = "https://api.openai.com/v1"


def dollars_of(model: str, usage: Usage) -> float | None:
    """What ``usage`` of ``model`` was paid, in US dollars; None where that is not known.

    ``model`` is a backend's identity (``openai:gpt-4o@https://…/v1``: prices differ between providers), or its name,
    where ``openai:…`` means OpenAI's own service. Models that run on this machine are free, as is what the cache
    answered. Records that do not say which tokens those were have no price, nor has a model that the provider at its
    address does not list. Discounts that a usage does not show (prompt caching, batches) are not taken off.
    """
    fresh = _fresh(usage)
    return None if fresh is None else list_price_of(model, fresh)


def list_price_of(model: str, usage: Usage) -> float | None:
    """As ``dollars_of``, had nothing been cached: what a method costs, whatever ran before it."""
    if not usage.calls and not usage.total_tokens:
        return 0.0
    full_name, url = split_identity(model)
    backend, _, name = full_name.partition(":")
    if backend in _LOCAL:
        return 0.0
    if backend != "openai":  # another package's backend: who runs that model is its own matter
        return None
    return _listed(name, url or _OPENAI_URL, usage)


def _fresh(usage: Usage) -> Usage | None:
    """The part of ``usage`` that no cache answered; None where it is not known (records of older versions)."""
    told = usage.cached_prompt_tokens or usage.cached_completion_tokens
    if usage.cached_calls >= usage.calls:
        return Usage()
    if usage.cached_calls and not told and usage.total_tokens:
        return None
    return Usage(
        calls=usage.calls - usage.cached_calls,
        prompt_tokens=usage.prompt_tokens - usage.cached_prompt_tokens,
        completion_tokens=usage.completion_tokens - usage.cached_completion_tokens,
    )


def _listed(name: str, url: str, usage: Usage) -> float | None:
    """The list price of ``usage``. A provider may charge long prompts more: each call counts as an average one."""
    if not _has_provider(url):
        return None
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    calls = max(1, usage.calls)
    average = PricedUsage(
        input_tokens=usage.prompt_tokens / calls,
        output_tokens=usage.completion_tokens / calls,
    )
    try:
        price = calc_price(average, name, provider_api_url=url)
    except LookupError:
        return None
    return round(float(price.total_price) * calls, 10)


@lru_cache(maxsize=256)
def _has_provider(url: str) -> bool:
    """Whether the provider at ``url`` lists prices. Nobody does for a private address, which needs no table."""
    if is_private(url):
        return False
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, url)
    except LookupError:
        return False
    return True


class Costs(Value):
    """What ``records`` attempts cost together.

    Tokens and calls count cached replies like the calls that they repeat; ``cached_calls`` says how many those were.
    ``seconds`` is the sum of the attempts' wall clock (they overlap). ``dollars`` is what was paid, ``list_dollars``
    what it had been without a cache; both are sums over the attempts whose price is known: ``unpriced`` are not.
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


def costs_of(records: Sequence[Record]) -> Costs:
    """The costs of ``records`` together."""
    usage = sum((record.usage for record in records), Usage())
    paid = [_paid(record) for record in records]
    listed = [list_price_of(record.backend or record.model, record.usage) for record in records]
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
    )


def _paid(record: Record) -> float | None:
    """A record of a version that kept no money is priced now."""
    return dollars_of(record.backend or record.model, record.usage) if record.dollars is None else record.dollars


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
