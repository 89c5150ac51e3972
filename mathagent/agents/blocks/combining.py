"""Block combining: a model makes one unfinished solution of several, or writes one again without its mistakes.

Source: aggregation and refinement of "Graph of Thoughts: Solving Elaborate Problems with Large Language Models" (arXiv
2308.09687). What is combined is a path of its own, whose last node names its sources; so the tree stays a tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.agents.blocks.expansion import StepConfig, prefix_text, stated_in_step, step_text
from mathagent.agents.blocks.refine import split_steps
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.agents.state import SolveState
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import Completion, Problem, SamplingParams

COMBINE_PROMPT = "graph_of_thought/combine"


async def combine(
    context: RunContext, state: SolveState, config: StepConfig, tree: SearchTree, sources: Sequence[int]
) -> tuple[SearchTree, list[int], str | None]:
    """The tree with one path made of the paths to ``sources`` (refined, where it is one), the number of its last node,
    and the budget's limit. A request that fails is a warning: the sources are still there."""
    parts = [written(tree.steps(one)) for one in sources]
    problem = state.problem
    messages = render(
        COMBINE_PROMPT, problem=problem_text(problem), parts=parts, has_choices=bool(problem.choices)
    )
    params = SamplingParams(
        temperature=config.sampling_temperature, top_p=config.top_p, max_tokens=config.finish_tokens
    )
    try:
        drafts, limit = await draw(
            context, messages, params, role="combiner", first_sample=asked_before(tree, sources)
        )
    except BackendError as error:
        context.emit(Warned(message=f"{len(parts)} paths are not combined: {error}"))
        return tree, [], None
    reply = drafts[0].completion if drafts else None
    nodes = [] if reply is None else combined_path(tree, problem, sources, reply)
    if not nodes:
        return tree, [], limit
    grown = tree.with_nodes(nodes)
    return grown, [len(grown.nodes) - 1], limit


def combined_path(tree: SearchTree, problem: Problem, sources: Sequence[int], reply: Completion) -> list[TreeNode]:
    """The nodes of the path that ``reply`` holds; nothing where it is cut, empty, or one of the sources again. Pure.

    Only the last may be gone on from, and stands at the depth of its sources: it competes with them.
    """
    texts = [step_text(one, place, "header") for place, one in enumerate(split_steps(reply.text), start=1)]
    steps = tuple(filter(None, texts))
    if not steps or reply.finish_reason != "stop" or steps in {tree.steps(one) for one in sources}:
        return []
    start, depth = len(tree.nodes), max(tree.nodes[one].depth for one in sources)
    last = len(steps) - 1
    nodes = [
        TreeNode(
            parent=0 if place == 0 else start + place - 1,
            depth=depth if place == last else min(place + 1, depth),
            text=text,
            state="open" if place == last else "pruned",
        )
        for place, text in enumerate(steps)
    ]
    answer = stated_in_step(steps[-1], problem.choices)
    value = sum(tree.nodes[one].value for one in sources) / len(sources)
    update = {
        "state": "open" if answer is None else "finished",
        "answer": answer,
        "value": value,
        "sources": tuple(sources),
        "tokens": reply.usage.completion_tokens,
    }
    return [*nodes[:-1], nodes[-1].model_copy(update=update)]


def asked_before(tree: SearchTree, sources: Sequence[int]) -> int:
    """How often paths with the same texts were combined already. Pure."""
    texts = [tree.steps(one) for one in sources]
    return sum([tree.steps(one) for one in node.sources] == texts for node in tree.nodes if node.sources)


def written(steps: Sequence[str]) -> str:
    """``steps`` with their numbers, a paragraph each."""
    return prefix_text(steps, "header").rpartition("\n\n")[0]
