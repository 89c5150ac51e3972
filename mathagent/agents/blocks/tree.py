"""Block tree: the one loop of all step searches. Expand, score, prune, merge equal states, back up, until it is enough.

What a search expands next (``allot``) and what it makes of the new nodes (``settle``) are its settings: see
``frontier.py`` (best-first, beam, balanced), ``tree_values.py`` (MCTS) and ``equal_states.py`` (merging). Every path
that ends is a candidate with its value as score, so that the best of all can be told from the chosen one.

A budget is shared out so that there is an answer at its end (``search_room.py``): what is kept back for it writes the
best unfinished path to its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, field_validator

from mathagent.agents.blocks.expansion import STEP_PROMPTS, Expansion, StepConfig, Writing, expand
from mathagent.agents.blocks.search_room import room, within_room
from mathagent.agents.blocks.select import best_score, vote, weighted_vote
from mathagent.agents.blocks.step_scores import score_nodes, step_scorer
from mathagent.agents.context import RunContext
from mathagent.agents.scoring.step_judge import STEP_JUDGE_PROMPTS
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.state import SolveState
from mathagent.events import CandidateProposed, Scored
from mathagent.scorers.base import Aggregation
from mathagent.types import Candidate, Failure, Step

TREE_PROMPTS = (*STEP_PROMPTS, *STEP_JUDGE_PROMPTS)
"""The prompts of every step search, for ``Strategy.prompts``."""
FOR_AN_ANSWER = "the rest of the budget was for one solution to be finished"
TOO_LITTLE = "the rest of the budget does not pay for a further step"

Allot = Callable[[SearchTree, RunContext], Sequence[Expansion]]
"""What is to be expanded next; nothing: the search is over. Depends on nothing but the tree and the budget."""
Combine = Callable[
    [RunContext, SolveState, SearchTree, Sequence[int]], Awaitable[tuple[SearchTree, list[int], str | None]]
]
"""Writes nodes out of several others: returns the tree with them, their numbers, and the budget's limit."""
Settle = Callable[[RunContext, SearchTree, Sequence[int]], Awaitable[SearchTree]]
"""The tree after a round whose new nodes are given: merged, pruned, values backed up."""


class TreeConfig(StepConfig):
    """Settings of every step search."""

    scorer: str = Field(
        default="step-judge",
        description="Scorer of steps: step-judge, arithmetic, hierarchical, mean:…, or module:object.",
    )
    aggregate: Aggregation = Field(default="min", description="How the scores of a path's steps become its value.")
    select: Literal["weighted", "best", "majority"] = Field(
        default="weighted",
        description="The answer is that of the class with the most value, of the best path, or of the majority.",
    )

    @field_validator("scorer")
    @classmethod
    def _judges_steps(cls, scorer: str) -> str:
        step_scorer(scorer)  # raises UsageError, before anything is asked
        return scorer


async def unsettled(context: RunContext, tree: SearchTree, new: Sequence[int]) -> SearchTree:
    """The settling of a search that merges and backs up nothing."""
    return tree


BY_STEPS, TO_THE_END = Writing(), Writing(rest=True)


@dataclass(frozen=True)
class Search:
    """One search: see ``Allot`` and ``Settle``.

    ``combine`` writes further nodes out of the new ones. ``writing`` and ``finishing`` are how a step and the rest of
    a solution are asked for. ``rollouts`` are whole solutions written from each new node, ``last`` says what more are
    written when the search is over. ``scored`` says whether steps are scored: a search with a single path compares
    nothing.
    """

    allot: Allot
    combine: Combine | None = None
    settle: Settle = unsettled
    writing: Writing = BY_STEPS
    finishing: Writing = TO_THE_END
    rollouts: int = 0
    last: Callable[[SearchTree], Sequence[Expansion]] = lambda tree: ()
    scored: Callable[[SearchTree, RunContext], bool] = lambda tree, context: True


def tree_graph(
    config: TreeConfig, search: Search, *, begin: str = "grow", end: str = END
) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude: one round of the search a node, then the selection.

    A caller that names another node to ``begin`` adds it, and its edge to "grow"; one that names a node to ``end``
    adds that, and its edge from there.
    """

    async def grow(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await grown(runtime.context, state, config, search)

    async def conclude(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await concluded(runtime.context, state, config, search)

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("grow", grow)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, begin)
    graph.add_conditional_edges(
        "grow", lambda state: "conclude" if state.tree.over else "grow", ["grow", "conclude"]
    )
    graph.add_edge("conclude", end)
    return graph


async def grown(context: RunContext, state: SolveState, config: TreeConfig, search: Search) -> dict[str, Any]:
    """The state update of one round; the tree is ``over`` where there is to be none after it."""
    tree = state.tree or begun(context)
    wanted = [(number, count) for number, count in search.allot(tree, context) if count > 0]
    allowed = within_room(wanted, room(context, tree, config))
    if not allowed:
        return {"tree": tree.model_copy(update={"over": True})}
    tree, new, limit = await _written(context, state, config, search, tree, allowed, search.writing)
    if limit is None and search.combine is not None and room(context, tree, config) != 0:
        tree, more, limit = await search.combine(context, state, tree, new)
        if limit is None:
            tree, limit = await _scored(context, state, config, search, tree, more)
        new = [*new, *more]
    beneath = [number for number in new if tree.nodes[number].state in ("open", "closed")]
    if limit is None and search.rollouts and beneath:
        rests = within_room([(number, search.rollouts) for number in beneath], room(context, tree, config))
        tree, rolled, limit = await _written(context, state, config, search, tree, rests, search.finishing)
        new = [*new, *rolled]
    settled = await search.settle(context, tree, new)
    # Requests side by side set aside more than they use: one that was refused need not be the end of the budget.
    if limit is not None and new and context.meter.limit_reached() is None:
        limit = None
    tree = settled.model_copy(update={"rounds": tree.rounds + 1, "over": limit is not None})
    return {**propose(context, state, tree, new, config.scorer), "tree": tree, "limit": limit}


def begun(context: RunContext) -> SearchTree:
    """The bare problem, before anything is paid for."""
    usage = context.meter.usage
    return SearchTree(tokens_before=usage.completion_tokens, calls_before=usage.calls)


async def _written(
    context: RunContext,
    state: SolveState,
    config: TreeConfig,
    search: Search,
    tree: SearchTree,
    wanted: Sequence[Expansion],
    writing: Writing,
) -> tuple[SearchTree, list[int], str | None]:
    """The tree with the nodes ``wanted`` and their scores, their numbers, and the budget's limit.

    They are not scored where that would take what is kept back for an answer.
    """
    if not wanted:
        return tree, [], None
    tree, new, limit = await expand(context, state.model_copy(update={"tree": tree}), config, wanted, writing)
    if limit is None:
        tree, limit = await _scored(context, state, config, search, tree, new)
    return tree, new, limit


async def _scored(
    context: RunContext,
    state: SolveState,
    config: TreeConfig,
    search: Search,
    tree: SearchTree,
    new: Sequence[int],
) -> tuple[SearchTree, str | None]:
    if not search.scored(tree, context) or room(context, tree, config) == 0:
        return tree, None
    scorer = step_scorer(config.scorer)
    return await score_nodes(context, state.problem, tree, new, scorer, config.aggregate)


def propose(
    context: RunContext, state: SolveState, tree: SearchTree, new: Sequence[int], scorer: str
) -> dict[str, Any]:
    """The state update with a candidate for each of ``new`` that has ended, and its value as score."""
    ended = [number for number in new if tree.nodes[number].state in ("finished", "dead")]
    candidates = [candidate_of(tree, number) for number in ended]
    for sample, (number, candidate) in enumerate(zip(ended, candidates, strict=True), start=len(state.candidates)):
        context.emit(CandidateProposed(sample=sample, candidate=candidate))
        if tree.nodes[number].score is not None:
            context.emit(Scored(sample=sample, scorer=scorer, value=tree.nodes[number].value))
    return {"candidates": candidates, "scores": [tree.nodes[number].value for number in ended]}


def candidate_of(tree: SearchTree, number: int) -> Candidate:
    """The path to ``number`` as a candidate. Pure."""
    node = tree.nodes[number]
    steps = tuple(Step(kind="thought", text=text) for text in tree.steps(number) if text)
    if node.answer is not None:
        return Candidate(steps=steps, answer=node.answer, extraction_stage=1)
    ended_early = Failure(kind="no-answer", message="the search ended before this path had an answer")
    return Candidate(steps=steps, failure=node.failure or ended_early)


async def concluded(context: RunContext, state: SolveState, config: TreeConfig, search: Search) -> dict[str, Any]:
    """The state update with the answer; where no path has one, the best unfinished path is written to its end first."""
    tree = _tree(state)
    limit = state.limit or (_shortage(context, tree) if search.allot(tree, context) else None)
    state = state.model_copy(update={"tree": tree, "limit": limit})
    before = len(state.candidates)
    last = within_room(search.last(tree), room(context, tree, config)) if limit is None else []
    if last:
        state = await _at_last(context, state, config, last, search.finishing)
    if not _tree(state).in_state("finished") and context.meter.limit_reached() is None:
        one = [(best_unfinished(_tree(state)), 1)]
        state = await _at_last(context, state, config, one, replace(search.finishing, greedy=True))
    if not state.candidates and len(tree.nodes) > 1:
        best = best_unfinished(tree)
        given = {"candidates": [candidate_of(tree, best)], "scores": [tree.nodes[best].value]}
        state = state.model_copy(update=given)
    return {
        "tree": state.tree,
        "limit": state.limit,
        "candidates": state.candidates[before:],
        "scores": state.scores[before:],
        **await selected(context, state.candidates, _known(state), config.select),
        "finished": True,
    }


def _shortage(context: RunContext, tree: SearchTree) -> str:
    """What ends a search that would go on."""
    reached = context.meter.limit_reached()
    if reached is not None:
        return str(reached)
    return TOO_LITTLE if tree.in_state("finished") else FOR_AN_ANSWER


async def _at_last(
    context: RunContext,
    state: SolveState,
    config: TreeConfig,
    wanted: Sequence[Expansion],
    writing: Writing,
) -> SolveState:
    """The state with the nodes ``wanted``, and the candidates that they are."""
    tree, new, limit = await expand(context, state, config, wanted, writing)
    added = propose(context, state, tree, new, config.scorer)
    return state.model_copy(
        update={
            "tree": tree,
            "limit": state.limit or limit,
            "candidates": [*state.candidates, *added["candidates"]],
            "scores": [*state.scores, *added["scores"]],
        }
    )


def _known(state: SolveState) -> list[float]:
    """The candidates' values; 0 for all where nothing was scored: what nodes begin with is nobody's opinion."""
    scored = any(node.score is not None for node in _tree(state).nodes)
    return state.scores if scored else [0.0] * len(state.scores)


def _tree(state: SolveState) -> SearchTree:
    return state.tree or SearchTree()


def best_unfinished(tree: SearchTree) -> int:
    """The node to go on from: of those that may be, the one of the best value, of several the deepest; the root where
    there is no other. Pure."""
    usable = [number for number in tree.in_state("open", "closed") if number]
    return max(usable, key=lambda number: (tree.nodes[number].value, tree.nodes[number].depth), default=0)


async def selected(
    context: RunContext, candidates: Sequence[Candidate], scores: Sequence[float], select: str
) -> dict[str, Any]:
    """The state update with the answer of ``candidates``; where all values are 0, they say nothing, and all vote."""
    answered = [score for one, score in zip(candidates, scores, strict=True) if one.answer is not None]
    if select == "majority" or not any(answered):
        return await vote(context, candidates)
    if select == "best":
        return best_score(candidates, scores)
    return await weighted_vote(context, candidates, scores)
