from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import UnknownName, UsageError
from mathagent.models.base import Capabilities, ConnectOptions
from mathagent.models.capability_record import CapabilityRecord, store_record
from mathagent.models.known_capabilities import KnownCapabilities, assume, said_capabilities
from mathagent.models.openai_compat import connect
from mathagent.models.router import Router
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver

GUESS = Capabilities(n=True, tool_calls=True)


def backend(name: str = "script:m") -> ScriptedBackend:
    return ScriptedBackend(["the answer is \\boxed{4}"] * 9, name=name, capabilities=GUESS)


def keep(folder: Path, identity: str, **can: bool) -> None:
    record = CapabilityRecord(
        model="m", identity=identity, probed_at="2026-11-30", mathagent="0", findings=(), can=can
    )
    store_record(record, folder)


def config(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_the_users_word_goes_before_a_record_and_a_record_before_the_guess(tmp_path: Path) -> None:
    keep(tmp_path, "script:m", tool_calls=False, seed=True, grammar=False)
    path = config(tmp_path, '[capabilities."script:m"]\ngrammar = true\n')
    asked = backend()
    KnownCapabilities(tmp_path, path).settle(asked)
    assert asked.capabilities == GUESS.model_copy(update={"tool_calls": False, "seed": True, "grammar": True})


def test_a_model_of_which_nothing_is_known_stays_as_it_is(tmp_path: Path) -> None:
    keep(tmp_path, "script:other", n=False)
    asked = backend()
    KnownCapabilities(tmp_path, tmp_path / "config.toml").settle(asked)
    assert asked.capabilities == GUESS


def test_what_a_backend_learns_afterwards_stays(tmp_path: Path) -> None:
    keep(tmp_path, "script:m", n=True)
    known, asked = KnownCapabilities(tmp_path, tmp_path / "config.toml"), backend()
    known.settle(asked)
    asked.capabilities = asked.capabilities.model_copy(update={"n": False})
    known.settle(asked)
    assert not asked.capabilities.n


def test_each_model_of_a_router_and_each_member_of_a_pool_is_told(tmp_path: Path) -> None:
    pool = connect("m", ConnectOptions(base_url="http://a:1/v1,http://b:1/v1"))
    keep(tmp_path, pool.identity, json_schema=False)
    keep(tmp_path, "script:small", n=False)
    small, judge = backend("script:small"), backend("script:judge")
    keep(tmp_path, "script:judge", seed=True)
    KnownCapabilities(tmp_path, tmp_path / "config.toml").settle(Router([small, pool], {"judge": judge}))
    assert not small.capabilities.n
    assert judge.capabilities.seed
    assert not pool.capabilities.json_schema
    assert pool.capabilities.tool_calls


class Stubborn(ScriptedBackend):
    """Lets nobody say what it can do."""

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return GUESS

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        if value != GUESS:
            raise AttributeError("capabilities")


def test_a_backend_that_cannot_be_told_is_an_error_only_where_the_user_says_it(tmp_path: Path) -> None:
    stubborn = Stubborn([], name="script:m", capabilities=GUESS)
    assert not assume(stubborn, Capabilities())
    keep(tmp_path, "script:m", n=False)
    KnownCapabilities(tmp_path, tmp_path / "config.toml").settle(stubborn)
    path = config(tmp_path, '[capabilities."script:m"]\nn = false\n')
    with pytest.raises(UsageError, match="lets nobody say"):
        KnownCapabilities(tmp_path, path).settle(stubborn)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("capabilities = 1", UsageError, "capabilities is no table"),
        ("[capabilities]\nm = 1", UsageError, r"\[capabilities.m\] is no table"),
        ('[capabilities."m"]\ntools = true', UnknownName, "'tools'; did you mean tool_calls"),
        ('[capabilities."m"]\nn = "yes"', UsageError, "n = 'yes' is wrong: write true or false"),
        ("[capability]\nn = true", UsageError, "'capability' is not known"),
        ("[capabilities", UsageError, "is not TOML"),
    ],
)
def test_a_wrong_config_is_refused_with_its_place(
    tmp_path: Path, text: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        said_capabilities(config(tmp_path, text))


async def test_a_solve_goes_by_what_is_known(own_home: Path) -> None:
    def seeded(**options: Any) -> Any:
        return solver.solve("2+2?", "cot", seed=3, **options)

    asked = ScriptedBackend(lambda request, index: "The answer is \\boxed{4}.", name="script:m")
    asked.capabilities = asked.capabilities.model_copy(update={"seed": False})
    keep(own_home / "capabilities", "script:m", seed=True)
    async with Solver(asked, cache=False, checkpoints=False) as solver:
        assert (await seeded()).answer == "4"
    assert asked.requests[0].params.seed == 3
