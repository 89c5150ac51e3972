"""supercorrect: solve in tags, inspect step by step, rewrite from the first wrong step; at most two rounds.

Paper: "SuperCorrect: Supervising and Correcting Language Models with Error-Driven Insights" (arXiv 2410.09008), without
its training; one model plays solver, inspector and corrector. The inspector must quote what is wrong: an error whose
quotation does not stand in the step is an invention, and nothing is rewritten. The general method behind a solution is
what memory keeps of it (blocks/thought_template.py), and methods of similar problems are shown before solving.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.recall import (
    RECALL_PROMPTS,
    find_hits,
    tell_recalled,
    with_recalled,
)
from mathagent.agents.blocks.refine import behind, continuation_prompt, split_steps
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import last_answered, nothing, take
from mathagent.agents.blocks.thought_template import TemplateStep, ThoughtTemplate, parse_template, templates_of
from mathagent.agents.context import RunContext
from mathagent.agents.correction_pair import SOLVE_PROMPT
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Draft, SolveState, WrongStep
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.events import CandidateProposed
from mathagent.memory.base import Query
from mathagent.memory.experience import Exemplar, Experience, StrategyStatistics
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Problem, SamplingParams, Solution, Step, Value


class Inspection(Value):
    """What an inspector found: the first wrong step and what is wrong in it; or that there is none."""

    first_wrong_step: int | None = Field(default=None, ge=1, description="number of the first wrong step, or none")
    quote: str = Field(
        default="", description="the wrong expression, copied from that step; empty if none is wrong"
    )
    cause: str = Field(default="", description="why it is wrong, in one sentence; empty if none is wrong")
    correction: str = Field(default="", description="what is right in its place; empty if none is wrong")


INSPECTOR = Role("inspector", "supercorrect/inspect", SamplingParams(max_tokens=768), Inspection)
CORRECTOR = Role("corrector", "supercorrect/correct", SamplingParams(max_tokens=1024))


class SupercorrectConfig(StrategyConfig):
    """Settings of supercorrect. The paper's example is greedy; its script samples at 0.7 with top_p 0.8."""

    n: int = Field(default=1, ge=1, le=1, description="One draft.")
    rounds: int = Field(default=2, ge=0, le=2, description="Corrections at most.")
    templates: int = Field(default=1, ge=0, le=5, description="Remembered methods shown before solving, at most.")


def candidate_of(draft: Draft, problem: Problem, critique: str = "") -> Candidate:
    """The candidate of a solution in tags; one that was corrected begins with the ``critique``. Pure.

    Without an answer tag the answer is what the text states elsewhere.
    """
    if draft.completion is None:
        return Candidate(failure=draft.failure or Failure(kind="no-answer", message="nothing was drawn"))
    critiques = (Step(kind="critique", text=critique),) if critique else ()
    steps = (*critiques, Step(kind="thought", text=draft.completion.text))
    found = parse_template(draft.completion.text).extracted(problem.choices)
    stated = found or stated_answer(draft.completion, problem.choices)
    if isinstance(stated, Answer):
        return Candidate(steps=steps, answer=stated, extraction_stage=1)
    return Candidate(steps=steps, failure=stated)


def solution_steps(candidate: Candidate) -> tuple[str, ...]:
    """The steps of a candidate's solution, each in its tag; without tags its paragraphs or sentences are. Pure."""
    written = [step.text for step in candidate.steps if step.kind == "thought"]
    if not written:
        return ()
    steps = parse_template(written[-1]).steps
    read = steps or tuple(TemplateStep(text=text) for text in split_steps(written[-1]))
    return ThoughtTemplate(steps=read).step_texts


def confirmed(inspection: Inspection, steps: Sequence[str]) -> WrongStep | None:
    """The step of ``steps`` that is wrong by ``inspection``; None where there is no such step, or what it quotes is not
    in it (spaces, dollar signs and case apart). Pure."""
    number, quote = inspection.first_wrong_step, _bare(inspection.quote)
    if number is None or number > len(steps) or not quote or quote not in _bare(steps[number - 1]):
        return None
    said = f"“{inspection.quote.strip()}” is wrong: {inspection.cause.strip()}"
    right = inspection.correction.strip()
    return WrongStep(number=number, critique=f"{said} Right is: {right}" if right else said)


def _bare(text: str) -> str:
    return re.sub(r"[\s$]+", "", text).casefold()


async def inspect(
    context: RunContext, problem: Problem, candidate: Candidate, sample: int
) -> tuple[WrongStep | None, str | None]:
    """The first wrong step of ``candidate`` (None: none was found), and the limit that ended the asking."""
    steps = solution_steps(candidate)
    if not steps:
        return None, None
    asked = await ask(
        context,
        INSPECTOR,
        fallback=Inspection(),
        sample=sample,
        problem=problem_text(problem),
        steps="\n".join(steps),
        answer="none is stated" if candidate.answer is None else candidate.answer.raw,
    )
    return confirmed(asked.reply, steps), asked.limit


def learn(solution: Solution, found: Sequence[Experience]) -> list[Experience]:
    """``found``, solutions in it without their tags, and the method behind the answer where the answer holds. Pure.

    That it holds is said by the solution that is kept or, where it is too long for that, by how the strategy fared.
    """
    held = next((one for one in found if one.kind == "exemplar" or _tells_of_success(one)), None)
    if held is None:
        return list(found)
    update = {"score": None, "evidence": solution.certificate}
    methods = [held.model_copy(update={**update, "content": one.content}) for one in templates_of(solution)]
    return [*map(untagged, found), *methods]


def _tells_of_success(experience: Experience) -> bool:
    return isinstance(experience.content, StrategyStatistics) and experience.content.success


def untagged(experience: Experience) -> Experience:
    """An exemplar whose reasoning is in tags, with its plain text: other strategies show it, too. Pure."""
    content = experience.content
    plain = parse_template(content.reasoning).plain_text if isinstance(content, Exemplar) else ""
    return (
        experience.model_copy(update={"content": content.model_copy(update={"reasoning": plain})})
        if plain
        else experience
    )


def build(config: SupercorrectConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → draft → inspect ⇄ correct → select."""

    async def recall(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        if context.memory is None or config.templates == 0:
            return {}
        query = Query(text=problem_text(state.problem), kinds=("template",), limit=config.templates)
        hits = await find_hits(context, query)
        fitting = [hit for hit in hits if hit.alike]
        return {"recalled": tell_recalled(context, fitting)}

    async def draft(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        asked = render(SOLVE_PROMPT, problem=problem_text(problem), has_choices=bool(problem.choices))
        messages = with_recalled(asked, state.recalled, "reasoning")
        drafts, limit = await draw(context, messages, config.params, role="solver")
        return {"candidates": proposed(context, problem, drafts, 0), "limit": limit}

    async def inspect_latest(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        latest = len(state.candidates) - 1
        wrong, limit = await inspect(runtime.context, state.problem, state.candidates[latest], latest)
        return {"wrong_step": wrong, "limit": limit}

    async def correct(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem, number = runtime.context, state.problem, len(state.candidates)
        steps, wrong = solution_steps(state.candidates[-1]), state.wrong_step
        assert wrong is not None
        messages = continuation_prompt(CORRECTOR, problem, steps, wrong.number, wrong.critique)
        drafts, limit = await draw(context, messages, config.params, role=CORRECTOR.name, first_sample=number)
        whole = [behind(steps[: wrong.number - 1], one) for one in drafts]
        candidates = proposed(context, problem, whole, number, wrong.critique)
        return {"candidates": candidates, "limit": limit, "rounds": state.rounds + 1}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        inspected = config.rounds > 0 and state.wrong_step is None and state.limit is None
        update = await latest_answer(runtime.context, state.candidates, inspected=inspected)
        return {**update, "finished": True}

    def after_inspect(state: SolveState) -> str:
        return "select" if state.wrong_step is None or state.limit is not None else "correct"

    def after_writing(state: SolveState) -> str:
        ended = state.limit is not None or state.rounds >= config.rounds or not state.candidates
        return "select" if ended else "inspect"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("recall", recall), ("draft", draft), ("inspect", inspect_latest), ("correct", correct)):
        graph.add_node(name, node)
    graph.add_node("select", select)
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "draft")
    graph.add_conditional_edges("draft", after_writing, ["inspect", "select"])
    graph.add_conditional_edges("inspect", after_inspect, ["correct", "select"])
    graph.add_conditional_edges("correct", after_writing, ["inspect", "select"])
    graph.add_edge("select", END)
    return graph


def proposed(
    context: RunContext, problem: Problem, drafts: Sequence[Draft], number: int, critique: str = ""
) -> list[Candidate]:
    """The candidates of ``drafts``, told to the run as samples from ``number`` on."""
    candidates = [candidate_of(draft, problem, critique) for draft in drafts]
    for sample, candidate in enumerate(candidates, start=number):
        context.emit(CandidateProposed(sample=sample, candidate=candidate))
    return candidates


async def latest_answer(
    context: RunContext, candidates: Sequence[Candidate], *, inspected: bool
) -> dict[str, Any]:
    """The state update with the answer of the latest candidate that has one; those that agree with it support it.

    ``inspected``: an inspector found nothing wrong with the last candidate.
    """
    latest = last_answered(candidates)
    if latest is None:
        return nothing("no solution states an answer")
    sound = inspected and latest == len(candidates) - 1
    said = "an inspector found no wrong step" if sound else "not inspected to the end"
    return await take(context, candidates, latest, said)


STRATEGY = Strategy(
    name="supercorrect",
    summary="Solve in tagged steps, inspect them, rewrite from the first wrong one; keep the general method.",
    paper="SuperCorrect: Supervising and Correcting Language Models with Error-Driven Insights (arXiv 2410.09008)",
    config=SupercorrectConfig,
    build=build,
    prompts=(SOLVE_PROMPT, INSPECTOR.prompt, CORRECTOR.prompt, *ASK_PROMPTS, *RECALL_PROMPTS),
    learn=learn,
    kind="prompting",
    calls=(2, 5),
    needs=(),
    training_free=False,
)
