"""Block step scores: what a scorer makes of the newest steps of a search tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.errors import BackendError, UsageError
from mathagent.events import Warned
from mathagent.scorers.base import Aggregation, Score, Scorer, aggregate, load_scorer
from mathagent.types import Problem, Step


def step_scorer(name: str) -> Scorer:
    """The scorer ``name``. Raises UnknownName, or UsageError where it only judges what is finished."""
    scorer = load_scorer(name)
    if scorer.level != "step":
        raise UsageError(f"scorer '{name}' judges finished solutions; a step search needs one that judges steps")
    return scorer


async def score_nodes(
    context: RunContext,
    problem: Problem,
    tree: SearchTree,
    new: Sequence[int],
    scorer: Scorer,
    aggregation: Aggregation,
) -> tuple[SearchTree, str | None]:
    """The tree with scores and values of the nodes ``new`` that are open or finished, and the budget's limit.

    Equal paths are one question. What could not be scored keeps its parent's value, and the run is warned once a round.
    """
    judged = [number for number in new if tree.nodes[number].state in ("open", "finished")]
    paths = list(dict.fromkeys(tree.steps(number) for number in judged))
    if not paths:
        return tree, None
    solutions = [tuple(Step(kind="thought", text=text) for text in path) for path in paths]
    try:
        scores = await scorer.score(context, problem, solutions)
    except BackendError as error:
        context.emit(Warned(message=f"{len(paths)} steps are not scored: {error}"))
        return tree, None
    missing = [score for score in scores if value_of(score, aggregation) is None]
    if missing:
        context.emit(
            Warned(message=f"{len(missing)} steps are not scored: {missing[0].note or 'no reason given'}")
        )
    of_path = dict(zip(paths, scores, strict=True))
    changes: dict[int, dict[str, Any]] = {}
    for number in judged:
        score = of_path[tree.steps(number)]
        value = value_of(score, aggregation)
        if value is not None:
            newest = score.steps[-1] if score.steps else score.value
            changes[number] = {"score": newest, "value": value}
    return tree.changed(changes), next((score.limit for score in scores if score.limit), None)


def value_of(score: Score, aggregation: Aggregation) -> float | None:
    """What a score says of a whole path: the known values of its steps as one, else its own value. Pure.

    A step of which nothing can be said (by arithmetic: one that calculates nothing) leaves the others their say.
    """
    if not score.steps:
        return score.value
    return aggregate([step for step in score.steps if step is not None], aggregation)
