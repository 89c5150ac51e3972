"""zero-shot-cot against the deterministic test of its card."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.zero_shot_cot import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="What is 6 times 7?", id="p1")
CHOICES = Problem(text="What is 6 times 7?", choices=("40", "42", "44"), id="p2")
REASONING = "Six times seven is six sevens, which makes forty-two."
CHAT_ONLY = Capabilities(n=True)


async def test_exactly_two_calls_and_the_second_quotes_the_first() -> None:
    script = [
        Reply(text=REASONING, role="reasoner", contains=("Q: What is 6 times 7?\nA: Let's think step by step.",)),
        Reply(text="42.", role="extractor", contains=(REASONING, "Therefore, the answer (arabic numerals) is")),
    ]
    backend = ScriptedBackend(script)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "42"
    assert backend.roles == ["reasoner", "extractor"]
    assert state.candidates[0].extraction_stage == 2
    assert [request.params.max_tokens for request in backend.requests] == [1024, 32]
    assert backend.requests[0].params.temperature == 0
    assert [message.role for message in backend.requests[0].messages] == ["user"]
    assert backend.requests[1].continue_assistant
    assert backend.requests[0].params.stop == ("\nQ:",)


async def test_a_chat_endpoint_is_asked_in_a_second_turn() -> None:
    backend = ScriptedBackend([REASONING, "42"], capabilities=CHAT_ONLY)
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "42"
    assert [message.role for message in backend.requests[1].messages] == ["user", "assistant", "user"]
    assert backend.requests[1].messages[1].content == REASONING
    assert backend.requests[0].params.stop == ()


@pytest.mark.parametrize(
    ("text", "problem", "answer"),
    [
        ("$1,234.", PROBLEM, "1234"),
        ("-5", PROBLEM, "-5"),
        ("3.50.", PROBLEM, "3.50"),
        ("42 apples, not 41", PROBLEM, "42"),
        ("(B) because A", CHOICES, "B"),
        ("", PROBLEM, None),
        ("nobody could tell from what has been said so far", PROBLEM, None),
    ],
)
async def test_cleaning_of_stage_two(text: str, problem: Problem, answer: str | None) -> None:
    state = await final_state(STRATEGY, ScriptedBackend([REASONING, text]), problem)
    if answer is None:
        assert state.answer is None
        assert state.candidates[0].failure is not None
        assert state.candidates[0].failure.kind == "no-answer"
    else:
        assert state.answer is not None
        assert float(state.answer) == float(answer) if answer != "B" else state.answer == "B"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", "yes"),
        ("NO!", "no"),
        ("It is: yes, 7 is prime, no doubt", "yes"),
        ("Nobody knows", None),
        ("7", None),
    ],
)
@pytest.mark.parametrize("variant", ["step-by-step", "none"])
async def test_yes_or_no_has_a_trigger_and_a_cleaning_of_its_own(
    variant: str, text: str, answer: str | None
) -> None:
    asked = Reply(text=text, contains=("he answer (Yes or No) is",), lacks=("numerals",))
    script = [asked] if variant == "none" else [Reply(text="7 has no divisor but 1 and 7."), asked]
    settings = {"answer_kind": "yes-no", "variant": variant}
    state = await final_state(STRATEGY, ScriptedBackend(script), Problem(text="Is 7 prime?"), **settings)
    assert state.answer == answer
    assert (state.candidates[0].failure is None) == (answer is not None)


async def test_choices_have_a_trigger_of_their_own() -> None:
    second = Reply(text="B", contains=("Therefore, among A through C, the answer is",))
    backend = ScriptedBackend([Reply(text=REASONING, contains=("(B) 42",)), second])
    assert (await final_state(STRATEGY, backend, CHOICES)).answer == "B"


@pytest.mark.parametrize(
    ("settings", "opening"),
    [
        ({"variant": "first"}, "A: First,"),
        ({"variant": "logically"}, "A: Let's think about this logically."),
        ({"variant": "split"}, "A: Let's solve this problem by splitting it into steps."),
        ({"variant": "step-by-step-first"}, "A: Let's think step by step. First,"),
        ({"variant": "plan-and-solve"}, "A: Let's make a plan for this problem first"),
        ({"variant": "plan-and-solve-plus"}, "A: Let's note each quantity"),
        ({"trigger": "Draw it."}, "A: Draw it."),
        ({"trigger": ""}, "A:"),
    ],
)
async def test_triggers_are_settings(settings: dict[str, str], opening: str) -> None:
    backend = ScriptedBackend([REASONING, "42"])
    await final_state(STRATEGY, backend, PROBLEM, **settings)
    last = backend.requests[0].messages[-1].content.splitlines()[-1]
    assert last == opening if opening == "A:" else last.startswith(opening)


async def test_without_reasoning_it_is_one_short_call() -> None:
    backend = ScriptedBackend([Reply(text="42.", contains=("A: The answer (arabic numerals) is",))])
    state = await final_state(STRATEGY, backend, PROBLEM, variant="none")
    assert state.answer == "42"
    assert backend.requests[0].params.max_tokens == 32
    nothing = await final_state(
        STRATEGY, ScriptedBackend(["nobody could tell from what has been said so far"]), PROBLEM, variant="none"
    )
    assert nothing.answer is None
    assert nothing.candidates[0].failure is not None


async def test_stage_two_on_demand_only() -> None:
    backend = ScriptedBackend(["So the answer is 42."])
    state = await final_state(STRATEGY, backend, PROBLEM, always_extract=False)
    assert state.answer == "42"
    assert state.candidates[0].extraction_stage == 1


async def test_a_system_turn_and_any_answer() -> None:
    backend = ScriptedBackend(
        [Reply(text=REASONING, contains=("Captain",)), Reply(text="42", lacks=("numerals",))]
    )
    await final_state(STRATEGY, backend, PROBLEM, system="Captain, the stars await.", answer_kind="any")
    assert backend.requests[0].messages[0].role == "system"


async def test_several_chains_vote() -> None:
    backend = ScriptedBackend([Reply(text="one"), Reply(text="two"), Reply(text="three"), "42", "41", "42.0"])
    state = await final_state(STRATEGY, backend, PROBLEM, n=3)
    assert state.answer == "42"
    assert backend.requests[0].params.temperature == 0.7


async def test_a_budget_of_one_call_keeps_what_the_reasoning_states() -> None:
    backend = ScriptedBackend(["So the answer is 42."])
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=1))
    assert run.state.answer == "42"
    assert run.state.limit is not None
    silent, _ = await graph_solve(STRATEGY, ScriptedBackend([REASONING]), PROBLEM, budget=Budget(max_calls=1))
    assert silent.state.answer is None
    assert silent.state.candidates[0].failure is not None


async def test_a_dead_endpoint() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")]), PROBLEM)
    assert isinstance(run.error, BackendError)
