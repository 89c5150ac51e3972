"""joint-thinking against the deterministic test of its card: modes, agreement, the second round and what it sees."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.joint_thinking import thinks
from mathagent.types import Problem, Solution

QUESTION = "What is the chance that a fair coin shows heads?"
CHAT_ONLY = Capabilities(n=True, seed=True)


async def solve(
    backend: ScriptedBackend, *, budget: Budget | None = None, problem: str | Problem = QUESTION, **config: object
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(problem, "joint-thinking", budget=budget, config=config)


def slow(text: str) -> Reply:
    return Reply(text=text, role="thinker", contains=(QUESTION, "step by step"))


def fast(text: str) -> Reply:
    return Reply(text=text, role="answerer", contains=(QUESTION, "nothing else"))


def again(text: str, first: str, second: str) -> Reply:
    return Reply(
        text=text, role="rethinker", contains=(QUESTION, f"proposed: {first} and {second}."), lacks=("a long way",)
    )


async def test_equal_answers_are_two_calls() -> None:
    backend = ScriptedBackend([slow("a long way to \\boxed{1/2}"), fast("0.5")])
    solution = await solve(backend)
    backend.assert_finished()
    assert backend.roles == ["thinker", "answerer"]
    assert solution.answer == "1/2"
    assert solution.confidence == 0.75
    thinker, answerer = backend.requests
    assert (thinker.params.temperature, thinker.params.top_p, answerer.params.temperature) == (0.6, 0.95, 0.0)


async def test_different_answers_are_three_calls_and_the_third_counts() -> None:
    script = [slow("a long way to \\boxed{1/3}"), fast("1/4"), again("So \\boxed{1/2}.", "1/3", "1/4")]
    backend = ScriptedBackend(script)
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "1/2"
    assert len(solution.candidates) == 3
    assert "the two views differ; thought again" in solution.confidence_basis


async def test_a_missing_answer_is_no_agreement() -> None:
    script = [slow("a long way to \\boxed{1/3}"), fast(""), again("\\boxed{1/3}", "1/3", "no answer at all")]
    backend = ScriptedBackend(script)
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "1/3"
    assert "gave no answer" in solution.confidence_basis


@pytest.mark.parametrize(
    ("first", "second", "answer"), [("1/3", "1/4", "1/3"), ("", "1/4", "1/4"), ("", "", None)]
)
async def test_without_a_third_answer_the_thinking_one_stands(first: str, second: str, answer: str | None) -> None:
    third = Reply(text="I cannot say.", role="rethinker")
    script = [slow(f"\\boxed{{{first}}}" if first else "who knows"), fast(second), third]
    backend = ScriptedBackend(script)
    assert (await solve(backend)).answer == answer
    backend.assert_finished()


async def test_thinking_sections_are_closed_and_opened_where_the_backend_can() -> None:
    script = [
        Reply(text="<think>a long way, \\boxed{9}</think>\\boxed{1/3}", role="thinker", lacks=("<think>",)),
        Reply(text="It is \\boxed{1/4}.", role="answerer", contains=(QUESTION, "<think>", "</think>\n\n")),
        Reply(
            text="neither, \\boxed{8}</think>\\boxed{1/2}",
            role="rethinker",
            contains=("<think>\n", "proposed: 1/3 and 1/4."),
            lacks=("a long way", "</think>"),
        ),
    ]
    backend = ScriptedBackend(script, name="script:deepseek-r1")
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "1/2"
    assert [one.answer.normal for one in solution.candidates if one.answer] == ["1/3", "1/4", "1/2"]
    assert [request.continue_assistant for request in backend.requests] == [False, True, True]
    assert [request.messages[-1].role for request in backend.requests] == ["user", "assistant", "assistant"]
    assert [request.params.max_tokens for request in backend.requests] == [16_000, 1024, 16_000]
    assert {request.params.temperature for request in backend.requests} == {0.6}


async def test_instructions_say_it_where_the_backend_cannot() -> None:
    script = [
        slow("\\boxed{1/3}"),
        Reply(text="\\boxed{1/4}", role="answerer", contains=(QUESTION, "Do not think at length")),
        again("\\boxed{1/2}", "1/3", "1/4"),
    ]
    backend = ScriptedBackend(script, capabilities=CHAT_ONLY)
    assert (await solve(backend, thinking="yes")).answer == "1/2"
    backend.assert_finished()
    assert all(request.messages[-1].role == "user" for request in backend.requests)


async def test_thinking_that_was_cut_off_states_no_answer() -> None:
    cut = Reply(text="perhaps \\boxed{9}", role="thinker", finish_reason="length")
    backend = ScriptedBackend([cut, "\\boxed{1/2}", "\\boxed{1/2}"])
    solution = await solve(backend, thinking="yes")
    backend.assert_finished()
    assert solution.answer == "1/2"
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "truncated"


@pytest.mark.parametrize(
    ("model", "does"),
    [
        ("embedded:qwen2.5-math-1.5b-instruct", False),
        ("local:Qwen/Qwen3-8B", True),
        ("local:Qwen/Qwen3-4B-Instruct-2507", False),
        ("local:deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", True),
        ("openai:gpt-4o", False),
        ("local:Qwen/QwQ-32B", True),
    ],
)
def test_which_models_think(model: str, does: bool) -> None:
    assert thinks(model) is does


async def test_choices() -> None:
    problem = Problem(text=QUESTION, choices=("1/2", "1/3"))
    backend = ScriptedBackend([slow("The answer is (A)."), Reply(text="A", contains=("(B) 1/3", "letter"))])
    assert (await solve(backend, problem=problem)).answer == "A"


@pytest.mark.parametrize(("calls", "answer"), [(1, "1/3"), (2, "1/3")])
async def test_a_budget_that_ends_keeps_the_thinking_answer(calls: int, answer: str) -> None:
    backend = ScriptedBackend([slow("\\boxed{1/3}"), fast("1/4")][:calls], max_parallel=1)
    solution = await solve(backend, budget=Budget(max_calls=calls))
    assert (solution.answer, solution.stopped) == (answer, "budget")
    backend.assert_finished()


async def test_nonsense_ends_without_an_answer_and_says_why() -> None:
    solution = await solve(ScriptedBackend(lambda request, sample: "There is really nothing that I could say."))
    assert solution.answer is None
    assert "was an answer given" in solution.confidence_basis
    assert [one.failure and one.failure.kind for one in solution.candidates] == ["no-answer"] * 3


async def test_an_endpoint_that_is_dead_or_dies() -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="down")] * 3))
    one_fails = ScriptedBackend([slow("\\boxed{1/2}"), Reply(error="down"), Reply(error="down")], max_parallel=1)
    solution = await solve(one_fails)
    assert (solution.answer, solution.stopped, solution.detail) == ("1/2", "error", "down")


async def test_an_endpoint_that_dies_leaves_the_thinking_answer_also_where_it_came_last() -> None:
    late = slow("\\boxed{1/3}").model_copy(update={"delay_s": 0.05})
    solution = await solve(ScriptedBackend([late, fast("1/4"), Reply(error="down", role="rethinker")]))
    assert (solution.answer, solution.stopped) == ("1/3", "error")
    assert [one.answer.normal for one in solution.candidates if one.answer] == ["1/3", "1/4"]


async def test_settings_that_mean_nothing() -> None:
    with pytest.raises(UsageError, match="joint-thinking"):
        await solve(ScriptedBackend([]), thinking="maybe")
