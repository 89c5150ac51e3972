"""Block tactic run: one problem by one tactic, round by round of thought, action and observation.

Source: "Can LLMs Reason in the Wild with Programs?" (arXiv 2406.13764); the limits are its repository's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.tactics import (
    Act,
    Tactic,
    forbidden_imports,
    is_bad,
    is_shortcut,
    kind_of,
    read_act,
)
from mathagent.agents.blocks.workbench import Workbench
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.strategy import StrategyConfig
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.events import Decided
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Message, Problem, Step, Value

TACTIC_PROMPT = "reason_in_the_wild/tactic"
ROLE = "tactician"
OUTPUT_CHARS = 1000


class TacticConfig(StrategyConfig):
    """Settings of a run by one tactic."""

    rounds: int = Field(default=7, ge=1, le=64, description="Replies of the model at most, for one problem.")
    wrong_in_a_row: int = Field(
        default=3, ge=1, le=64, description="Wrong actions one behind the other that end it."
    )
    wrong_in_all: int = Field(default=10, ge=1, le=64, description="Wrong actions that end it.")
    example_rounds: int = Field(default=2, ge=0, le=64, description="First rounds that show a worked example.")
    shortcuts: Literal["allow", "refuse"] = Field(
        default="allow",
        description="Programs that only print a given answer: allow (the paper), or a wrong action.",
    )
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")


class TacticOutcome(Value):
    """How a run ended: with a candidate, or (``bad``) by giving the tactic up. ``limit`` is of the budget."""

    candidate: Candidate
    bad: bool = False
    limit: str | None = None


class TacticRun:
    """The run of sample ``sample`` on ``problem``: the conversation so far, its steps and its last program."""

    def __init__(
        self, context: RunContext, problem: Problem, tactic: Tactic, config: TacticConfig, sample: int
    ) -> None:
        self.context, self.problem, self.tactic, self.config = context, problem, tactic, config
        self.sample = sample
        self.said: list[Message] = []
        self.steps: list[Step] = []
        self.bench = Workbench(
            context, self.steps, timeout_s=config.timeout_s, sample=sample, output_chars=OUTPUT_CHARS
        )
        self.answer: Answer | None = None
        self.bad = False

    async def solve(self) -> TacticOutcome:
        """The outcome; a model that cannot be reached, or a limit, ends it with what its programs have found."""
        wrong = in_a_row = 0
        for turn in range(self.config.rounds):
            draft, limit = await draw_one(
                self.context,
                self._messages(example=turn < self.config.example_rounds),
                self.config.params.model_copy(update={"stop": ("\nObservation",)}),
                role=ROLE,
                sample=self.sample,
            )
            if draft.completion is None:
                return await self._ended(draft.failure, limit)
            reply = draft.completion.text
            self.steps.append(Step(kind="thought", text=reply))
            corrected = await self._act(reply)
            if self.answer is not None or self.bad:
                return await self._ended(None, limit)
            if limit is not None:
                return await self._ended(None, limit)
            in_a_row = in_a_row + 1 if corrected else 0
            wrong += corrected
            if in_a_row >= self.config.wrong_in_a_row or wrong >= self.config.wrong_in_all:
                counted = f"{in_a_row} wrong actions in a row" if wrong == in_a_row else f"{wrong} wrong actions"
                return await self._ended(Failure(kind="no-answer", message=f"{counted} of the model"), None)
        message = f"no answer within {self.config.rounds} rounds"
        return await self._ended(Failure(kind="no-answer", message=message), None)

    def _messages(self, *, example: bool) -> tuple[Message, ...]:
        asked = render(
            TACTIC_PROMPT,
            tactic=self.tactic,
            problem=problem_text(self.problem),
            has_choices=bool(self.problem.choices),
            example=example,
        )
        return (*asked, *self.said)

    async def _act(self, reply: str) -> bool:
        """Does what ``reply`` says, and notes what came of it; whether it was a wrong action."""
        repeated = any(message.role == "assistant" and message.content == reply for message in self.said)
        act = read_act(reply)
        corrected, told = True, ""
        if repeated:
            told = "You have said exactly that before. Go on, or do something else."
        elif act is None:
            self.answer = extract_answer(reply, self.problem.choices)  # a box without an action ends it, too
            told = "The reply has not the form of one Thought and one Action with Name, Input and Output."
        else:
            corrected, told = await self._done(act)
        self.said += [
            Message(role="assistant", content=reply),
            Message(role="user", content=f"Observation: {told}"),
        ]
        return corrected

    async def _done(self, act: Act) -> tuple[bool, str]:
        kind = kind_of(act.name, self.tactic)
        if kind is None:
            build = f"{self.tactic.build}, Revise code, " if self.tactic.program else ""
            names = f"Plan, {build}Reason, Aggregate and answer, Tactic check"
            return True, f"There is no action {act.name!r}. The actions are: {names}."
        if kind == "program":
            return await self._run(extract_code(act.output))
        if kind == "answer":
            choices = self.problem.choices
            self.answer = extract_answer(act.output, choices) or extract_from_trigger_reply(act.output, choices)
            wanted = "the letter of one of the choices" if choices else "the answer alone"
            return self.answer is None, f"The output must be {wanted}."
        if kind == "check":
            self.bad = is_bad(act.output)
        return False, "Noted."

    async def _run(self, code: str) -> tuple[bool, str]:
        """Runs a program of the tactic; what is not allowed is told and not run."""
        forbidden = forbidden_imports(code, self.tactic)
        if not code or forbidden:
            names = ", ".join(forbidden)
            return (
                True,
                f"The tactic does not allow to import {names}." if code else "The output holds no program.",
            )
        if is_shortcut(code):
            shortcut = Decided(
                role=ROLE, sample=self.sample, decision="shortcut", subject=self.tactic.name, reason=code[:200]
            )
            self.context.emit(shortcut)
            if self.config.shortcuts == "refuse":
                return True, "The program only prints a given answer. Model the problem and compute from it."
        return False, await self.bench.run(code, before=self.tactic.skeleton)

    async def _ended(self, failure: Failure | None, limit: str | None) -> TacticOutcome:
        if self.bad:
            failure = Failure(kind="no-answer", message=f"the tactic {self.tactic.name} was given up")
        answer = self.answer
        unreachable = failure is not None and failure.kind == "model-error"
        if answer is None and (limit is not None or unreachable):  # the best so far
            answer = await self.bench.value(self.problem)
        if answer is None:
            why = failure or Failure(kind="no-answer", message="the budget ended before an answer")
            return TacticOutcome(
                candidate=Candidate(steps=tuple(self.steps), failure=why), bad=self.bad, limit=limit
            )
        checks = await self.bench.checks(answer)
        return TacticOutcome(
            candidate=Candidate(steps=tuple(self.steps), answer=answer, checks=checks), limit=limit
        )
