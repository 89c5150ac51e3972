"""cot against the deterministic test of its card."""

from __future__ import annotations

from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

QUESTION = "What is 6 times 7?"
CHAT_ONLY = Capabilities(n=True)


async def solve(backend: ScriptedBackend, problem: str | Problem = QUESTION, **config: object) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(problem, "cot", config=config)


async def test_boxed_answer_needs_one_call() -> None:
    backend = ScriptedBackend([Reply(text="6 * 7 = 42, so \\boxed{42}.", role="reasoner", contains=(QUESTION,))])
    solution = await solve(backend)
    assert solution.answer == "42"
    assert backend.roles == ["reasoner"]
    assert solution.candidates[0].extraction_stage == 1
    assert "Let's think step by step." in backend.requests[0].messages[-1].content


async def test_no_stated_answer_needs_stage_two() -> None:
    reasoning = "Six sevens make forty-two, I think"
    script = [
        Reply(text=reasoning, role="reasoner"),
        Reply(text="$42.", role="extractor", contains=(reasoning, "Therefore, the final answer is")),
    ]
    backend = ScriptedBackend(script, capabilities=CHAT_ONLY)
    solution = await solve(backend)
    assert solution.answer == "42"
    assert solution.candidates[0].extraction_stage == 2
    assert backend.requests[1].messages[-2].content == reasoning
    assert not backend.requests[1].continue_assistant
    backend.assert_finished()


async def test_stage_two_continues_the_reasoning_where_the_backend_can() -> None:
    backend = ScriptedBackend(["It is forty-two", "42"])
    assert (await solve(backend)).answer == "42"
    assert backend.requests[1].continue_assistant
    assert backend.requests[1].messages[-1].content == "It is forty-two\n\nTherefore, the final answer is"


async def test_always_extract_makes_exactly_two_calls() -> None:
    backend = ScriptedBackend(["So \\boxed{41}", "42"])
    solution = await solve(backend, always_extract=True)
    assert backend.roles == ["reasoner", "extractor"]
    assert solution.answer == "42"


async def test_choices_are_shown_and_answered_by_letter() -> None:
    problem = Problem(text="What is 6 times 7?", choices=("A)40", "B)42", "C)44"))
    backend = ScriptedBackend([Reply(text="That is 42. The answer is (B).", contains=("(A) 40", "(C) 44"))])
    assert (await solve(backend, problem)).answer == "B"
    second = ScriptedBackend(["I am sure it is 42", Reply(text="(B) because", contains=("among A through C",))])
    assert (await solve(second, problem)).answer == "B"


async def test_truncated_chains_do_not_vote() -> None:
    replies = [
        Reply(text="well, 13 and", finish_reason="length"),
        Reply(text="\\boxed{42}"),
        Reply(text="\\boxed{42.0}"),
    ]
    backend = ScriptedBackend(replies, capabilities=CHAT_ONLY)
    solution = await solve(backend, n=3)
    assert solution.answer == "42"
    assert len(backend.requests) == 1
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "truncated"
    assert solution.confidence == 0.6


async def test_single_truncated_chain_is_rescued() -> None:
    backend = ScriptedBackend([Reply(text="6 * 7 is", finish_reason="length"), "42"])
    assert (await solve(backend)).answer == "42"


async def test_no_answer_at_all() -> None:
    solution = await solve(ScriptedBackend(["I do not know", ""]))
    assert solution.answer is None
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "no-answer"
