"""The one loop of step searches: what it keeps back of a budget, whom it finishes, how it selects."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.search_room import room, within_room
from mathagent.agents.blocks.step_scores import value_of
from mathagent.agents.blocks.tree import (
    TreeConfig,
    begun,
    best_unfinished,
    candidate_of,
    selected,
)
from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.budget import Budget
from mathagent.models.scripted import ScriptedBackend
from mathagent.scorers.arithmetic import arithmetic_score
from mathagent.scorers.base import Score
from mathagent.types import Answer, Candidate, Failure, Step, Usage
from tests.unit.agents.scripted_context import scripted_context

CONFIG = TreeConfig(n=2, finish_tokens=100)
FINISHED = TreeNode(parent=0, depth=1, text="x", state="finished", answer=Answer(raw="1", normal="1"))
OPEN = TreeNode(parent=0, depth=1, text="y")


@pytest.mark.parametrize(
    ("budget", "usage", "nodes", "left"),
    [
        (Budget(), Usage(), [], None),
        (Budget(max_tokens=300), Usage(), [], 3),  # (300 - 100) / 64
        (Budget(max_tokens=300), Usage(calls=2, completion_tokens=80), [OPEN, OPEN], 3),  # 120 / 40
        (Budget(max_tokens=300), Usage(calls=2, completion_tokens=80), [OPEN, FINISHED], 5),  # nothing kept back
        (Budget(max_tokens=300), Usage(completion_tokens=250), [OPEN], 0),
        (Budget(max_calls=9), Usage(), [], 4),  # (9 - 1) / 2
        (Budget(max_calls=9), Usage(calls=4), [OPEN, OPEN], 2),
        (Budget(max_calls=9, max_tokens=10_000), Usage(calls=8), [OPEN, OPEN], 0),
    ],
)
def test_room(budget: Budget, usage: Usage, nodes: list[TreeNode], left: int | None) -> None:
    context, _ = scripted_context(ScriptedBackend([]), budget=budget)
    context.meter.add(usage)
    assert room(context, SearchTree().with_nodes(nodes), CONFIG) == left


def test_what_was_used_before_the_search_is_no_cost_of_its_nodes() -> None:
    context, _ = scripted_context(ScriptedBackend([]), budget=Budget(max_tokens=2300))
    context.meter.add(Usage(calls=9, completion_tokens=2000))
    tree = begun(context)
    assert (tree.tokens_before, tree.calls_before) == (2000, 9)
    context.meter.add(Usage(calls=2, completion_tokens=80))
    assert room(context, tree.with_nodes([OPEN, OPEN]), CONFIG) == 3  # (300 - 80 - 100) / 40
    calls, _ = scripted_context(ScriptedBackend([]), budget=Budget(max_calls=20))
    calls.meter.add(Usage(calls=9, completion_tokens=2000))
    tree = begun(calls)
    calls.meter.add(Usage(calls=4))
    assert room(calls, tree.with_nodes([OPEN, OPEN]), CONFIG) == 3  # (20 - 13 - 1) / 2


def test_a_clock_leaves_room_for_what_nodes_have_taken_so_far() -> None:
    context, _ = scripted_context(ScriptedBackend([]), budget=Budget(max_seconds=3600))
    assert room(context, SearchTree(), CONFIG) is None
    context.meter.add(Usage(completion_tokens=100))
    left = room(context, SearchTree().with_nodes([OPEN]), CONFIG)
    assert left is not None
    assert left > 0


def test_the_first_get_what_there_is_room_for() -> None:
    assert within_room([(1, 3), (2, 3)], None) == [(1, 3), (2, 3)]
    assert within_room([(1, 3), (2, 3), (3, 1)], 4) == [(1, 3), (2, 1)]
    assert within_room([(1, 3)], 0) == []


def test_whom_to_finish() -> None:
    assert best_unfinished(SearchTree()) == 0
    low, high = OPEN.model_copy(update={"value": 0.2}), OPEN.model_copy(update={"value": 0.7})
    dead = OPEN.model_copy(update={"value": 0.9, "state": "dead"})
    deeper = high.model_copy(update={"parent": 2, "depth": 2})
    assert best_unfinished(SearchTree().with_nodes([low, high, dead, deeper])) == 4
    assert best_unfinished(SearchTree().with_nodes([dead])) == 0


def test_a_path_is_a_candidate_with_its_steps() -> None:
    tree = SearchTree().with_nodes([OPEN, FINISHED.model_copy(update={"parent": 1})])
    finished = candidate_of(tree, 2)
    assert [step.text for step in finished.steps] == ["y", "x"]
    assert finished.answer is not None
    unfinished = candidate_of(tree, 1)
    assert unfinished.failure is not None
    assert unfinished.failure.kind == "no-answer"


def answered(text: str) -> Candidate:
    return Candidate(answer=Answer(raw=text, normal=text))


def test_a_step_that_nothing_is_said_of_leaves_the_others_their_say() -> None:
    score = arithmetic_score(
        [Step(kind="thought", text=text) for text in ("Let x be apples.", "2 + 3 = 6", "So 6.")]
    )
    assert score.steps == (None, 0.0, None)
    assert value_of(score, "min") == 0.0
    assert value_of(Score(value=0.5, steps=(1.0, None, 0.5)), "mean") == 0.75
    assert value_of(Score(steps=(0.5, None)), "last") == 0.5
    assert value_of(Score(steps=(None, None)), "min") is None
    assert value_of(Score(value=0.3), "min") == 0.3


async def test_selection() -> None:
    context, _ = scripted_context(ScriptedBackend([]))
    failed = Candidate(failure=Failure(kind="no-answer", message="none"))
    candidates = [answered("1"), answered("2"), answered("2.0"), failed]
    scores = [0.9, 0.3, 0.4, 1.0]
    assert (await selected(context, candidates, scores, "weighted"))["answer"] == "1"
    assert (await selected(context, candidates, scores, "best"))["answer"] == "1"
    assert (await selected(context, candidates, scores, "majority"))["answer"] == "2"
    for rule in ("weighted", "best"):
        assert (await selected(context, candidates, [0.0] * 4, rule))["answer"] == "2"
    assert (await selected(context, [failed], [1.0], "weighted"))["answer"] is None
    assert (await selected(context, [], [], "weighted"))["answer"] is None
