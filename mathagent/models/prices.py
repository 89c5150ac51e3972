"""What usage of a model costs, by the lists of the providers. Pure.

Prices are those of the package genai-prices: what the providers list, dated and bundled, never fetched here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from mathagent.models.base import Backend, models_of
from mathagent.models.endpoint_url import is_private, split_identity
from mathagent.types import ModelUsage, Usage

_LOCAL = frozenset({"embedded", "script", "hf"})
_REWARD_FORMS = frozenset({"reward", "pooling", "classify"})
_TYPICAL = Usage(calls=1, prompt_tokens=1000, completion_tokens=1000)
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
    if backend in _REWARD_FORMS:  # a reward model writes no tokens; an address of one's own is free
        return 0.0 if is_private(full_name.partition(":")[2]) else None
    if backend != "openai":  # another package's backend: who runs that model is its own matter
        return None
    # Endpoints that serve one model together, at one price or at none: who answered what is not known.
    prices = {_listed(name, one, usage) for one in (url or _OPENAI_URL).split(",")}
    return prices.pop() if len(prices) == 1 else None


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


def from_the_cheapest(models: Sequence[Backend]) -> list[Backend]:
    """``models`` by what a typical reply costs, the order being kept among equals. What runs here, or at a private
    address, costs nothing and comes first; the others stay as they are where the price of one of them is not known.
    Models that write together cost what each would."""
    prices = [_price_of_all(one) for one in models]
    if None in prices:  # who costs something is told from who costs nothing, no more
        prices = [0.0 if price == 0 else 1.0 for price in prices]
    ranked = sorted((price or 0.0, place) for place, price in enumerate(prices))
    return [models[place] for _, place in ranked]


def _price_of_all(model: Backend) -> float | None:
    prices = [_typical_price(inner.identity) for inner in models_of(model)]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def _typical_price(identity: str) -> float | None:
    url = split_identity(identity)[1]
    mine = url is not None and all(map(is_private, url.split(",")))
    return 0.0 if mine else list_price_of(identity, _TYPICAL)


def usage_by_model(by_model: Mapping[str, Usage]) -> tuple[ModelUsage, ...]:
    """What each model of a solve used and cost, by its identity, in the order in which they were first asked."""
    return tuple(
        ModelUsage(backend=model, usage=usage, dollars=dollars_of(model, usage))
        for model, usage in by_model.items()
    )


def dollars_of_all(models: Sequence[ModelUsage]) -> float | None:
    """What all cost together; None where the price of one of them is not known."""
    known = [one.dollars for one in models if one.dollars is not None]
    return sum(known) if len(known) == len(models) else None


def list_price_of_all(models: Sequence[ModelUsage]) -> float | None:
    """As ``dollars_of_all``, had nothing been cached."""
    prices = [list_price_of(one.backend, one.usage) for one in models]
    known = [one for one in prices if one is not None]
    return sum(known) if len(known) == len(prices) else None
