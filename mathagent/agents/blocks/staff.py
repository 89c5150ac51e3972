"""Block staff: agents that are hired, asked and released, each on the model it was hired on, and the ledger of it.

Source: "HASHIRU" (arXiv 2506.04255). What is not possible is a sentence for the manager, never an exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mathagent.agents.blocks.hiring import Ledger, WorkerModel, cheapest, words
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft
from mathagent.errors import ResourceError, UsageError
from mathagent.models.base import Backend
from mathagent.prompts import render
from mathagent.types import SamplingParams, Value

WORKER_PROMPT = "hashiru/worker"
WORKER = "worker"
"""The role of all agents that are hired."""
PART = "You solve mathematics problems. End with the final answer within \\boxed{}."
"""What an agent is told that was hired without a word on its part."""


class Agent(Value):
    """A hired agent: the part it plays, and on which model."""

    name: str
    part: str
    model: WorkerModel


class Staff:
    """The agents of sample ``sample`` (of ``n``), who may be hired on the models ``offered``."""

    def __init__(
        self,
        context: RunContext,
        offered: Sequence[WorkerModel],
        ledger: Ledger,
        *,
        sample: int = 0,
        n: int = 1,
    ) -> None:
        self.context, self.offered, self.ledger = context, offered, ledger
        self.sample, self.n = sample, n
        self.agents: dict[str, Agent] = {}
        self._asked = Counter[tuple[str, str | None, str, str]]()  # by model, part and task, whoever was asked

    @property
    def left(self) -> str:
        """What is left of the budgets, in words."""
        return ", ".join(f"{amount:g} {name}" for name, amount in self.ledger.left.items()) or "no limit"

    def hire(self, name: str, wanted: str, part: str) -> str:
        """Hires ``name`` on the model ``wanted`` ("": the cheapest that can be paid); what came of it."""
        if not name:
            return "refused: an agent needs a name"
        if name in self.agents:
            return f"refused: there is an agent {name} already"
        known = {one.name: one for one in self.offered}
        if wanted and wanted not in known:
            return f"refused: there is no model {wanted}; there are: {', '.join(known) or 'none'}"
        model = known[wanted] if wanted else cheapest(self.offered, self.ledger)
        if model is None or not self.ledger.can_hire(model):
            who = "any model" if model is None else model.name
            return f"refused: the budgets do not allow to hire on {who}; left: {self.left}"
        try:
            self._backend(model)
        except (UsageError, ResourceError) as error:
            return f"refused: the model {model.name} cannot be opened: {error}"
        self.ledger = self.ledger.charged("hire", name, resources=model.create)
        self.agents[name] = Agent(name=name, part=part or PART, model=model)
        return f"{name} is hired on {model.name}"

    async def ask(self, name: str, task: str, params: SamplingParams) -> tuple[str, Draft | None, str | None]:
        """What came of asking ``name``; its reply (None: it was not asked); and the limit that ended it.

        The task's words are paid before, those of the reply after it, as far as it goes; the resources come back.
        """
        agent = self.agents.get(name)
        if agent is None:
            return f"refused: there is no agent {name}", None, None
        if not task:
            return "refused: the task is missing", None, None
        model, messages = agent.model, render(WORKER_PROMPT, part=agent.part, task=task)
        price = model.price(words(agent.part, task), 0)
        if not self.ledger.affords(resources=model.invoke, money=price):
            return f"refused: the budgets do not allow to ask {name}; left: {self.left}", None, None
        self.ledger = self.ledger.charged("ask", name, resources=model.invoke, money=price)
        context = replace(self.context, backend=self._backend(model))
        prompt = (model.model, model.base_url, agent.part, task)
        number = self.sample + self._asked[prompt] * self.n
        self._asked[prompt] += 1
        draft, limit = await draw_one(context, messages, params, role=WORKER, sample=number)
        reply = draft.completion.text if draft.completion is not None else ""
        money = model.price(0, words(reply))
        self.ledger = self.ledger.charged("reply", name, resources=-model.invoke, money=money)
        if draft.completion is None:
            why = draft.failure.message if draft.failure is not None else "none is known"
            return f"{name} gave no reply: {why}", draft, limit
        return f"{name} replied: {reply}", draft, limit

    def release(self, name: str) -> str:
        """Gives the agent's resources back; what came of it."""
        agent = self.agents.pop(name, None)
        if agent is None:
            return f"refused: there is no agent {name}"
        self.ledger = self.ledger.charged("release", name, resources=-agent.model.create)
        return f"{name} is released"

    def pay(self, what: str, who: str, money: float) -> None:
        """Charges ``money`` to the ledger."""
        self.ledger = self.ledger.charged(what, who, money=money)

    def _backend(self, model: WorkerModel) -> Backend:
        """What agents on ``model`` are asked through. Raises UsageError or ResourceError."""
        if not model.model:
            return self.context.backend
        if self.context.open_model is None:
            raise UsageError("this solve can open no other models")
        return self.context.open_model(model.model, model.base_url)
