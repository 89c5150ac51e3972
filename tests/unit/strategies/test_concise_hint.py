"""concise-hint against the deterministic tests of its card: pieces, places, and hints that are taken out again."""

from __future__ import annotations

import json

import pytest

from mathagent.agents.blocks.hinted_writing import Hint, hint_place, piece_tokens
from mathagent.budget import Budget
from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.concise_hint import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="What is 6 times 7?", id="p1")
HINT = "(make answer concise!)"
FIRST = Reply(text="Six times seven, as we know. Well", finish_reason="length", completion_tokens=128)
END = Reply(text=" it is \\boxed{42}.")


@pytest.mark.parametrize(("so_far", "tokens"), [(0, 128), (100, 148), (500, 228), (2000, 528), (6000, 1024)])
def test_pieces_grow_with_the_text(so_far: int, tokens: int) -> None:
    assert piece_tokens(Hint(text="x"), so_far) == tokens


@pytest.mark.parametrize(
    ("piece", "tokens", "place"),
    [
        ("One, two. Three", 128, 4),
        ("One 1.5 two. Three", 128, 12),
        ("nowhere a pause", 128, None),
        ("It ends.", 128, None),
        ("a, " * 50, 640, 77),  # from the middle on
        ("a, " * 50, 1024, 122),  # never behind four fifths
        ("a, bcdefghij", 640, None),
    ],
)
def test_the_place_of_a_hint(piece: str, tokens: int, place: int | None) -> None:
    assert hint_place(piece, tokens, 128) == place


async def test_pieces_with_hints_that_are_taken_out_again() -> None:
    second = Reply(
        text=" so, let us see",
        finish_reason="length",
        completion_tokens=153,
        contains=("Six times seven, (make answer concise!) as we know. Well",),
    )
    third = Reply(text=" (make answer concise!)" + END.text, contains=("so, (make answer concise!) let us see",))
    backend = ScriptedBackend([FIRST, second, third])
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "42"
    (candidate,) = state.candidates
    assert candidate.steps[0].text == "Six times seven, as we know. Well so, let us see it is \\boxed{42}."
    assert [request.params.max_tokens for request in backend.requests] == [128, 153, 184]
    assert [request.continue_assistant for request in backend.requests] == [False, True, True]
    params = backend.requests[0].params
    assert (params.temperature, params.top_p) == (0.6, 0.95)
    assert "the simpler it is, the shorter" in backend.requests[0].messages[-1].content


async def test_a_piece_without_a_pause_gets_no_hint() -> None:
    first = Reply(text="well", finish_reason="length", completion_tokens=128)
    backend = ScriptedBackend([first, Reply(text=END.text, lacks=(HINT,))])
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "42"


async def test_the_prompt_may_count_as_in_the_repository() -> None:
    backend = ScriptedBackend([FIRST, END])
    await final_state(STRATEGY, backend, PROBLEM, count_prompt=True)
    prompt = sum(len(message.content.split()) for message in backend.requests[0].messages)
    assert backend.requests[1].params.max_tokens == int(128 + 0.2 * (128 + prompt))


async def test_at_the_cap_the_answer_is_asked_for() -> None:
    asked = Reply(text="42", role="extractor", contains=("Therefore, the final answer is",), lacks=(HINT,))
    backend = ScriptedBackend([FIRST, Reply(text="hm", finish_reason="length", completion_tokens=22), asked])
    state = await final_state(STRATEGY, backend, PROBLEM, max_tokens=150)
    assert state.answer == "42"
    assert backend.requests[1].params.max_tokens == 22


async def test_without_hints_it_is_one_call_and_needs_no_continuation() -> None:
    backend = ScriptedBackend([Reply(text="\\boxed{42}", lacks=(HINT,))], capabilities=Capabilities())
    assert (await final_state(STRATEGY, backend, PROBLEM, hints=False)).answer == "42"
    assert backend.requests[0].params.max_tokens == 10_240


async def test_a_backend_that_cannot_continue_is_said_so() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([], capabilities=Capabilities()), PROBLEM)
    assert isinstance(run.error, UnsupportedOption)
    assert "hints=false" in str(run.error)


@pytest.mark.parametrize(("effort", "tokens", "words"), [("easy", 1024, "is easy"), ("hard", 10_240, "is hard")])
async def test_effort_tags(effort: str, tokens: int, words: str) -> None:
    backend = ScriptedBackend([Reply(text="\\boxed{42}", contains=(words,))])
    await final_state(STRATEGY, backend, PROBLEM, hints=False, effort=effort)
    assert backend.requests[0].params.max_tokens == tokens


@pytest.mark.parametrize("label", ["easy", "hard"])
async def test_effort_auto_asks_for_a_label_first(label: str) -> None:
    said = Reply(text=json.dumps({"reasoning": "", "label": label}), role="assessor")
    backend = ScriptedBackend(
        [said, Reply(text="\\boxed{42}", role="reasoner", contains=(f"is {label}:",))],
        capabilities=Capabilities(json_schema=True),
    )
    state = await final_state(STRATEGY, backend, PROBLEM, hints=False, effort="auto")
    assert state.confidence_basis.endswith(f"effort: {label}")


async def test_several_solutions_vote_and_their_samples_are_distinct() -> None:
    said = ["\\boxed{42}", "\\boxed{41}", "\\boxed{42.0}"]
    backend = ScriptedBackend(lambda request, index: said[index])
    state = await final_state(STRATEGY, backend, PROBLEM, n=3)
    assert state.answer == "42"
    assert sorted(request.first_sample for request in backend.requests) == [0, 1, 2]


async def test_a_budget_that_ends_between_pieces_keeps_what_is_written() -> None:
    said = Reply(text="It is \\boxed{42}, I think. Well", finish_reason="length", completion_tokens=128)
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([said]), PROBLEM, budget=Budget(max_calls=1))
    assert run.state.answer == "42"
    assert run.state.limit is not None
    silent, _ = await graph_solve(STRATEGY, ScriptedBackend([FIRST]), PROBLEM, budget=Budget(max_calls=1))
    assert silent.state.answer is None
    assert silent.state.candidates[0].failure is not None


async def test_a_budget_of_few_tokens() -> None:
    cut = Reply(text="Six, times", finish_reason="length", completion_tokens=20)
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([cut] * 2), PROBLEM, budget=Budget(max_tokens=20))
    assert run.state.limit is not None
    assert run.state.answer is None


async def test_a_dead_endpoint() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")]), PROBLEM)
    assert isinstance(run.error, BackendError)


async def test_a_failure_on_the_way_keeps_what_is_written() -> None:
    backend = ScriptedBackend([FIRST, Reply(error="gone"), "42"])
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "42"


def test_no_setting_is_without_effect() -> None:
    with pytest.raises(UsageError, match="no setting 'trigger'"):  # its prompt has a sentence of its own
        STRATEGY.configure({"trigger": "First,"})
