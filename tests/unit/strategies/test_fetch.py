"""fetch: equal states are searched once; best-first, beam and Monte Carlo over them."""

from __future__ import annotations

import pytest

from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.budget import Budget
from mathagent.errors import BackendError, UnknownName
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.fetch import STRATEGY, FetchConfig, children_of, monte_carlo
from mathagent.types import Answer, Problem
from tests.unit.agents.graph_solve import graph_solve
from tests.unit.strategies.toy_search import QUESTION, SCORER, toy_reply, toy_solve


async def test_defaults_are_the_paper_s() -> None:
    given = STRATEGY.configure({}).model_dump()
    assert (given["n"], given["temperature"]) == (10, 0.8)
    assert [FetchConfig(search=one).most_iterations for one in ("best-first", "mcts")] == [50, 400]
    assert [FetchConfig(search=one).most_steps for one in ("best-first", "beam", "mcts")] == [10, 10, 5]
    assert FetchConfig(search="mcts", depth=7).most_steps == 7
    assert (given["distance"], given["exploration"], given["max_tokens"]) == (0.15, 0.6, 256)


@pytest.mark.parametrize(("search", "longest"), [("best-first", 10), ("mcts", 5)])
async def test_a_path_is_as_long_as_the_search_allows(search: str, longest: int) -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        return f"a step {len(request.messages[-1].content)}" if request.params.stop else "\\boxed{1}"

    problem, scorer = Problem(text=QUESTION), {"scorer": SCORER}
    backend = ScriptedBackend(respond)
    run, _ = await graph_solve(STRATEGY, backend, problem, search=search, n=1, iterations=12, **scorer)
    assert run.state.tree is not None
    assert max(node.depth for node in run.state.tree.nodes if not node.rest) == longest


@pytest.mark.parametrize("search", ["best-first", "beam", "mcts"])
@pytest.mark.parametrize("merge", ["both", "embedding", "values", "none"])
async def test_the_toy_world_finds_the_target(search: str, merge: str) -> None:
    solution = await toy_solve("fetch", ScriptedBackend(toy_reply), search=search, merge=merge)
    assert solution.answer == "15"
    assert solution.stopped == "finished"


async def test_states_that_compute_the_same_share_one_expansion() -> None:
    replies = [
        *["9: 4 + 5 = 9", "9: 5 + 4 = 9", "1: 3 - 2 = 1", "1"],
        *["6: \\boxed{15}", "6: \\boxed{15.0}", "5: \\boxed{14}", "2"],
    ]
    backend = ScriptedBackend(replies)
    solution = await toy_solve("fetch", backend, n=4)
    assert [(request.messages[-1].content, request.params.n) for request in backend.requests] == [
        ("Step 1:", 4),
        ("Step 1: 9: 4 + 5 = 9\n\nStep 2:", 2),
        ("Step 1: 9: 5 + 4 = 9\n\nStep 2:", 2),
    ]
    assert solution.answer == "15"
    assert len(solution.candidates) == 3
    backend.assert_finished()
    apart = ScriptedBackend([*replies[:4], *replies[4:6], "5: \\boxed{14}", "2"])
    await toy_solve("fetch", apart, n=4, merge="none")
    assert [request.params.n for request in apart.requests] == [4, 4]


async def test_best_first_goes_by_value() -> None:
    order: list[int] = []

    def respond(request: ChatRequest, sample: int) -> str:
        steps = request.messages[-1].content.split("Step ")[1:-1]
        if sample == 0 and steps:
            order.append(sum(int(step[3]) for step in steps))
        return str([7, 1, 4][sample % 3]) if not steps else str(sample)

    problem = Problem(text=QUESTION)
    run, _ = await graph_solve(
        STRATEGY, ScriptedBackend(respond), problem, n=3, iterations=5, depth=3, merge="none", scorer=SCORER
    )
    assert run.state.tree is not None
    assert run.state.tree.rounds == 5
    assert order[0] == 7  # 7 before 4 and 1
    assert order[1] == 9  # 7 + 2, then 7 + 1, 7 + 0: each worth more than 4
    assert order[:4] == [7, 9, 8, 7]


async def test_the_whole_of_equal_values_is_in_the_tree() -> None:
    problem = Problem(text=QUESTION)
    replies = ["9: 4 + 5 = 9", "9: 5 + 4 = 9", "6: \\boxed{15}", "6: \\boxed{15}"]
    run, _ = await graph_solve(STRATEGY, ScriptedBackend(replies), problem, n=2, scorer=SCORER)
    assert run.state.tree is not None
    assert [node.group for node in run.state.tree.nodes] == [None, None, 1, None, 3]


def test_monte_carlo_gives_more_to_merged_states_and_ends_with_enough_answers() -> None:
    assert [children_of(0, [0]), children_of(1, [1]), children_of(1, range(3)), children_of(1, range(20))] == [
        8,
        4,
        5,
        8,
    ]
    config = FetchConfig(search="mcts")
    finished = [TreeNode(parent=0, depth=1, state="finished", answer=Answer(raw="1", normal="1"))] * 10
    tree = SearchTree(rounds=39).with_nodes(finished)
    assert monte_carlo(tree, config) == [(0, 8)]
    assert monte_carlo(tree.model_copy(update={"rounds": 40}), config) == []
    assert monte_carlo(SearchTree(rounds=40), config) == [(0, 8)]
    assert monte_carlo(SearchTree(rounds=400), config) == []


async def test_an_unknown_embedder_is_named() -> None:
    with pytest.raises(UnknownName, match="hashed"):
        await toy_solve("fetch", ScriptedBackend(toy_reply), embedder="no-such")


@pytest.mark.parametrize("search", ["best-first", "beam", "mcts"])
async def test_budgets_nonsense_and_a_dead_endpoint(search: str) -> None:
    for calls in (1, 2, 5, 40):
        solution = await toy_solve(
            "fetch", ScriptedBackend(toy_reply), budget=Budget(max_calls=calls), search=search
        )
        assert solution.usage.calls <= calls
        assert solution.answer is not None
    nonsense = ScriptedBackend(lambda request, sample: "I cannot say")
    solution = await toy_solve("fetch", nonsense, search=search, n=2, iterations=3)
    assert solution.answer is None
    assert solution.confidence_basis
    with pytest.raises(BackendError, match="down"):
        await toy_solve("fetch", ScriptedBackend([Reply(error="down")] * 40), search=search)
