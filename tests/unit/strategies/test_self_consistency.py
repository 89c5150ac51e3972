"""self-consistency: windows, stopping, votes by equivalence class, budgets."""

from __future__ import annotations

import asyncio
from math import log

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import Event, Voted
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Solution, TokenLogprob

QUESTION = "What is one half as a fraction?"


def boxed(*answers: str) -> list[str]:
    return [f"\\boxed{{{answer}}}" if answer else "no idea at all" for answer in answers]


async def solve(
    backend: ScriptedBackend,
    *,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(
            QUESTION,
            "self-consistency",
            budget=budget,
            config={"over": "cot", **config},
            on_event=None if events is None else events.append,
        )


async def test_unanimous_window_stops_at_four() -> None:
    backend = ScriptedBackend(boxed("1/2", "0.5", "\\frac12", "\\frac{1}{2}"))
    solution = await solve(backend)
    assert solution.answer == "1/2"
    assert len(solution.candidates) == 4
    assert solution.confidence == pytest.approx(5 / 6, abs=1e-4)
    assert solution.stopped == "finished"


async def test_divided_votes_draw_further_windows_with_new_sample_numbers() -> None:
    backend = ScriptedBackend(boxed("1", "2", "1", "1", "1", "1", "1", "1"))
    events: list[Event] = []
    solution = await solve(backend, events=events)
    assert solution.answer == "1"
    assert [request.first_sample for request in backend.requests] == [0, 4]
    votes = [event for event in events if isinstance(event, Voted)]
    assert [(vote.classes, vote.stop) for vote in votes] == [
        ((("1", 3), ("2", 1)), False),
        ((("1", 7), ("2", 1)), True),
    ]


async def test_never_more_than_n() -> None:
    answers = [str(number) for number in range(10)]
    solution = await solve(ScriptedBackend(boxed(*answers)), n=10)
    assert len(solution.candidates) == 10
    assert solution.answer == "0"  # a tie goes to the earliest


async def test_samples_without_answer_spend_but_do_not_vote() -> None:
    capabilities = Capabilities(n=True)
    replies = (
        [Reply(text="no idea", finish_reason="length")] * 3
        + [Reply(text="\\boxed{3}")]
        + [Reply(text="\\boxed{3}")] * 4
    )
    solution = await solve(ScriptedBackend(replies, capabilities=capabilities), n=8)
    assert len(solution.candidates) == 8
    assert solution.answer == "3"
    assert solution.confidence == 0.6


async def test_early_stopping_windows() -> None:
    backend = ScriptedBackend(boxed("1", "1", "2", "1", "1", "1", "1", "1", "1", "1"))
    solution = await solve(backend, stop="early", window=5)
    assert len(solution.candidates) == 10
    alike = ScriptedBackend(boxed("1", "1", "1", "1", "1"))
    assert len((await solve(alike, stop="early", window=5)).candidates) == 5


async def test_without_stopping_all_samples_are_drawn() -> None:
    solution = await solve(ScriptedBackend(boxed(*["1"] * 6)), stop="none", n=6)
    assert len(solution.candidates) == 6


async def test_call_budget_is_used_up_and_keeps_the_best_so_far() -> None:
    backend = ScriptedBackend(boxed("1", "2", "1", "3", "2", "2"))
    solution = await solve(backend, budget=Budget(max_calls=6))
    assert solution.answer == "2"
    assert len(solution.candidates) == 6
    assert solution.stopped == "budget"
    assert "6 calls" in solution.detail


async def test_token_budget_draws_whole_samples_one_by_one_near_its_end() -> None:
    replies = [Reply(text=text, completion_tokens=30) for text in boxed("1", "2", "1", "3")]
    replies.append(Reply(text="Let us see", completion_tokens=10, finish_reason="length"))
    backend = ScriptedBackend(replies)
    solution = await solve(backend, budget=Budget(max_tokens=130), max_tokens=60)
    assert [(r.params.n, r.params.max_tokens) for r in backend.requests] == [(2, 60), (1, 60), (1, 40), (1, 10)]
    assert solution.answer == "1"
    assert solution.usage.completion_tokens == 130
    assert solution.stopped == "budget"


async def test_against_a_clock_the_first_sample_goes_alone() -> None:
    backend = ScriptedBackend(boxed("1", "1", "1", "1"))
    solution = await solve(backend, budget=Budget(max_seconds=60))
    assert [request.params.n for request in backend.requests] == [1, 3]
    assert solution.answer == "1"
    early = ScriptedBackend(boxed("1", "1", "1", "1"))
    assert len((await solve(early, budget=Budget(max_seconds=60), stop="early")).candidates) == 4


async def test_deadline_in_the_second_window_keeps_the_first() -> None:
    script: list[Reply | str] = [*boxed("1", "2", "1", "2"), *[Reply(text="never", delay_s=60)] * 4]
    solution = await solve(ScriptedBackend(script), budget=Budget(max_seconds=3))
    assert solution.answer == "1"
    assert solution.stopped == "budget"


async def test_backends_without_n_are_asked_one_by_one() -> None:
    backend = ScriptedBackend(boxed("1", "1", "1", "1"), capabilities=Capabilities())
    solution = await solve(backend)
    assert solution.answer == "1"
    assert [request.params.n for request in backend.requests] == [1, 1, 1, 1]
    assert [request.first_sample for request in backend.requests] == [0, 1, 2, 3]


async def test_one_failed_sample_is_data() -> None:
    replies = [Reply(text="\\boxed{1}"), Reply(error="broken"), Reply(text="\\boxed{1}"), Reply(text="\\boxed{1}")]
    backend = ScriptedBackend([*replies, *boxed("1", "1", "1", "1")], capabilities=Capabilities())
    solution = await solve(backend)
    assert solution.answer == "1"
    assert solution.candidates[1].failure is not None
    assert solution.candidates[1].failure.kind == "model-error"


async def test_dead_endpoint_raises_before_and_keeps_the_best_after() -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="the endpoint is down")] * 4))
    later = ScriptedBackend([*boxed("1", "2", "1", "2"), *[Reply(error="the endpoint is down")] * 4])
    solution = await solve(later)
    assert solution.answer == "1"
    assert solution.stopped == "error"
    assert "down" in solution.detail


async def test_interrupt_keeps_the_best_so_far() -> None:
    script: list[Reply | str] = [*boxed("1", "2", "1", "2"), *[Reply(text="never", delay_s=60)] * 4]
    interrupt = asyncio.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, Voted):
            interrupt.set()

    async with Solver(ScriptedBackend(script), cache=False) as solver:
        solution = await solver.solve(
            QUESTION, "self-consistency", config={"over": "cot"}, on_event=on_event, interrupt=interrupt
        )
    assert solution.answer == "1"
    assert solution.stopped == "interrupted"
    assert len(solution.candidates) == 4


async def test_over_programs() -> None:
    replies = [f"    return {value}" for value in ("1/2", "0.5", "2/4", "0.50")]
    async with Solver(ScriptedBackend(replies), cache=False) as solver:
        solution = await solver.solve(QUESTION, "self-consistency")
    assert solution.answer == "0.5"
    assert len(solution.certificate) == 4


def leans(yes: float) -> Reply:
    top = (("Yes", log(yes)), ("No", log(1 - yes)))
    return Reply(
        text="No",
        role="self-evaluation",
        contains=("began anew", "What is one half"),
        logprobs=(TokenLogprob(token="No", logprob=log(1 - yes), top=top),),
    )


async def test_self_evaluation_ends_at_a_sample_that_the_model_would_not_do_again() -> None:
    """Windows double from one; the answer is what the model would keep, not what came first."""
    backend = ScriptedBackend([*boxed("1"), leans(0.9), *boxed("1/2"), leans(0.02)])
    solution = await solve(backend, stop="self-evaluation")
    assert solution.answer == "1/2"
    assert backend.roles == ["reasoner", "self-evaluation"] * 2
    assert [request.first_sample for request in backend.requests] == [0, 0, 1, 1]
    asked = backend.requests[1]
    assert [message.role for message in asked.messages][-2:] == ["assistant", "user"]
    assert asked.messages[-2].content == "\\boxed{1}"
    assert (asked.params.max_tokens, asked.logprobs) == (1, 20)
    backend.assert_finished()


async def test_self_evaluation_draws_more_and_more() -> None:
    def respond(request: ChatRequest, sample: int) -> Reply:
        return leans(0.5) if request.role == "self-evaluation" else Reply(text="\\boxed{1/2}")

    backend = ScriptedBackend(respond)
    solution = await solve(backend, stop="self-evaluation", n=6)
    drawn = [request.params.n for request in backend.requests if request.role == "reasoner"]
    assert drawn == [1, 1, 2, 2]
    assert solution.answer == "1/2"
    assert len(solution.candidates) == 6


async def test_self_evaluation_by_words_and_where_it_fails() -> None:
    words = ScriptedBackend(
        [*boxed("1"), "Yes, I would.", *boxed("1/2"), "No."], capabilities=Capabilities(n=True)
    )
    assert (await solve(words, stop="self-evaluation")).answer == "1/2"

    def respond(request: ChatRequest, sample: int) -> Reply:
        return Reply(error="it is down") if request.role == "self-evaluation" else Reply(text="\\boxed{1/2}")

    solution = await solve(ScriptedBackend(respond), stop="self-evaluation", n=4)
    assert (solution.answer, len(solution.candidates)) == ("1/2", 4)
    budget = await solve(ScriptedBackend(boxed("1/2")), stop="self-evaluation", budget=Budget(max_calls=1))
    assert (budget.answer, budget.stopped) == ("1/2", "budget")


async def test_self_evaluation_asks_behind_a_prefilled_program() -> None:
    backend = ScriptedBackend(["    return 1 / 2", leans(0.01)])
    solution = await solve(backend, stop="self-evaluation", over="pal")
    assert solution.answer == "0.5"
    drawn, asked = backend.requests
    assert drawn.messages[-1].role == "assistant"
    assert [message.role for message in asked.messages][-3:] == ["user", "assistant", "user"]
    assert asked.messages[-2].content == f"{drawn.messages[-1].content}    return 1 / 2"


async def test_samples_by_turns_are_numbered_conversations_that_vote() -> None:
    def reply(request: ChatRequest, sample: int) -> str:
        return f"So it is \\boxed{{{5 if sample == 2 else 6}}}."

    backend = ScriptedBackend(reply)
    solution = await solve(backend, over="tir", stop="none", n=4)
    assert solution.answer == "6"
    assert sorted(request.first_sample for request in backend.requests) == [0, 1, 2, 3]
    assert {request.role for request in backend.requests} == {"coder"}
    with pytest.raises(UsageError, match="tir is several"):
        await solve(backend, over="tir", stop="self-evaluation")
