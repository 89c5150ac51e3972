"""Settings as they are given on a command line."""

from __future__ import annotations

import pytest

from mathagent.agents.strategy import parse_settings
from mathagent.errors import UsageError


def test_values_are_json_where_they_parse_as_such_and_text_elsewhere() -> None:
    pairs = ["n=4", "stop=none", "temperature = 0.5", 'names=["a", "b"]', "trigger=a=b"]
    assert parse_settings(pairs) == {
        "n": 4,
        "stop": "none",
        "temperature": 0.5,
        "names": ["a", "b"],
        "trigger": "a=b",
    }


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("n", "'n' is not a setting"),
        ("=4", "is not a setting"),
        ("n=" + "9" * 5000, "the value of 'n' is too large"),
        ("n=" + "[" * 5000, "the value of 'n' is too large"),
    ],
)
def test_what_is_no_setting_is_refused(pair: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_settings([pair])
