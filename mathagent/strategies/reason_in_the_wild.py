"""reason-in-the-wild: find out what kind of problem it is, then solve it under the rules of the tactic for that kind.

Paper: "Can LLMs Reason in the Wild with Programs?" (arXiv 2406.13764), its agent with an untrained model. A router
chooses one of the ``tactics`` (python, sympy, z3, text); under it the model acts round by round (plan, write a program,
revise, reason, answer) and is told what came of each action. A tactic that the model gives up ("Tactic Bad") goes back
to the router, at most ``switches`` times. With one tactic there is no router.

``mode=hybrid`` is for several problems mixed in one text, with options: the router takes one sub-problem after the
other out of it, each is solved by its own run, and the router answers from what they found. With n > 1 the answers
vote.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, field_validator

from mathagent.agents.ask import ASK_PROMPTS, Asked, ask
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.blocks.tactic_run import TACTIC_PROMPT, TacticConfig, TacticOutcome, TacticRun
from mathagent.agents.blocks.tactics import TACTICS, Tactic
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.strategy import Strategy
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import Decided, Warned
from mathagent.types import Candidate, Failure, Problem, SamplingParams, Step, Value


class Choice(Value):
    """The router's tactic for a problem."""

    tactic: str = Field(max_length=40, description="the name of one tactic")


class Route(Value):
    """The router's next move on a mixed problem."""

    action: Literal["solve", "answer"] = Field(description="solve a sub-problem next, or answer now")
    option: str = Field(default="", max_length=80, description="the option that the sub-problem decides")
    subproblem: str = Field(default="", max_length=8000, description="the whole text of the sub-problem")
    tactic: str = Field(default="", max_length=40, description="the tactic for the sub-problem")
    answer: str = Field(default="", max_length=400, description="the final answer, once it is decided")


CHOOSER = Role("router", "reason_in_the_wild/choose", SamplingParams(max_tokens=256), Choice)
ROUTER = Role("router", "reason_in_the_wild/route", SamplingParams(max_tokens=1024), Route)


class RewildConfig(TacticConfig):
    """Settings of reason-in-the-wild. The limits are the paper's repository's."""

    tactics: tuple[str, ...] = Field(
        default=tuple(TACTICS), min_length=1, description=f"What may be chosen from, of {', '.join(TACTICS)}."
    )
    mode: Literal["single", "hybrid"] = Field(
        default="single", description="One problem, or several that are mixed in one text."
    )
    switches: int = Field(default=2, ge=0, le=8, description="Times that a tactic may be given up for another.")
    parts: int = Field(default=8, ge=1, le=64, description="Moves of the router at most (mode=hybrid).")

    @field_validator("tactics")
    @classmethod
    def _known(cls, tactics: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in tactics if name not in TACTICS]
        if unknown or len(set(tactics)) < len(tactics):
            raise ValueError(f"each of {', '.join(TACTICS)} may be named once")
        return tactics


def offered(context: RunContext, config: RewildConfig) -> list[Tactic]:
    """The configured tactics whose tool is there; all of them where none is left. Pure."""
    configured = [TACTICS[name] for name in config.tactics]
    return [one for one in configured if not one.tool or one.tool in context.tools] or configured


def named(tactics: list[Tactic], name: str) -> Tactic:
    """The tactic of that name, as a model writes it; the first where there is none. Pure."""
    wanted = name.strip().strip("'\"`*.").casefold()
    return next((one for one in tactics if one.name.casefold() == wanted), tactics[0])


async def solve_single(
    context: RunContext, problem: Problem, config: RewildConfig, sample: int
) -> tuple[Candidate, str | None]:
    """One problem: a tactic is chosen, and another where it is given up."""
    left, tried, steps = offered(context, config), list[str](), list[Step]()
    while True:
        tactic, limit = left[0], None
        if len(left) > 1 or tried:
            tactic, limit = await chosen_tactic(context, problem, left, tried, sample)
        if limit is not None:
            failure = Failure(kind="no-answer", message="the budget ended before an answer")
            return Candidate(steps=tuple(steps), failure=failure), limit
        outcome = await TacticRun(context, problem, tactic, config, sample).solve()
        steps += outcome.candidate.steps
        tried.append(tactic.name)
        left = [one for one in left if one.name != tactic.name]
        if not outcome.bad or not left or len(tried) > config.switches or outcome.limit is not None:
            return outcome.candidate.model_copy(update={"steps": tuple(steps)}), outcome.limit


async def chosen_tactic(
    context: RunContext, problem: Problem, left: list[Tactic], tried: list[str], sample: int
) -> tuple[Tactic, str | None]:
    """The router's choice of the tactics ``left`` (the first where it cannot be had), and the limit that ended it."""
    try:
        asked: Asked[Choice] = await ask(
            context,
            CHOOSER,
            fallback=Choice(tactic=left[0].name),
            sample=sample,
            problem=problem_text(problem),
            tactics=left,
            tried=tried,
        )
    except BackendError as error:
        context.emit(Warned(message=f"the tactic is {left[0].name}, the first: {error}"))
        return left[0], None
    tactic = named(left, asked.reply.tactic)
    context.emit(_decided(sample, tactic, asked.reasoning))
    return tactic, asked.limit


async def solve_hybrid(
    context: RunContext, problem: Problem, config: RewildConfig, sample: int
) -> tuple[Candidate, str | None]:
    """A mixed problem: the router's moves, the runs on its sub-problems, and the answer that it gives in the end."""
    tactics, found, steps, solved = offered(context, config), list[str](), list[Step](), set[str]()
    failure = Failure(kind="no-answer", message=f"the router gave no answer within {config.parts} moves")
    limit: str | None = None
    for _ in range(config.parts):
        try:
            asked: Asked[Route] = await ask(
                context,
                ROUTER,
                fallback=Route(action="answer"),
                sample=sample,
                problem=problem_text(problem),
                tactics=tactics,
                found=found,
                has_choices=bool(problem.choices),
            )
        except BackendError as error:
            failure = Failure(kind="model-error", message=str(error))
            break
        limit, route = asked.limit, asked.reply
        if limit is not None:
            failure = Failure(kind="no-answer", message="the budget ended before an answer")
            break
        if route.action == "answer":
            steps.append(Step(kind="thought", text=f"Answer: {route.answer}"))
            answer = extract_answer(route.answer, problem.choices)
            answer = answer or extract_from_trigger_reply(route.answer, problem.choices)
            if answer is not None:
                return Candidate(steps=tuple(steps), answer=answer), None
            failure = Failure(kind="no-answer", message="the router's answer is none that can be read")
            break
        found_now, outcome = await solved_part(context, config, tactics, route, solved, sample)
        found.append(found_now)
        if outcome is not None:
            steps += outcome.candidate.steps
            limit = outcome.limit
            if limit is not None:
                failure = Failure(kind="no-answer", message="the budget ended before an answer")
                break
    return Candidate(steps=tuple(steps), failure=failure), limit


async def solved_part(
    context: RunContext, config: RewildConfig, tactics: list[Tactic], route: Route, solved: set[str], sample: int
) -> tuple[str, TacticOutcome | None]:
    """What the router is told of its move, and the run on the sub-problem (None: there was none to make)."""
    tactic, text = named(tactics, route.tactic), route.subproblem.strip()
    about = f"option {route.option}, {tactic.name}" if route.option else tactic.name
    if not text:
        return f"({about}) the sub-problem is missing: give its whole text", None
    if f"{tactic.name}\n{text}" in solved:
        return f"({about}) this was solved by this tactic already: take another sub-problem, or answer", None
    solved.add(f"{tactic.name}\n{text}")
    context.emit(_decided(sample, tactic, text))
    outcome = await TacticRun(context, Problem(text=text), tactic, config, sample).solve()
    candidate = outcome.candidate
    if candidate.answer is not None:
        return f"({about}) {candidate.answer.raw}", outcome
    assert candidate.failure is not None
    return f"({about}) no answer: {candidate.failure.message}", outcome


def _decided(sample: int, tactic: Tactic, reason: str) -> Decided:
    return Decided(role="router", sample=sample, decision="tactic", subject=tactic.name, reason=reason[:500])


def build(config: RewildConfig) -> StateGraph[Any, Any, Any, Any]:
    """solve_by_tactics → select."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        solve = solve_hybrid if config.mode == "hybrid" else solve_single
        return await solve(context, problem, config, sample)

    return propose_then_vote("solve_by_tactics", config.n, propose)


STRATEGY = Strategy(
    name="reason-in-the-wild",
    summary="Choose a tactic for the kind of problem, then act under its rules, round by round.",
    paper="Can LLMs Reason in the Wild with Programs? (arXiv 2406.13764)",
    config=RewildConfig,
    build=build,
    prompts=(CHOOSER.prompt, ROUTER.prompt, TACTIC_PROMPT, *ASK_PROMPTS),
    kind="tools",
    calls=(2, 24),
    needs=("sandbox", "tools"),
)
