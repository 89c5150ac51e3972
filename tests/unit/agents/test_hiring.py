"""The cost model by hand: what is charged, what is left, and whom to hire."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.hiring import OWN_MODEL, Ledger, WorkerModel, cheapest, words

LOCAL = WorkerModel(name="small", create=10, invoke=40)
LARGE = WorkerModel(name="large", create=20, invoke=100)
REMOTE = WorkerModel(name="cloud", place="remote", price_in=0.1, price_out=0.4)


def test_resources_come_back_and_money_does_not() -> None:
    ledger = Ledger(resources=100, money=10).charged("hire", "a", resources=10).charged("ask", "a", money=0.5)
    assert (ledger.resources_used, ledger.money_used) == (10, 0.5)
    assert ledger.left == {"resources": 90, "dollars": 9.5}
    ledger = ledger.charged("release", "a", resources=-10)
    assert (ledger.resources_used, ledger.left) == (0, {"resources": 100, "dollars": 9.5})
    assert [charge.what for charge in ledger.charges] == ["hire", "ask", "release"]


def test_prices_are_of_words() -> None:
    assert REMOTE.price(1_000_000, 500_000) == pytest.approx(0.3)
    assert words("a b", "c") == 3


def test_local_first_then_remote_then_nobody() -> None:
    models = [REMOTE, LARGE, LOCAL]
    assert cheapest(models, Ledger(resources=100, money=10)) is LOCAL
    assert cheapest(models, Ledger(resources=20, money=10)) is REMOTE
    assert cheapest(models, Ledger(resources=20, money=0)) is None
    assert cheapest([], Ledger()) is None


def test_a_budget_without_a_total_has_no_limit() -> None:
    assert Ledger().left == {}
    assert Ledger().can_hire(LARGE)
    assert not Ledger(resources=100).can_hire(LARGE)
    assert not Ledger(money=0).affords(money=0.1)


def test_what_costs_no_money_can_be_had_when_the_money_is_overdrawn() -> None:
    overdrawn = Ledger(resources=100, money=1).charged("manage", "m", money=1.5)  # a long reply of the manager
    assert overdrawn.left["dollars"] == -0.5
    assert cheapest([REMOTE, LOCAL], overdrawn) is LOCAL
    assert not overdrawn.can_hire(REMOTE)


def test_an_entry_says_what_it_costs() -> None:
    assert OWN_MODEL.described() == (
        "own (local): 10 to hire and 40 to ask (resources). the model that you are yourself"
    )
    assert REMOTE.described() == "cloud (remote): $0.1 in and $0.4 out (a million words)"
    assert WorkerModel(name="x").described() == "x (local): free"
