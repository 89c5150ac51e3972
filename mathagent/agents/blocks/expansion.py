"""Block expansion: the next steps of unfinished solutions, several of each, as new nodes of a search tree.

The prompt of a node is the problem and the steps before it, always joined in the same way, so that it begins with the
whole prompt of its parent (but for its last number), which a server has in its cache. It ends with the number of the
next step ("Step 3:"): servers differ in what they do with white space at the end of a turn, and a step that began with
the blank line at which it is to stop would be empty.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, Literal

from pydantic import Field

from mathagent.agents.blocks.sample import FREE_TEXT, ReplyForm, draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import StrategyConfig
from mathagent.answers.extract import extract_answer
from mathagent.errors import BackendError
from mathagent.prompts import render
from mathagent.types import Answer, Failure, Message, Problem, SamplingParams

STEP_PROMPTS = ("tree/step", "tree/step_chat")
LENGTH_EXPONENT = 1.25
"""Of a step's length in the prior that its log-probs give (MCTS-DPO, arXiv 2405.00451)."""

_PLAN_END = re.compile(r"[\s*\[(]*(?:end)?[\s*.\])]*", re.IGNORECASE)

StepEnd = Literal["header", "paragraph", "line"]
Expansion = tuple[int, int]
"""A node, and how many children it gets."""
Prompt = Callable[[SolveState, tuple[str, ...], bool], tuple[Message, ...]]
"""What is asked for behind some steps; where it ends with a turn of the assistant, the reply continues that."""


class StepConfig(StrategyConfig):
    """How one step is written."""

    temperature: float | None = Field(default=0.8, ge=0, le=2, description="Sampling temperature of steps.")
    max_tokens: int = Field(default=256, ge=1, description="Completion tokens of one step; a longer one is dead.")
    step: StepEnd = Field(
        default="header",
        description="What ends a step: the next one's number, a blank line too, or its line's end.",
    )
    depth: int = Field(default=10, ge=1, le=100, description="Steps of a solution at most.")
    path_tokens: int = Field(
        default=1024, ge=1, description="Completion tokens of a path's steps; a longer one is dead."
    )
    finish_tokens: int = Field(
        default=256,
        ge=1,
        description="Completion tokens of the rest of a solution, where one is written at once;"
        " of a budget so many are kept back until there is an answer.",
    )


@dataclass(frozen=True)
class Writing:
    """One way to go on: by a step, or the ``rest`` of a solution at once (``greedy``: at temperature 0).

    ``prompt`` (its last argument says whether the backend continues a turn) None: ``step_messages``. ``plan``: the
    steps are a plan's, which states no answer. ``logprobs``: the prior is asked for.
    """

    rest: bool = False
    greedy: bool = False
    plan: bool = False
    logprobs: bool = False
    prompt: Prompt | None = None


def step_messages(
    problem: Problem, steps: Sequence[str], end: StepEnd, *, continues: bool, rest: bool = False, hint: str = ""
) -> tuple[Message, ...]:
    """What is asked for the step behind ``steps``, as the beginning of the reply where the backend ``continues`` one,
    else in words. Pure."""
    shown: dict[str, Any] = {"problem": problem_text(problem), "hint": hint, "has_choices": bool(problem.choices)}
    if continues:
        return render("tree/step", prefix=prefix_text(steps, end), **shown)
    joined = prefix_text(steps, end).rpartition(_joint(end))[0]
    return render("tree/step_chat", prefix=joined, number=len(steps) + 1, rest=rest, **shown)


def prefix_text(steps: Sequence[str], end: StepEnd) -> str:
    """``steps`` with their numbers, and the number of the next one. Pure; only ever appended to."""
    lines = [f"Step {number}: {text}" for number, text in enumerate(steps, start=1)]
    return _joint(end).join([*lines, f"Step {len(steps) + 1}:"])


def _joint(end: StepEnd) -> str:
    return "\n" if end == "line" else "\n\n"


def stops(number: int, end: StepEnd) -> tuple[str, ...]:
    """What step ``number`` ends at. Pure."""
    following = f"Step {number + 1}"
    return {"header": (following,), "paragraph": ("\n\n", following), "line": ("\n",)}[end]


def step_text(reply: str, number: int, end: StepEnd, *, rest: bool = False) -> str:
    """Step ``number`` as ``reply`` gives it, without its own number and what stands behind its end. Pure."""
    text = re.sub(rf"^[\s#*]*step\s+{number}\b[*\s]*[:.]?[*\s]*", "", reply, flags=re.IGNORECASE).strip()
    if rest:
        return text
    for stop in stops(number, end):
        text = text.partition(stop)[0]
    return re.sub(r"\n[\s#*]*$", "", text).strip()


def stated_in_step(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """The final answer that a step states. Pure.

    That it names a choice is not enough: it may be about to rule it out.
    """
    answer = extract_answer(text)
    return extract_answer(text, choices) if answer is not None and choices else answer


def prior_of(draft: Draft) -> float:
    """How likely the model found the step: exp(Σ log p / length^1.25), in [0, 1]; 1 without log-probs. Pure."""
    tokens = draft.completion.logprobs if draft.completion is not None else ()
    if not tokens:
        return 1.0
    return min(1.0, exp(sum(token.logprob for token in tokens) / len(tokens) ** LENGTH_EXPONENT))


async def expand(
    context: RunContext, state: SolveState, config: StepConfig, wanted: Sequence[Expansion], writing: Writing
) -> tuple[SearchTree, list[int], str | None]:
    """The state's tree with the children ``wanted``, their numbers, and the limit that ended the drawing.

    Samples of one prompt have numbers of their own, wherever in the tree it is asked again. A request that fails gives
    dead nodes; raises BackendError where all did.
    """
    tree = state.tree or SearchTree()
    firsts = sample_numbers(tree, wanted)

    async def children(number: int, count: int, first: int) -> tuple[list[Draft], str | None]:
        steps = tree.steps(number)
        continues = context.can("stepper").continue_assistant
        if writing.prompt is not None:
            messages = writing.prompt(state, steps, continues)
        else:
            messages = step_messages(state.problem, steps, config.step, continues=continues, rest=writing.rest)
        params = SamplingParams(
            temperature=0.0 if writing.greedy else config.sampling_temperature,
            top_p=config.top_p,
            n=count,
            max_tokens=config.finish_tokens if writing.rest else config.max_tokens,
            stop=() if writing.rest else stops(len(steps) + 1, config.step),
        )
        form = ReplyForm(logprobs=0) if writing.logprobs else FREE_TEXT
        try:
            drafts, limit = await draw(
                context,
                messages,
                params,
                role="stepper",
                first_sample=first,
                continue_assistant=messages[-1].role == "assistant",
                form=form,
            )
        except BackendError as error:
            failure = Failure(kind="model-error", message=str(error))
            return [Draft(sample=first + one, messages=messages, failure=failure) for one in range(count)], None
        return list(drafts), limit

    asked = [(number, count, first) for (number, count), first in zip(wanted, firsts, strict=True)]
    total, tokens = sum(count for _, count in wanted), config.finish_tokens if writing.rest else config.max_tokens
    drawn: list[tuple[list[Draft], str | None]] = []
    if context.meter.affordable(total, tokens) >= total:
        drawn += await asyncio.gather(*(children(*one) for one in asked))
    else:  # side by side each would set aside what the others then lack
        for one in asked:
            drawn.append(([], drawn[-1][1]) if drawn and drawn[-1][1] else await children(*one))
    return _grown(tree, state.problem, config, wanted, drawn, writing)


def _grown(
    tree: SearchTree,
    problem: Problem,
    config: StepConfig,
    wanted: Sequence[Expansion],
    drawn: Sequence[tuple[list[Draft], str | None]],
    writing: Writing,
) -> tuple[SearchTree, list[int], str | None]:
    drafts = [draft for some, _ in drawn for draft in some]
    if drafts and all(draft.failure is not None for draft in drafts):
        assert drafts[0].failure is not None
        raise BackendError(drafts[0].failure.message)
    nodes = [
        child(tree, problem, config, number, draft, writing)
        for (number, _), (some, _) in zip(wanted, drawn, strict=True)
        for draft in some
    ]
    counter = "rests" if writing.rest else "drawn"
    asked = Counter[int]()
    for number, count in wanted:
        asked[number] += count
    counted = {number: {counter: getattr(tree.nodes[number], counter) + count} for number, count in asked.items()}
    new = list(range(len(tree.nodes), len(tree.nodes) + len(nodes)))
    return tree.changed(counted).with_nodes(nodes), new, next((limit for _, limit in drawn if limit), None)


def sample_numbers(tree: SearchTree, wanted: Sequence[Expansion]) -> list[int]:
    """The number of the first sample of each expansion. Pure.

    Nodes with equal paths ask the same prompt; so do a plan and the empty step that completes it.
    """
    taken = Counter[tuple[str, ...]]()
    for number, node in enumerate(tree.nodes):
        if node.drawn or node.rests:
            taken[_told(tree, number)] += node.drawn + node.rests
    firsts = []
    for number, count in wanted:
        steps = _told(tree, number)
        firsts.append(taken[steps])
        taken[steps] += count
    return firsts


def _told(tree: SearchTree, number: int) -> tuple[str, ...]:
    return tuple(filter(None, tree.steps(number)))


def child(
    tree: SearchTree, problem: Problem, config: StepConfig, parent: int, draft: Draft, writing: Writing
) -> TreeNode:
    """The node that ``draft`` is behind ``parent``. Pure.

    An empty step and one that stands in its path already are left aside ("pruned"): they say nothing new. An empty
    step of a plan, or the word END, completes it.
    """
    before, above = tree.steps(parent), tree.nodes[parent]
    node = TreeNode(parent=parent, depth=above.depth + 1, rest=writing.rest, value=above.value)
    reply = draft.completion
    if reply is None:
        return node.model_copy(update={"state": "dead", "failure": draft.failure})
    text = step_text(reply.text, len(before) + 1, config.step, rest=writing.rest)
    tokens = reply.usage.completion_tokens
    found: dict[str, Any] = {"text": text, "prior": prior_of(draft), "tokens": tokens}
    if writing.plan:
        if _PLAN_END.fullmatch(text):
            return node.model_copy(update={**found, "text": "", "state": "closed"})
        state = "pruned" if text in before else "closed" if node.depth >= config.depth else "open"
        return node.model_copy(update={**found, "state": state})
    answer = stated_in_step(text, problem.choices)
    if answer is not None:
        return node.model_copy(update={**found, "state": "finished", "answer": answer})
    failure: Failure | None = None
    if reply.finish_reason == "content_filter":
        failure = Failure(kind="refused", message="the model's provider withheld the reply")
    elif not text or text in before:
        return node.model_copy(update={**found, "state": "pruned"})
    elif reply.finish_reason == "length":
        failure = Failure(kind="truncated", message=f"a step was cut at {tokens} tokens without an answer")
    elif tokens + sum(tree.nodes[one].tokens for one in tree.path(parent)) > config.path_tokens:
        failure = Failure(kind="truncated", message=f"there was no answer within {config.path_tokens} tokens")
    elif writing.rest or node.depth >= config.depth:
        failure = Failure(kind="no-answer", message=f"there was no answer after {node.depth} steps")
    return node.model_copy(update={**found, "state": "open" if failure is None else "dead", "failure": failure})
