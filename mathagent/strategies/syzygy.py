"""syzygy: auxiliary conditions, solutions made of them, and the shortest that is right, in one structured reply.

Paper: "Syzygy of Thoughts: Improving LLM CoT with the Minimal Free Resolution" (arXiv 2504.09566). One call fills in a
form (Betti number: how many conditions; freeness: they do not depend on each other; mapping: solutions; minimality: the
best of them). ``exactness=false`` leaves out the field that the paper speaks of and its repository does not have. A
reply whose final answer cannot be found is read by one more question. ``staged`` is ours: conditions, solutions and the
choice are three calls, and which conditions no solution uses is counted between them. With n > 1 the forms vote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from langgraph.graph import StateGraph
from pydantic import Field, JsonValue

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.select import answer_classes
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.context import RunContext
from mathagent.agents.lenient_json import json_values
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import EXTRACTOR, FinalAnswer, Role
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Problem, SamplingParams, Step, Value

FORM_PROMPT = "syzygy/form"

_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
"""A number with separators, which JSON would cut at the first: ``1,234``."""
_AS_IT_STANDS = re.compile(rf"{_GROUPED.pattern}|\(.*|[\"'].*", re.DOTALL)
"""What JSON would take for something else: a term in brackets, a pair, what stands behind a quote never closed."""
_FINAL = re.compile(
    r"[\"']?final_answer[\"']?\s*[:=]\s*(?P<whole>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\[[^\[\]]*\])?"
    rf"(?P<bare>{_GROUPED.pattern}|\([^()\n]*\)(?=\s*(?:[,}}\n]|\Z))|[\"'][^}}\n]*|(?!\[|\([^()]*,)[^,}}\n]+)?"
)
_IN_BRACKETS = re.compile(r"\s*\[\s*([^\[\],]*)\s*\]\s*")


class Conditions(Value):
    """Auxiliary conditions of a problem."""

    conditions: tuple[str, ...] = Field(min_length=1, max_length=32, description="one condition")


class StagedSolution(Value):
    """One solution, and the numbers of the conditions that it uses."""

    uses: tuple[int, ...] = Field(default=(), max_length=32, description="number of a condition that is used")
    text: str = Field(min_length=1, description="the solution, step by step")
    answer: str = Field(description="its final answer alone")


class Solutions(Value):
    """Solutions of one problem."""

    solutions: tuple[StagedSolution, ...] = Field(min_length=1, max_length=16, description="one solution")


class Choice(Value):
    """The shortest solution that is right."""

    gaps: tuple[str, ...] = Field(default=(), max_length=16, description="a gap between two steps, and where")
    best: int = Field(ge=1, description="number of the chosen solution")
    answer: str = Field(description="the final answer alone")


CONDITIONER = Role("conditioner", "syzygy/conditions", SamplingParams(max_tokens=1024), Conditions)
SOLVER = Role("solver", "syzygy/solutions", SamplingParams(max_tokens=2048), Solutions)
SELECTOR = Role("selector", "syzygy/select", SamplingParams(max_tokens=1024), Choice)


class SyzygyConfig(StrategyConfig):
    """Settings of syzygy. The numbers are the repository's."""

    max_tokens: int = Field(default=2048, ge=1, description="Completion tokens of one form, or of one stage.")
    conditions: int = Field(default=10, ge=1, le=32, description="Auxiliary conditions to ask for.")
    solutions: int = Field(default=5, ge=1, le=16, description="Solutions to ask for.")
    exactness: bool = Field(default=True, description="Whether the form asks for unused conditions and gaps.")
    inner_vote: bool = Field(
        default=False, description="Whether the solutions within a form vote, in place of its final answer."
    )
    staged: bool = Field(
        default=False, description="Three calls (conditions, solutions, choice) in place of a form."
    )


def final_answer(text: str, choices: Sequence[str] = (), *, cut: bool = False) -> Answer | None:
    """The answer in the field final_answer of a form, however well its JSON is formed; None where it is not filled in.

    The last such field counts. ``[42]`` is 42: the form's hints stand in brackets. ``cut``: the text was cut off; what
    its end leaves open may be half of an answer, and is none. Pure.
    """
    for match in reversed(list(_FINAL.finditer(text))):
        whole, bare = match["whole"], (match["bare"] or "").strip()
        if whole is None and cut and match.end() == len(text):
            continue
        if whole is None:
            whole = json.dumps(bare.lstrip("\"'")) if _AS_IT_STANDS.fullmatch(bare) else bare
        for value in json_values(f'{{"final_answer": {whole}}}')[:1]:
            said = value.get("final_answer") if isinstance(value, dict) else None
            answer = _as_answer(said, choices)
            if answer is not None:
                return answer
    return None


def _as_answer(said: JsonValue, choices: Sequence[str]) -> Answer | None:
    if isinstance(said, list):  # [42], or several answers
        said = ", ".join(str(one) for one in said if isinstance(one, str | int | float))
    text = "" if said is None or isinstance(said, dict) else str(said).strip()
    bare = _IN_BRACKETS.fullmatch(text)
    text = bare[1] if bare else text
    return extract_from_trigger_reply(text, choices) if text and not text.startswith("<") else None


def inner_solutions(text: str) -> tuple[list[str], str]:
    """The solutions that a form holds, in order, and the one that it calls optimal ("": none). Pure."""
    form = next((value for value in json_values(text, cut=True) if isinstance(value, dict)), {})
    mapping, minimality = form.get("mapping"), form.get("minimality")
    written = mapping if isinstance(mapping, dict) else {}
    optimal = minimality.get("optimal_solution") if isinstance(minimality, dict) else None
    return [str(one) for name, one in written.items() if name.startswith("solution")], str(optimal or "")


def unused_conditions(conditions: Sequence[str], solutions: Sequence[StagedSolution]) -> list[int]:
    """The numbers of the conditions that no solution says it uses (exactness fails there). Pure."""
    used = {number for solution in solutions for number in solution.uses}
    return [number for number in range(1, len(conditions) + 1) if number not in used]


async def fill_in(
    context: RunContext, problem: Problem, config: SyzygyConfig, sample: int
) -> tuple[Candidate, str | None]:
    """The candidate of one form, and the limit that ended it."""
    messages = render(
        FORM_PROMPT,
        problem=problem_text(problem),
        conditions=range(1, config.conditions + 1),
        solutions=range(1, config.solutions + 1),
        exactness=config.exactness,
        has_choices=bool(problem.choices),
    )
    draft, limit = await draw_one(context, messages, config.params, role="syzygy", sample=sample)
    reply = draft.completion
    if reply is None:
        return Candidate(failure=draft.failure), limit
    steps = (Step(kind="thought", text=reply.text),)
    cut = reply.finish_reason == "length"
    answer = final_answer(reply.text, problem.choices, cut=cut)
    if config.inner_vote:
        answer = await _inner_majority(context, problem, reply.text) or answer
    elif answer is not None:
        await _flag(context, problem, answer, reply.text)
    if answer is not None:
        return Candidate(steps=steps, answer=answer, extraction_stage=1), limit
    if reply.finish_reason == "content_filter":
        failure = Failure(kind="refused", message="the model's provider withheld the reply")
        return Candidate(steps=steps, failure=failure), limit
    answer, limit = await _repaired(context, problem, reply.text, sample)
    if answer is not None:
        return Candidate(steps=steps, answer=answer, extraction_stage=2), limit
    failure = Failure(
        kind="truncated" if cut else "no-answer",
        message=f"the form was cut at {reply.usage.completion_tokens} tokens" if cut else "the form has no answer",
    )
    return Candidate(steps=steps, failure=failure), limit


async def _inner_majority(context: RunContext, problem: Problem, text: str) -> Answer | None:
    """The answer that most of a form's solutions state; ties: the earliest."""
    stated = [extract_answer(one, problem.choices) for one in inner_solutions(text)[0]]
    candidates = [Candidate(answer=answer) for answer in stated if answer is not None]
    classes = await answer_classes(context, candidates)
    return candidates[classes[0].members[0]].answer if classes else None


async def _flag(context: RunContext, problem: Problem, answer: Answer, text: str) -> None:
    """Warns where the solution that a form calls optimal states another answer than the form."""
    stated = extract_answer(inner_solutions(text)[1], problem.choices)
    if stated is not None and (await context.comparer.equal(stated, answer)).verdict == "different":
        told = f"the form answers {answer.normal}, the solution that it chose says {stated.normal}"
        context.emit(Warned(message=told))


async def _repaired(
    context: RunContext, problem: Problem, written: str, sample: int
) -> tuple[Answer | None, str | None]:
    """The answer that a model reads in a form without one, after one question."""
    try:
        asked = await ask(
            context,
            EXTRACTOR,
            fallback=FinalAnswer(answer=None),
            sample=sample,
            retries=0,
            problem=problem_text(problem),
            solution=written,
            has_choices=bool(problem.choices),
        )
    except BackendError as error:
        context.emit(Warned(message=f"the form has no final answer, and nobody could be asked: {error}"))
        return None, None
    return _as_answer(asked.reply.answer, problem.choices), asked.limit


async def in_stages(
    context: RunContext, problem: Problem, config: SyzygyConfig, sample: int
) -> tuple[Candidate, str | None]:
    """The candidate of conditions, solutions and a choice; where the choice is missing, the first solution stands."""
    told: dict[str, Any] = {"problem": problem_text(problem)}
    shared: dict[str, Any] = {"sample": sample, "params": config.params}
    try:
        listed = await ask(
            context, CONDITIONER, fallback=Conditions(conditions=("",)), count=config.conditions, **told, **shared
        )
        if listed.limit is not None:
            return Candidate(failure=Failure(kind="no-answer", message=listed.limit)), listed.limit
        conditions = [] if listed.fell_back else list(listed.reply.conditions)
        told |= {"conditions": conditions, "has_choices": bool(problem.choices)}
        nothing = StagedSolution(text="none", answer="")
        written = await ask(
            context, SOLVER, fallback=Solutions(solutions=(nothing,)), count=config.solutions, **told, **shared
        )
    except BackendError as error:
        return Candidate(failure=Failure(kind="model-error", message=str(error))), None
    steps = tuple(Step(kind="thought", text=condition) for condition in conditions)
    if written.fell_back:
        why = written.limit or f"no solution could be read: {written.problem}"
        return Candidate(steps=steps, failure=Failure(kind="no-answer", message=why)), written.limit
    solutions = written.reply.solutions
    steps += tuple(Step(kind="thought", text=f"{one.text}\nAnswer: {one.answer}") for one in solutions)
    told |= {"solutions": solutions, "unused": unused_conditions(conditions, solutions)}
    fallback = Choice(best=1, answer=solutions[0].answer)
    try:
        chosen = await ask(context, SELECTOR, fallback=fallback, **told, **shared)
        choice, limit = chosen.reply, chosen.limit
        steps += tuple(Step(kind="critique", text=gap) for gap in choice.gaps)
    except BackendError as error:
        context.emit(Warned(message=f"the first solution stands, nobody could choose: {error}"))
        choice, limit = fallback, None
    best = solutions[choice.best - 1].answer if choice.best <= len(solutions) else ""
    answer = _as_answer(choice.answer, problem.choices) or _as_answer(best, problem.choices)
    if answer is None:
        failure = Failure(kind="no-answer", message="the chosen solution has no answer")
        return Candidate(steps=steps, failure=failure), limit
    return Candidate(steps=steps, answer=answer, extraction_stage=1), limit


def build(config: SyzygyConfig) -> StateGraph[Any, Any, Any, Any]:
    """resolve → select."""
    make = in_stages if config.staged else fill_in

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        return await make(context, problem, config, sample)

    return propose_then_vote("resolve", config.n, propose)


STRATEGY = Strategy(
    name="syzygy",
    summary="List auxiliary conditions, solve from them in several ways, keep the shortest that is right: one form.",
    paper="Syzygy of Thoughts: Improving LLM CoT with the Minimal Free Resolution (arXiv 2504.09566)",
    config=SyzygyConfig,
    build=build,
    prompts=(
        FORM_PROMPT,
        EXTRACTOR.prompt,
        CONDITIONER.prompt,
        SOLVER.prompt,
        SELECTOR.prompt,
        *ASK_PROMPTS,
    ),
    kind="prompting",
    calls=(1, 2),
    needs=(),
)
