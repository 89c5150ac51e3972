"""translate-then-solve: the question is translated into English first and solved there.

Paper: "Language Models are Multilingual Chain-of-Thought Reasoners" (arXiv 2210.03057), whose settings these are:
``translate`` (the default), ``en-cot`` (the question as it is, reasoning in English), ``native-cot`` (reasoning in the
question's language) and ``direct`` (the answer alone); the last three are one call. With n > 1 the chains vote. The
language is the problem's own, else told from its text; a question in English is not translated. A translation that was
cut, or that lost a number or a choice, is not used.

``answer_in=question`` adds a last call, which writes the solution in the asker's language: a translation that states
another answer is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.language import ENGLISH, NAMES, language_name, language_of, lost_numbers
from mathagent.agents.blocks.reason import REASON_PROMPT, REASON_PROMPTS, ReasonConfig, conclude_reasoning
from mathagent.agents.blocks.sample import draw, draw_one
from mathagent.agents.blocks.select import answer_classes, majority
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Finding, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.answers.choices import labelled_choices
from mathagent.answers.extract import extract_answer
from mathagent.events import CandidateProposed, Warned
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Message, Problem, SamplingParams, Step

TRANSLATOR = Role("translator", "multilingual/translate", SamplingParams(max_tokens=1024))
PROMPTS = {
    "en-cot": "multilingual/en_cot",
    "native-cot": "multilingual/native_cot",
    "direct": "multilingual/direct",
}
LIKE_CHARACTERS = 500
"""Of a question that shows a translator a language which we cannot name."""
_HAS_WORDS = re.compile(r"[^\W\d_]{2}")
_IN_WORDS = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z][A-Za-z ,.'’-]*")
_EXACT = re.compile(r"[\d\\$+*/^=<>_]")
_TRUTHS = frozenset(["yes", "no", "true", "false"])
"""Words that mean the same, or nothing, in other languages: one is never the translation of another."""


class TranslateConfig(ReasonConfig):
    """Settings of questions in other languages."""

    setting: Literal["translate", "en-cot", "native-cot", "direct"] = Field(
        default="translate",
        description="Translate first; or reason in English, in the question's language, or not.",
    )
    answer_in: Literal["english", "question"] = Field(
        default="english", description="The language of the solution that translate ends with."
    )
    translate_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one translation.")


def is_foreign(problem: Problem) -> bool:
    """Whether the question is, or may be, in another language than English. Pure."""
    language = language_of(problem)
    return language != ENGLISH if language else bool(_HAS_WORDS.search(problem.text))


async def translated(
    context: RunContext,
    config: TranslateConfig,
    text: str,
    language: str,
    *,
    like: str = "",
    labels: Sequence[str] = (),
) -> tuple[str, str | None]:
    """``text`` in ``language``, or "" where the translation cannot be had or used; and the limit that ended it.

    ``like`` is a text in that language, where its name does not say enough; ``labels`` are those of the choices in
    ``text``, which must still be there.
    """
    messages = render(TRANSLATOR.prompt, text=text, language=language, like=like)
    params = SamplingParams(max_tokens=config.translate_tokens)
    draft, limit = await draw_one(context, messages, params, role=TRANSLATOR.name)
    reply = draft.completion
    if reply is None:
        trouble = draft.failure.message if draft.failure is not None else "there is no reply"
    elif reply.finish_reason != "stop" or not reply.text.strip():
        trouble = "it was cut" if reply.finish_reason == "length" else "there is none"
    elif lost := lost_numbers(text, reply.text):
        trouble = f"it lost {', '.join(lost[:5])}"
    elif gone := [label for label in labels if not re.search(rf"(?<!\w){label}\s?[).:：]", reply.text)]:
        trouble = f"it lost the choices {', '.join(gone)}"
    else:
        return reply.text.strip(), limit
    context.emit(Warned(message=f"the translation into {language} is not used: {trouble}"))
    return "", limit


def question_of(config: TranslateConfig, state: SolveState) -> tuple[Message, ...]:
    """What a reasoner is asked in the configured setting."""
    problem, text = state.problem, problem_text(state.problem)
    slots: dict[str, Any] = {"problem": text, "has_choices": bool(problem.choices)}
    if config.setting == "native-cot":
        return render(PROMPTS[config.setting], language=language_name(language_of(problem)), **slots)
    if config.setting != "translate":
        return render(PROMPTS[config.setting], **slots)
    if state.findings and state.findings[0]:
        slots["problem"] = state.findings[0][0].text
    elif is_foreign(problem):  # the translation failed: the model may still understand the question
        return render(PROMPTS["en-cot"], **slots)
    return render(REASON_PROMPT, trigger=config.trigger, **slots)


async def told_back(
    context: RunContext, config: TranslateConfig, problem: Problem, best: Candidate
) -> tuple[Candidate | None, str | None]:
    """``best`` with its solution in the language of the question; None where that cannot be had."""
    assert best.answer is not None
    solution = best.steps[-1 if best.extraction_stage == 1 else 0].text
    language = language_of(problem)
    like = "" if language in NAMES else problem.text[:LIKE_CHARACTERS]
    text, limit = await translated(context, config, solution, language_name(language), like=like)
    if not text:
        return None, limit
    stated = extract_answer(text, problem.choices)
    answer = await _answer_of(context, problem, best.answer, stated)
    if answer is None:
        context.emit(Warned(message="the solution stays in English: its translation states another answer"))
        return None, limit
    steps = (*best.steps, Step(kind="thought", text=text))
    return best.model_copy(update={"steps": steps, "answer": answer}), limit


async def _answer_of(context: RunContext, problem: Problem, known: Answer, stated: Answer | None) -> Answer | None:
    """The answer of the translated solution: ``known``, or where that is in words the words that were ``stated``.

    None where the translation states another one: other choices, numbers or terms, or no for yes.
    """
    if stated is None or (await context.comparer.equal(known, stated)).verdict == "equal":
        return known
    in_words = _IN_WORDS.fullmatch(known.normal) and not _EXACT.search(stated.normal)
    opposed = known.normal.lower() in _TRUTHS and stated.normal.lower() in _TRUTHS
    return stated if in_words and not opposed and not problem.choices else None


def build(config: TranslateConfig) -> StateGraph[Any, Any, Any, Any]:
    """[translate →] reason → extract → select [→ answer]."""

    async def translate(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        if not is_foreign(state.problem):
            return {}
        asked, labels = problem_text(state.problem), [one for one, _ in labelled_choices(state.problem.choices)]
        text, limit = await translated(runtime.context, config, asked, language_name(ENGLISH), labels=labels)
        found = (Finding(module="translate", title="In English", text=text),) if text else ()
        return {"findings": (found,), "limit": limit}

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        params = config.params.model_copy(update={"n": config.n})
        drafts, limit = await draw(runtime.context, question_of(config, state), params, role="reasoner")
        return {"drafts": drafts, "limit": limit}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, classes = runtime.context, await answer_classes(runtime.context, state.candidates)
        update = {**majority(state.candidates, classes), "finished": True}
        wanted = config.answer_in == "question" and config.setting in ("translate", "en-cot")
        if not wanted or not classes or state.limit is not None or not is_foreign(state.problem):
            return update
        best = state.candidates[classes[0].members[0]]
        candidate, limit = await told_back(context, config, state.problem, best)
        if candidate is None or candidate.answer is None:
            return {**update, "limit": limit}
        number = len(state.candidates)
        context.emit(CandidateProposed(sample=number, candidate=candidate))
        told = {"candidates": [candidate], "winner": number, "answer": candidate.answer.normal, "limit": limit}
        return {**update, **told}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("reason", reason)
    graph.add_node("extract", extract)
    graph.add_node("select", select)
    if config.setting == "translate":
        graph.add_node("translate", translate)
        graph.add_edge(START, "translate")
        graph.add_conditional_edges(
            "translate",
            lambda state: "select" if state.limit is not None else "reason",
            ["select", "reason"],
        )
    else:
        graph.add_edge(START, "reason")
    graph.add_edge("reason", "extract")
    graph.add_edge("extract", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="translate-then-solve",
    summary="Translate the question into English, solve it there, and answer in the asker's language on request.",
    paper="Language Models are Multilingual Chain-of-Thought Reasoners (arXiv 2210.03057)",
    config=TranslateConfig,
    build=build,
    prompts=(TRANSLATOR.prompt, *PROMPTS.values(), *REASON_PROMPTS),
    kind="language",
    calls=(1, 3),
    needs=(),
)
