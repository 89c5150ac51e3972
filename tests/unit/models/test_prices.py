"""What usage costs: known prices, unknown ones, and which model is the cheapest."""

from __future__ import annotations

import pytest

from mathagent.models.prices import (
    dollars_of,
    dollars_of_all,
    from_the_cheapest,
    list_price_of,
    list_price_of_all,
    usage_by_model,
)
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Usage

MILLION = Usage(calls=100, prompt_tokens=1_000_000, completion_tokens=1_000_000)
GPT_4O_DOLLARS = 2.50 + 10.00  # OpenAI's public price list for a million tokens in and out, since October 2024
GPT_4O_MINI_DOLLARS = 0.15 + 0.60


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("openai:gpt-4o", GPT_4O_DOLLARS),
        ("openai:gpt-4o-mini", GPT_4O_MINI_DOLLARS),
        ("openai:gpt-4o@https://api.openai.com/v1", GPT_4O_DOLLARS),
    ],
)
def test_a_listed_model_has_its_providers_price(model: str, dollars: float) -> None:
    assert dollars_of(model, MILLION) == pytest.approx(dollars)


@pytest.mark.parametrize("model", ["embedded:qwen2.5-coder-1.5b@1234", "script:replies.json", "hf:some/model"])
def test_a_model_on_this_machine_is_free(model: str) -> None:
    assert dollars_of(model, MILLION) == 0.0


@pytest.mark.parametrize(
    "model",
    [
        "openai:no-such-model",
        "openai:gpt-4o@http://127.0.0.1:8000/v1",
        "openai:gpt-4o@http://localhost:8000/v1",
        "openai:gpt-4o@http://10.1.2.3/v1",
        "openai:gpt-4o@http://gpu-box:8000/v1",
        "openai:gpt-4o@https://llm.example.com/v1",
        "some.package:Backend:gpt-4o",
        "gpt-4o",
    ],
)
def test_a_price_that_nobody_lists_is_unknown_never_a_guess(model: str) -> None:
    assert dollars_of(model, MILLION) is None
    assert list_price_of(model, MILLION) is None


def test_cached_calls_cost_nothing_and_the_list_price_does_not_change() -> None:
    half = Usage(calls=50, prompt_tokens=500_000, completion_tokens=500_000)
    mixed = half + half.as_cached()
    assert dollars_of("openai:gpt-4o", half.as_cached()) == 0.0
    assert dollars_of("openai:gpt-4o", mixed) == pytest.approx(GPT_4O_DOLLARS / 2)
    assert list_price_of("openai:gpt-4o", mixed) == pytest.approx(GPT_4O_DOLLARS)


def test_where_it_is_not_told_which_tokens_were_cached_the_price_is_unknown() -> None:
    old = Usage(calls=4, prompt_tokens=100, completion_tokens=50, cached_calls=2)
    assert dollars_of("openai:gpt-4o", old) is None
    assert dollars_of("openai:gpt-4o", old.model_copy(update={"cached_calls": 4})) == 0.0


def test_nothing_used_is_nothing_paid() -> None:
    assert dollars_of("openai:no-such-model", Usage()) == 0.0


def test_many_short_calls_are_not_charged_as_one_long_prompt() -> None:
    # Google charges prompts of more than 200,000 tokens twice as much; none of these calls had one
    model = "openai:gemini-2.5-pro@https://generativelanguage.googleapis.com/v1beta/openai"
    price = list_price_of(model, Usage(calls=10, prompt_tokens=1_000_000, completion_tokens=1_000_000))
    one_long = list_price_of(model, Usage(calls=1, prompt_tokens=1_000_000, completion_tokens=1_000_000))
    assert price == pytest.approx(1.25 + 10.0)
    assert one_long == pytest.approx(2.50 + 15.0)


def test_endpoints_that_share_a_model_have_one_price_or_none() -> None:
    both = "https://api.openai.com/v1,https://api.openai.com/v1?thinking_tokens=0"
    assert dollars_of(f"openai:gpt-4o@{both}", MILLION) == pytest.approx(GPT_4O_DOLLARS)
    assert dollars_of("openai:gpt-4o@https://api.openai.com/v1,http://gpu-box:8000/v1", MILLION) is None


def test_reward_models_of_ones_own_are_free() -> None:
    asked = Usage(calls=3)
    assert dollars_of("pooling:http://127.0.0.1:8000/pooling", asked) == 0.0
    assert dollars_of("reward:https://rewards.example.com/v1", asked) is None


def test_what_several_models_cost_is_known_where_each_price_is() -> None:
    free, dear = "script:a", "openai:gpt-4o"
    both = usage_by_model({free: MILLION, dear: MILLION})
    assert [one.dollars for one in both] == [0.0, pytest.approx(GPT_4O_DOLLARS)]
    assert dollars_of_all(both) == pytest.approx(GPT_4O_DOLLARS)
    assert dollars_of_all(usage_by_model({free: MILLION, "openai:nobody-lists-this": MILLION})) is None
    cached = usage_by_model({dear: MILLION.as_cached()})
    assert dollars_of_all(cached) == 0.0
    assert list_price_of_all(cached) == pytest.approx(GPT_4O_DOLLARS)
    assert dollars_of_all(()) == 0.0


def test_the_cheapest_first_and_where_a_price_is_not_known_the_free_ones() -> None:
    def named(identity: str) -> ScriptedBackend:
        return ScriptedBackend([], name=identity)

    dear, cheap, mine = (
        named(one) for one in ("openai:gpt-4o", "openai:gpt-4o-mini", "openai:m@http://127.0.0.1:8000/v1")
    )
    assert from_the_cheapest([dear, cheap, mine]) == [mine, cheap, dear]
    unknown = named("openai:nobody-lists-this")
    assert from_the_cheapest([dear, unknown, mine, cheap]) == [mine, dear, unknown, cheap]
    assert from_the_cheapest([unknown, dear]) == [unknown, dear]
