"""Block hiring: what agents cost, what is left to pay them with, and which model is the cheapest. Pure.

Source: "HASHIRU: Hierarchical Agent System for Hybrid Intelligent Resource Utilization" (arXiv 2506.04255). There are
two budgets: resources, which come back when an agent is released, and money, which does not. Tokens are approximated
by words, as its program does. Three faults of that program are not repeated: an ask takes its resources while it
lasts, each budget has its own limit, and money is never taken from resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mathagent.types import Value

TYPICAL_WORDS = 500
"""Of a task and of its answer, to judge before hiring whether a model can be paid at all."""


class WorkerModel(Value):
    """An entry of the price list: what an agent on this model costs, and what it is good at.

    ``model`` is a backend's name, "" the solve's own; ``base_url`` is that of an endpoint. Resources are in units (100
    for 16 GB of memory): ``create`` while the agent is there, ``invoke`` while it works. Prices are in dollars a
    million words.
    """

    name: str = Field(min_length=1, max_length=40)
    model: str = ""
    base_url: str | None = None
    place: Literal["local", "remote"] = "local"
    create: float = Field(default=0.0, ge=0)
    invoke: float = Field(default=0.0, ge=0)
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)
    strengths: str = Field(default="", max_length=400)

    def price(self, words_in: int, words_out: int) -> float:
        """Dollars for so many words in and out."""
        return (self.price_in * words_in + self.price_out * words_out) / 1e6

    def described(self) -> str:
        """The entry as a manager reads it."""
        costs = (
            [f"{self.create:g} to hire and {self.invoke:g} to ask (resources)"]
            if self.create or self.invoke
            else []
        )
        if self.price_in or self.price_out:
            costs.append(f"${self.price_in:g} in and ${self.price_out:g} out (a million words)")
        text = f"{self.name} ({self.place}): {'; '.join(costs) or 'free'}"
        return f"{text}. {self.strengths}" if self.strengths else text


OWN_MODEL = WorkerModel(name="own", create=10, invoke=40, strengths="the model that you are yourself")
"""Agents on the solve's own model, at the published price of the smallest local one."""


class Charge(Value):
    """One line of a ledger: ``resources`` may be negative, where they come back."""

    what: str
    who: str
    resources: float = 0.0
    money: float = 0.0


class Ledger(Value):
    """Two budgets and what was charged to them. A total of None has no limit."""

    resources: float | None = None
    money: float | None = None
    charges: tuple[Charge, ...] = ()

    @property
    def resources_used(self) -> float:
        return sum(charge.resources for charge in self.charges)

    @property
    def money_used(self) -> float:
        return sum(charge.money for charge in self.charges)

    @property
    def left(self) -> dict[str, float]:
        """What is left of the budgets that have a limit, by name."""
        totals = {"resources": (self.resources, self.resources_used), "dollars": (self.money, self.money_used)}
        return {name: round(total - used, 6) for name, (total, used) in totals.items() if total is not None}

    def affords(self, *, resources: float = 0.0, money: float = 0.0) -> bool:
        """Whether both budgets cover so much more. What costs nothing is covered by an overdrawn one, too."""
        left = self.left
        wanted = {"resources": resources, "dollars": money}
        return all(amount <= max(0.0, left.get(name, amount)) for name, amount in wanted.items())

    def charged(self, what: str, who: str, *, resources: float = 0.0, money: float = 0.0) -> Ledger:
        """The ledger with one more line."""
        line = Charge(what=what, who=who, resources=resources, money=money)
        return self.model_copy(update={"charges": (*self.charges, line)})

    def can_hire(self, model: WorkerModel) -> bool:
        """Whether an agent on ``model`` could be hired, and asked once."""
        typical = model.price(TYPICAL_WORDS, TYPICAL_WORDS)
        return self.affords(resources=model.create + model.invoke, money=typical)


def cheapest(models: Sequence[WorkerModel], ledger: Ledger) -> WorkerModel | None:
    """The model to hire where none is named: of those that can be paid a local one, the cheapest; None: none can."""
    payable = [one for one in models if ledger.can_hire(one)]
    typical = {one.name: one.price(TYPICAL_WORDS, TYPICAL_WORDS) for one in payable}
    order = sorted(payable, key=lambda one: (one.place == "remote", typical[one.name], one.create + one.invoke))
    return order[0] if order else None


def words(*texts: str) -> int:
    """Tokens of ``texts``, approximated as words."""
    return sum(len(text.split()) for text in texts)
