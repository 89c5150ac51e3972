"""Block guided steps: a problem is broken down, each step is worked out and checked, and what fails is written anew.

Source: the guided prompts, intermediate validation and self-correction of "Think Beyond Size: Adaptive Prompting for
More Effective Reasoning" (arXiv 2410.08130), in our reading: it publishes no prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from mathagent.agents.ask import ask
from mathagent.agents.blocks.reason import ReasonConfig
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Finding
from mathagent.answers.extract import extract_answer
from mathagent.errors import BackendError
from mathagent.events import PlanMade, Warned
from mathagent.prompts import render
from mathagent.scorers.arithmetic import calculations
from mathagent.types import Problem, SamplingParams, Step, Value

WHOLE = "Solve the problem."


class Breakdown(Value):
    """The steps that lead to the answer."""

    steps: tuple[str, ...] = Field(
        min_length=1, max_length=12, description="one step: what to find, from which quantities; no results"
    )


class Validation(Value):
    """Whether a part of a solution is right."""

    ok: bool = Field(description="whether everything that was written is right")
    error: str = Field(default="", description="what is wrong, in one sentence; empty if nothing is")
    which_step: int | None = Field(default=None, ge=1, description="number of the step that is wrong")


PLANNER = Role("planner", "adaptive_prompting/break_down", SamplingParams(max_tokens=512), Breakdown)
GUIDED = Role("solver", "adaptive_prompting/guide", SamplingParams(max_tokens=1024))
VALIDATOR = Role("validator", "adaptive_prompting/validate", SamplingParams(max_tokens=512), Validation)
GUIDED_PROMPTS = (PLANNER.prompt, GUIDED.prompt, VALIDATOR.prompt)


class GuidedConfig(ReasonConfig):
    """Settings of guided steps. The numbers are ours."""

    retries: int = Field(default=2, ge=0, le=8, description="Corrections of a step at most.")
    replans: int = Field(default=1, ge=0, le=4, description="Further breakdowns at most, once a step has failed.")
    correction_temperature: float = Field(default=0.3, ge=0, le=2, description="Temperature of corrections.")
    recalculate: bool = Field(
        default=True, description="Whether calculations in numbers are done again before a model checks a step."
    )


@dataclass
class GuidedWork:
    """One problem worked out by a breakdown into about ``count`` steps, all at once (``whole``) or one after the other.

    ``results`` are those of the latest breakdown that led to any, in order (of the one before, where the work ended
    before this one came to an answer, and that one had), ``steps`` all that was written, ``doubt`` is why something is
    not validated ("": all is), ``limit`` what ended the budget. What fails on the way ends the work, and is no
    exception; ``unreachable`` says that it was the model.
    """

    context: RunContext
    problem: Problem
    config: GuidedConfig
    count: int = 3
    whole: bool = False
    results: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    doubt: str = ""
    limit: str | None = None
    ended: bool = False
    unreachable: bool = False
    drawn: int = 0

    async def run(self) -> None:
        """Breaks the problem down and works the steps out, at most ``1 + replans`` times."""
        failure = ""
        for attempt in range(1 + self.config.replans):
            earlier, self.results, self.doubt = (self.results, self.doubt), [], ""
            failure = await self._work_out(await self._break_down(failure, attempt), attempt)
            if self.ended and (
                not self.results or (self._answers(earlier[0]) and not self._answers(self.results))
            ):
                self.results, self.doubt = earlier[0], earlier[1] or self.doubt  # as far as it has ever come
            if self.ended or not failure:
                return

    def _answers(self, results: Sequence[Finding]) -> bool:
        return bool(results) and extract_answer(results[-1].text, self.problem.choices) is not None

    async def _break_down(self, failure: str, attempt: int) -> tuple[str, ...]:
        try:
            asked = await ask(
                self.context,
                PLANNER,
                fallback=Breakdown(steps=(WHOLE,)),
                sample=attempt,
                problem=problem_text(self.problem),
                count=self.count,
                failure=failure,
            )
        except BackendError as error:
            self.context.emit(Warned(message=f"there is no breakdown: {error}"))
            return (WHOLE,)
        self._meet(asked.limit)
        plan = numbered(asked.reply.steps)
        self.context.emit(PlanMade(text=plan))
        self.steps.append(Step(kind="thought", text=plan))
        return asked.reply.steps

    async def _work_out(self, steps: Sequence[str], attempt: int) -> str:
        """Works the steps out; returns which one no check accepted, and why, where another breakdown may help ("")."""
        for step in [numbered(steps)] if self.whole else steps:
            if self.ended:
                break
            error = await self._one(step)
            if error and attempt < self.config.replans and not self.ended:
                return f"{step} ({error})"
        return ""

    async def _one(self, step: str) -> str:
        """Works one step out until a check accepts it; returns what the last check found wrong ("": nothing)."""
        written = error = ""
        for attempt in range(1 + self.config.retries):
            text = await self._write(step, written, error, correction=attempt > 0)
            if text is None:
                break
            written, error = text, await self._error_in(step, text)
            if error:
                self.steps.append(Step(kind="critique", text=error))
            if not error or self.ended:
                break
        if written:
            self.results.append(Finding(module="step", title=step, text=written))
        if error:
            self.doubt = self.doubt or error
        return error

    async def _write(self, step: str, written: str, error: str, *, correction: bool) -> str | None:
        config = self.config
        params = SamplingParams(
            temperature=config.correction_temperature if correction else config.sampling_temperature,
            top_p=config.top_p,
            max_tokens=config.max_tokens,
        )
        messages = render(
            GUIDED.prompt,
            problem=problem_text(self.problem),
            results=self.results,
            step=step,
            whole=self.whole,
            written=written,
            error=error,
            has_choices=bool(self.problem.choices),
        )
        self.drawn += 1
        draft, limit = await draw_one(self.context, messages, params, role=GUIDED.name, sample=self.drawn - 1)
        self._meet(limit)
        if draft.completion is None:
            self.ended = True
            self.doubt = draft.failure.message if draft.failure is not None else "nothing was written"
            self.unreachable = draft.failure is not None and draft.failure.kind == "model-error"
            return None
        self.steps.append(Step(kind="thought", text=draft.completion.text))
        return draft.completion.text

    async def _error_in(self, step: str, written: str) -> str:
        """What is wrong with what was written ("": nothing, as far as anyone can tell)."""
        wrong = [one for one in calculations(written) if not one.holds] if self.config.recalculate else []
        if wrong:
            return "; ".join(f"{one.left} is not {one.right}" for one in wrong)
        if self.ended:
            self.doubt = self.doubt or "the budget ended before the check"
            return ""
        try:
            asked = await ask(
                self.context,
                VALIDATOR,
                fallback=Validation(ok=False),
                sample=self.drawn - 1,
                problem=problem_text(self.problem),
                results=self.results,
                step=step,
                written=written,
            )
        except BackendError as error:
            self.doubt = self.doubt or f"nobody could check it: {error}"
            return ""
        self._meet(asked.limit)
        if asked.fell_back:  # nothing is known that could be put right
            self.doubt = self.doubt or asked.limit or f"the check could not be read: {asked.problem}"
            return ""
        if asked.reply.ok:
            return ""
        where = f"step {asked.reply.which_step}: " if asked.reply.which_step else ""
        return where + (asked.reply.error.strip() or "it is not right")

    def _meet(self, limit: str | None) -> None:
        self.limit, self.ended = self.limit or limit, self.ended or limit is not None


def numbered(steps: Sequence[str]) -> str:
    """The steps as numbered lines; one alone as it is. Pure."""
    if len(steps) == 1:
        return steps[0]
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
