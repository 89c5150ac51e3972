"""What clients of a server may name."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mathagent.agents.outside_requests import CLOSED, FREE_TEXT, allowed_settings, allowed_strategy
from mathagent.errors import UnknownName, UsageError
from mathagent.strategies import STRATEGIES


@pytest.mark.parametrize("name", ["pal", "auto", "pal(n=4) | vote(cot, tir)", "cot & pal", 'cot(trigger="So: ")'])
def test_strategies_and_compositions(name: str) -> None:
    assert allowed_strategy(name, STRATEGIES) == name


@pytest.mark.parametrize(
    "name",
    [
        "os.path:join",
        "pal | os.path:join",
        "vote(cot, my.module:STRATEGY)",
        'best-of-n(scorer="reward:http://10.0.0.1")',
        'best-of-n(scorer="my.module:scorer") | cot',
        'vote(cot, pal, embedder="a:b")',
        'dip(dictionary="/etc/passwd")',
        'hashiru(models=[{"name": "x", "model": "openai:gpt-5"}])',
        "pal(",
        "",
    ],
)
def test_nothing_else(name: str) -> None:
    with pytest.raises(UsageError):
        allowed_strategy(name, STRATEGIES)


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(UnknownName, match="did you mean pal"):
        allowed_strategy("pall", STRATEGIES)


@pytest.mark.parametrize(
    "settings",
    [
        {"scorer": "pooling:http://x"},
        {"embedder": "my.module:thing"},
        {"modules": ["a", "b:c"]},
        {"dictionary": "words.tsv"},
        {"models": []},
        {"anything": {"base_url": "http://x"}},
        {"anything": [{"model": "x"}]},
        {"scorer": "../x"},
        {"scorer": "a\\b"},
    ],
)
def test_settings_that_reach_out(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        allowed_settings(settings)


def test_settings_that_do_not() -> None:
    settings = {"n": 4, "over": "cot", "trigger": "Let us: think/about it", "modules": ["a", "b"], "x": None}
    assert allowed_settings(settings) == settings


def test_every_text_that_a_strategy_can_be_given_is_looked_at() -> None:
    """A new setting with objects in it must be closed, or said to be harmless here."""
    for name in STRATEGIES.table:
        for key, field in STRATEGIES.load(name).config.model_fields.items():
            parts = [field.annotation, *get_args(field.annotation)]
            objects = any(hasattr(part, "model_fields") for part in parts)
            assert not objects or key in CLOSED, f"{name}.{key}"
    assert not FREE_TEXT & CLOSED
