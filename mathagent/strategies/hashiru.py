"""hashiru: a manager hires agents on local or remote models, asks and releases them, under explicit budgets.

Paper: "HASHIRU: Hierarchical Agent System for Hybrid Intelligent Resource Utilization" (arXiv 2506.04255). Each reply
of the manager is one decision: hire, ask, release, run a program, write itself a tool (tested in the sandbox before
use), use it, note, look at the budgets, answer. ``models`` is the price list; by default it holds the solve's own
model, in the parts that the manager casts. Two budgets bound it beside the solve's own: resources, which come back with
a release, and money, which does not. A hire that names no model takes the cheapest that can be paid, local ones first.
Every decision, what came of it and what is left, is an event of the trace.

Where the manager's reply cannot be read, or its decisions are used up, it answers by itself from what was found. Its
notes last for one solve: what is kept across solves is the memory's matter.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, field_validator

from mathagent.agents.ask import ASK_PROMPTS, Asked, ask
from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.hiring import OWN_MODEL, Ledger, WorkerModel, words
from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.blocks.staff import WORKER_PROMPT, Staff
from mathagent.agents.blocks.workbench import Workbench
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import Decided
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Problem, SamplingParams, Step, Value

ANSWER_PROMPT = "hashiru/answer"
LOG_CHARS, LOG_LINES = 600, 20
"""Of what came of a decision, and of the decisions, that the manager sees again."""
Action = Literal["hire", "ask", "release", "run_program", "make_tool", "use_tool", "note", "budget", "answer"]


class Decision(Value):
    """What the manager does next; which fields it needs depends on the action."""

    action: Action
    name: str = Field(default="", max_length=60, description="the agent, tool or note")
    model: str = Field(default="", max_length=60, description="of the price list, to hire; empty: the cheapest")
    text: str = Field(default="", max_length=8000, description="role, task, call, note or answer")
    code: str = Field(default="", max_length=8000, description="Python code")
    expected: str = Field(default="", max_length=400, description="what the test of a tool gives")


MANAGER = Role("manager", "hashiru/manage", SamplingParams(temperature=0.2, max_tokens=1024), Decision)


class HashiruConfig(StrategyConfig):
    """Settings of hashiru. Budgets, prices and temperature are the paper's program's."""

    temperature: float | None = Field(default=0.2, ge=0, le=2, description="Sampling temperature of all roles.")
    models: tuple[WorkerModel, ...] = Field(
        default=(OWN_MODEL,), description="Price list: the models that agents may be hired on."
    )
    resources: float | None = Field(
        default=100.0, ge=0, description="Resource units, 100 for 16 GB of memory; null: no limit."
    )
    money: float | None = Field(default=10.0, ge=0, description="Dollars for remote models; null: no limit.")
    hiring: Literal["both", "local", "remote", "none"] = Field(
        default="both", description="Which models may be hired."
    )
    own_tools: bool = Field(default=True, description="Whether the manager may write itself tools.")
    steps: int = Field(default=12, ge=1, le=100, description="Decisions of the manager at most.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")

    @field_validator("models")
    @classmethod
    def _named_apart(cls, models: tuple[WorkerModel, ...]) -> tuple[WorkerModel, ...]:
        if len({one.name for one in models}) < len(models):
            raise ValueError("each model of the price list needs a name of its own")
        return models

    @property
    def offered(self) -> tuple[WorkerModel, ...]:
        """The models that may be hired."""
        return tuple(one for one in self.models if self.hiring in ("both", one.place))


class Team:
    """One sample: the manager's agents, tools, notes and ledger, and the log of its decisions."""

    def __init__(self, context: RunContext, problem: Problem, config: HashiruConfig, sample: int) -> None:
        self.context, self.problem, self.config, self.sample = context, problem, config, sample
        ledger = Ledger(resources=config.resources, money=config.money)
        self.staff = Staff(context, config.offered, ledger, sample=sample, n=config.n)
        self.notes: dict[str, str] = {}
        self.log: list[str] = []
        self.steps: list[Step] = []
        self.bench = Workbench(context, self.steps, timeout_s=config.timeout_s, sample=sample)
        self.said: Answer | None = None  # by the latest agent who stated an answer
        self.answer: Answer | None = None
        self.limit: str | None = None

    async def solve(self) -> tuple[Candidate, str | None]:
        """The candidate, and the limit that ended it; whoever is still hired is released."""
        failure: Failure | None = None
        for step in range(self.config.steps):
            try:
                asked = await self._decide(step + 1)
            except BackendError as error:
                failure = Failure(kind="model-error", message=str(error))
                break
            self.limit = asked.limit
            if self.limit is not None or asked.fell_back:
                break
            outcome = await self._carry_out(asked.reply)
            self._told(asked, outcome)
            if self.answer is not None or self.limit is not None:
                break
        if self.answer is None and self.limit is None and failure is None:
            failure = await self._answer_alone()
        for name in tuple(self.staff.agents):
            self._decided("release", name, "the work is done", self.staff.release(name))
        return await self._candidate(failure), self.limit

    async def _decide(self, step: int) -> Asked[Decision]:
        agents = self.staff.agents.values()
        slots: dict[str, Any] = {
            "problem": problem_text(self.problem),
            "has_choices": bool(self.problem.choices),
            "hiring": bool(self.config.offered),
            "own_tools": self.config.own_tools,
            "left": self.staff.left,
            "models": [one.described() for one in self.config.offered],
            "agents": "; ".join(f"{one.name} on {one.model.name}: {one.part[:200]}" for one in agents),
            "tools": "; ".join(f"{one.name}, such as {one.example}" for one in self.bench.tools.values()),
            "notes": "; ".join(f"{key}: {text}" for key, text in self.notes.items()),
            "log": self.log[-LOG_LINES:],
            "step": step,
            "most": self.config.steps,
        }
        fallback = Decision(action="answer")
        asked: Asked[Decision] = await ask(
            self.context, MANAGER, fallback=fallback, sample=self.sample, params=self.config.params, **slots
        )
        prompt = words(*(turn.content for turn in render(MANAGER.prompt, **slots)))
        self._pay_manager(prompt, words(asked.reasoning, asked.reply.text, asked.reply.code))
        return asked

    def _pay_manager(self, words_in: int, words_out: int) -> None:
        """The manager's own words are charged, too, where the price list names the solve's own model."""
        own = next((one for one in self.config.models if not one.model), None)
        money = own.price(words_in, words_out) if own is not None else 0.0
        self.staff.pay("manage", MANAGER.name, money)

    async def _carry_out(self, decision: Decision) -> str:
        """Does what was decided; what came of it, in words for the manager."""
        name, text = decision.name.strip(), decision.text.strip()
        if decision.action == "hire":
            return self.staff.hire(name, decision.model.strip(), text)
        if decision.action == "ask":
            return await self._ask(name, text)
        if decision.action == "release":
            return self.staff.release(name)
        if decision.action == "run_program":
            return await self.bench.run(extract_code(decision.code or text))
        if decision.action == "make_tool":
            if not self.config.own_tools:
                return "refused: no tools may be written"
            return await self.bench.make(name, decision.code, text, decision.expected.strip())
        if decision.action == "use_tool":
            return await self.bench.use(name, text)
        if decision.action == "note":
            return self._note(name, text)
        if decision.action == "budget":
            return f"left: {self.staff.left}"
        choices = self.problem.choices
        self.answer = extract_answer(text, choices) or extract_from_trigger_reply(text, choices)
        return "answered" if self.answer is not None else "refused: the text holds no answer"

    async def _ask(self, name: str, task: str) -> str:
        outcome, draft, self.limit = await self.staff.ask(name, task, self.config.params)
        if draft is not None and draft.completion is not None:
            self.steps.append(Step(kind="thought", text=f"{name}: {draft.completion.text}"))
            stated = stated_answer(draft.completion, self.problem.choices)
            self.said = stated if isinstance(stated, Answer) else self.said
        return outcome

    def _note(self, key: str, text: str) -> str:
        if not key or not text or key in self.notes:
            return (
                f"refused: there is a note {key} already"
                if key in self.notes
                else "refused: key or text is missing"
            )
        self.notes[key] = text
        return "noted"

    def _told(self, asked: Asked[Decision], outcome: str) -> None:
        """Notes a decision and what came of it in the log, the steps and the trace."""
        decision = asked.reply
        said = " ".join(part for part in (decision.action, decision.name) if part)
        self.log.append(f"{len(self.log) + 1}. {said}: {outcome[:LOG_CHARS]}")
        self.steps.append(Step(kind="thought", text=f"{said}: {asked.reasoning or decision.text}"))
        self._decided(decision.action, decision.name, asked.reasoning, outcome)

    def _decided(self, decision: str, subject: str, reason: str, outcome: str) -> None:
        self.context.emit(
            Decided(
                role=MANAGER.name,
                sample=self.sample,
                decision=decision,
                subject=subject,
                reason=reason[:500],
                outcome=outcome[:500],
                left=self.staff.ledger.left,
            )
        )

    async def _answer_alone(self) -> Failure | None:
        """The manager's own solution in words; why there is none, where it states none."""
        messages = render(
            ANSWER_PROMPT,
            problem=problem_text(self.problem),
            log=self.log[-LOG_LINES:],
            has_choices=bool(self.problem.choices),
        )
        draft, self.limit = await draw_one(
            self.context, messages, self.config.params, role=MANAGER.name, sample=self.sample
        )
        if draft.completion is None:
            return draft.failure
        self._pay_manager(words(*(turn.content for turn in messages)), words(draft.completion.text))
        self.steps.append(Step(kind="thought", text=draft.completion.text))
        stated = stated_answer(draft.completion, self.problem.choices)
        if isinstance(stated, Failure):
            return stated
        self.answer = stated
        self._decided("answer", "", "it answers itself", "answered")
        return None

    async def _candidate(self, failure: Failure | None) -> Candidate:
        """The candidate with the answer, or with what an agent last said where the work ended early."""
        answer = self.answer or self.said
        if answer is None:
            why = failure or Failure(kind="no-answer", message="the budget ended before an answer")
            return Candidate(steps=tuple(self.steps), failure=why)
        return Candidate(steps=tuple(self.steps), answer=answer, checks=await self.bench.checks(answer))


def build(config: HashiruConfig) -> StateGraph[Any, Any, Any, Any]:
    """manage → select."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        return await Team(context, problem, config, sample).solve()

    return propose_then_vote("manage", config.n, propose)


STRATEGY = Strategy(
    name="hashiru",
    summary="A manager hires, asks and releases agents on local or remote models under explicit budgets.",
    paper="HASHIRU: Hierarchical Agent System for Hybrid Intelligent Resource Utilization (arXiv 2506.04255)",
    config=HashiruConfig,
    build=build,
    prompts=(MANAGER.prompt, WORKER_PROMPT, ANSWER_PROMPT, *ASK_PROMPTS),
    kind="teams",
    calls=(1, 24),
    needs=("sandbox",),
)
