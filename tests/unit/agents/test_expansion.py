"""How a step is asked for and read: prompts that only grow, steps without what stands behind them, sample numbers."""

from __future__ import annotations

import math

import pytest

from mathagent.agents.blocks.expansion import (
    StepConfig,
    Writing,
    expand,
    prefix_text,
    prior_of,
    sample_numbers,
    stated_in_step,
    step_messages,
    step_text,
)
from mathagent.agents.search_tree import SearchTree, TreeNode
from mathagent.agents.state import Draft, SolveState
from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.types import Completion, Problem, TokenLogprob
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="What is 3 plus 4 plus 5?")
STATE = SolveState(problem=PROBLEM)
CONFIG = StepConfig(n=2)


def test_the_prompt_of_a_step_begins_with_that_of_the_step_before() -> None:
    one = step_messages(PROBLEM, ("3 + 4 = 7",), "header", continues=True)
    two = step_messages(PROBLEM, ("3 + 4 = 7", "7 + 5 = 12"), "header", continues=True)
    assert one[:-1] == two[:-1]
    assert one[-1].content == "Step 1: 3 + 4 = 7\n\nStep 2:"
    assert two[-1].content.startswith(one[-1].content)
    assert step_messages(PROBLEM, (), "header", continues=True)[-1].content == "Step 1:"
    assert prefix_text(("a", "b"), "line") == "Step 1: a\nStep 2: b\nStep 3:"


def test_without_prefill_the_step_is_asked_for_in_words() -> None:
    first = step_messages(PROBLEM, (), "header", continues=False)
    assert first[-1].role == "user"
    assert "solution so far" not in first[-1].content
    second = step_messages(PROBLEM, ("3 + 4 = 7",), "header", continues=False)
    assert "Step 1: 3 + 4 = 7\n" in second[-1].content
    assert "step 2 only" in second[-1].content
    rest = step_messages(PROBLEM, ("3 + 4 = 7",), "header", continues=False, rest=True)
    assert "from step 2 on" in rest[-1].content
    with_hint = step_messages(PROBLEM, (), "header", continues=False, hint="Add them.")
    assert "Add them." in with_hint[-1].content


@pytest.mark.parametrize(
    ("reply", "end", "text"),
    [
        (" 7 + 5 = 12\n\n", "header", "7 + 5 = 12"),
        ("Step 2: 7 + 5 = 12", "header", "7 + 5 = 12"),
        ("**Step 2:** 7 + 5 = 12", "header", "7 + 5 = 12"),
        ("Add.\n\n7 + 5 = 12\n\n### Step 3: So", "header", "Add.\n\n7 + 5 = 12"),
        ("Add.\n\n7 + 5 = 12", "paragraph", "Add."),
        ("Add.\n7 + 5 = 12", "line", "Add."),
        ("\n\n", "paragraph", ""),
        ("12 eggs", "header", "12 eggs"),
    ],
)
def test_a_step_is_read_up_to_its_end(reply: str, end: str, text: str) -> None:
    assert step_text(reply, 2, end) == text  # type: ignore[arg-type]


def test_the_rest_of_a_solution_is_not_cut() -> None:
    assert step_text("7 + 5\n\nStep 3: 12", 2, "header", rest=True) == "7 + 5\n\nStep 3: 12"


def test_naming_a_choice_is_not_answering() -> None:
    choices = ("6", "7")
    assert stated_in_step("Let us look at option (B).", choices) is None
    answer = stated_in_step("So the answer is (B).", choices)
    assert answer is not None
    assert answer.normal == "B"
    assert stated_in_step("3 + 4 = 7") is None


def test_a_prior_is_the_log_probs_over_a_power_of_the_length() -> None:
    tokens = tuple(TokenLogprob(token="a", logprob=-0.5) for _ in range(4))
    draft = Draft(sample=0, messages=(), completion=Completion(text="aaaa", logprobs=tokens))
    assert prior_of(draft) == pytest.approx(math.exp(-2.0 / 4**1.25))
    assert prior_of(Draft(sample=0, messages=(), completion=Completion(text="a"))) == 1.0


def test_equal_paths_never_draw_the_same_sample_twice() -> None:
    twins = [TreeNode(parent=0, depth=1, text="same"), TreeNode(parent=0, depth=1, text="same", drawn=3, rests=1)]
    tree = SearchTree(nodes=(TreeNode(drawn=2), *twins))
    assert sample_numbers(tree, [(1, 2), (2, 1), (0, 5)]) == [4, 6, 2]


def test_a_complete_plan_goes_on_counting_where_the_same_plan_stopped() -> None:
    """Solutions are written from both, by the same prompt: the empty step that completes a plan is not in it."""
    plan = TreeNode(parent=0, depth=1, text="add", drawn=2, rests=1)
    complete = [TreeNode(parent=1, depth=2, state="closed") for _ in range(2)]
    tree = SearchTree(nodes=(TreeNode(drawn=1), plan, *complete))
    assert sample_numbers(tree, [(2, 1), (3, 4), (1, 1)]) == [3, 4, 8]


async def test_children_are_read_into_every_state() -> None:
    replies = [
        Reply(text=" 3 + 4 = 7", role="stepper", contains=("Step 1:",)),
        Reply(text=" so \\boxed{12}"),
        Reply(text="   "),
        Reply(text=" cut", finish_reason="length", completion_tokens=256),
        Reply(text=" no", finish_reason="content_filter"),
    ]
    context, _ = scripted_context(ScriptedBackend(replies))
    tree, new, limit = await expand(context, STATE, CONFIG, [(0, 5)], Writing())
    assert new == [1, 2, 3, 4, 5]
    assert limit is None
    assert [tree.nodes[one].state for one in new] == ["open", "finished", "pruned", "dead", "dead"]
    failures = [node.failure.kind for node in tree.nodes if node.failure]
    assert failures == ["truncated", "refused"]
    assert tree.nodes[0].drawn == 5
    assert tree.nodes[1].tokens == 5


async def test_a_path_that_is_too_long_or_too_deep_is_dead_and_a_repeated_step_is_left_aside() -> None:
    start = SearchTree().with_nodes([TreeNode(parent=0, depth=1, text="one", tokens=8)])
    state = STATE.model_copy(update={"tree": start})
    replies = ["one", "two three four", "two"]
    config = StepConfig(n=2, depth=3, path_tokens=10)
    context, _ = scripted_context(ScriptedBackend(replies))
    tree, new, _ = await expand(context, state, config, [(1, 3)], Writing())
    assert [tree.nodes[one].state for one in new] == ["pruned", "dead", "open"]
    deep, _ = scripted_context(ScriptedBackend(["two"]))
    tree, new, _ = await expand(deep, state, StepConfig(n=2, depth=2), [(1, 1)], Writing())
    assert tree.nodes[new[0]].failure is not None
    assert "after 2 steps" in tree.nodes[new[0]].failure.message


async def test_one_failed_request_is_data_and_all_of_them_are_an_error() -> None:
    one_by_one = Capabilities(continue_assistant=True)
    backend = ScriptedBackend([Reply(error="down"), "fine"], capabilities=one_by_one)
    context, _ = scripted_context(backend)
    tree, new, _ = await expand(context, STATE, CONFIG, [(0, 2)], Writing())
    assert [tree.nodes[one].state for one in new] == ["dead", "open"]
    dead, _ = scripted_context(ScriptedBackend([Reply(error="down")] * 2))
    start = SearchTree().with_nodes([TreeNode(parent=0, depth=1, text="one")])
    with pytest.raises(BackendError, match="down"):
        await expand(dead, STATE.model_copy(update={"tree": start}), CONFIG, [(0, 1), (1, 1)], Writing())


async def test_near_the_end_of_a_budget_one_after_the_other() -> None:
    start = SearchTree().with_nodes([TreeNode(parent=0, depth=1, text=name) for name in ("one", "two", "three")])
    replies = [Reply(text=f"step {number}", completion_tokens=20) for number in range(9)]
    context, _ = scripted_context(ScriptedBackend(replies), budget=Budget(max_tokens=45))
    state = STATE.model_copy(update={"tree": start})
    config = StepConfig(n=2, max_tokens=20)
    tree, new, limit = await expand(context, state, config, [(1, 1), (2, 1), (3, 1)], Writing())
    assert [tree.nodes[one].parent for one in new] == [1, 2, 3]  # the last with the 5 tokens that are left
    assert limit is None
    assert context.meter.limit_reached() is not None
