"""complexity against the deterministic test of its card: which exemplars are shown, and which chains vote."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Recalled
from mathagent.memory.experience import Exemplar, Experience
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.scorers.arithmetic import calculations
from mathagent.strategies.complexity import STRATEGY, ComplexityConfig, built_in_exemplars, most_complex, steps_in
from mathagent.types import Problem
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="A tap fills a tank in 4 hours, another in 6. How long do both take?", id="p1")
LONG = Experience(
    content=Exemplar(
        problem="A tap fills a tank alone in 9 hours. How long do 3 such taps take?",
        reasoning="\n".join(f"line {number}" for number in range(30)) + "\nThe answer is \\boxed{3}.",
        answer="3",
    ),
    trust="graded",
)
SHORT = Experience(
    content=Exemplar(problem="A tap fills a tank. Does it?", reasoning="\\boxed{1}", answer="1"), trust="graded"
)


def chain(answer: int, lines: int) -> str:
    return "\n".join([f"thought {number}" for number in range(lines - 1)] + [f"\\boxed{{{answer}}}"])


CHAINS = [chain(1, 2), chain(1, 2), chain(2, 5), chain(2, 4), chain(1, 3)]
CARD = {"n": 5, "keep_ratio": 0.6, "shots": 0}


async def test_the_most_complex_three_of_five_outvote_the_majority() -> None:
    state = await final_state(STRATEGY, ScriptedBackend(CHAINS), PROBLEM, **CARD)
    assert state.answer == "2"
    assert "2 of 3 samples agree (the 3 longest chains of 5)" in state.confidence_basis
    plain = await final_state(STRATEGY, ScriptedBackend(CHAINS), PROBLEM, **CARD | {"keep_ratio": 1.0})
    assert plain.answer == "1"


async def test_the_order_and_the_weight_are_settings() -> None:
    shortest = await final_state(STRATEGY, ScriptedBackend(CHAINS), PROBLEM, **CARD, order="asc")
    assert shortest.answer == "1"
    weighted = await final_state(
        STRATEGY, ScriptedBackend(CHAINS), PROBLEM, **CARD | {"keep_ratio": 1.0}, weight="steps"
    )
    assert weighted.answer == "2"


async def test_of_equal_votes_the_more_complex_chain_s_answer_wins() -> None:
    chains = [chain(1, 3), chain(2, 6)]
    assert (await final_state(STRATEGY, ScriptedBackend(chains), PROBLEM, n=2, shots=0)).answer == "2"


async def test_a_truncated_chain_never_votes_however_long_it_is() -> None:
    cut = Reply(text="\n".join("so" for _ in range(50)), finish_reason="length")
    state = await final_state(STRATEGY, ScriptedBackend([cut, chain(1, 2)]), PROBLEM, n=2, shots=0)
    assert state.answer == "1"
    assert state.candidates[0].failure is not None
    assert state.candidates[0].failure.kind == "truncated"


async def test_a_truncated_chain_never_votes_even_where_it_states_an_answer() -> None:
    cut = Reply(text=chain(9, 2) + "\nso" * 50, finish_reason="length")
    state = await final_state(STRATEGY, ScriptedBackend([cut, chain(1, 2)]), PROBLEM, n=2, shots=0)
    assert state.answer == "1"
    assert state.candidates[0].answer is not None  # it stays among the candidates
    assert state.confidence_basis.startswith("1 sample")
    alone = await final_state(STRATEGY, ScriptedBackend([cut, "no idea", ""]), PROBLEM, n=2, shots=0)
    assert alone.answer == "9"  # better than none


def test_steps_are_lines_that_are_not_blank_without_programs() -> None:
    assert steps_in("one\n\n  \ntwo\n```python\nx = 1\ny = 2\n```\nthree") == 3
    assert steps_in("") == 0
    assert steps_in("Step 1: a\nmore of it\nStep 2: b", "step") == 2


async def test_the_most_complex_exemplars_are_shown_and_the_most_complex_last() -> None:
    backend = ScriptedBackend([chain(1, 2)])
    await final_state(STRATEGY, backend, PROBLEM, n=1)
    turns = backend.requests[0].messages
    shown = [turn.content for turn in turns if turn.role == "assistant"]
    assert len(shown) == 8
    counts = [steps_in(text) for text in shown]
    assert counts == sorted(counts)
    contents = [hit.experience.content for hit in built_in_exemplars()]
    everything = sorted((steps_in(one.reasoning) for one in contents if isinstance(one, Exemplar)), reverse=True)
    assert counts[::-1] == everything[:8]
    assert turns[-1].content.startswith(PROBLEM.text)


async def test_memory_is_part_of_the_pool() -> None:
    backend = ScriptedBackend([chain(1, 2)])
    run, events = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([SHORT, LONG]), n=1)
    shown = [turn.content for turn in backend.requests[0].messages if turn.role == "assistant"]
    assert shown[-1] == LONG.content.reasoning  # type: ignore[union-attr]
    assert len(shown) == 8
    assert [one.id for one in run.state.recalled] == [LONG.id]
    assert [len(event.found) for event in events if isinstance(event, Recalled)] == [1]


@pytest.mark.parametrize(("exemplars", "shown"), [("memory", 2), ("built-in", 8), ("both", 8)])
async def test_where_exemplars_come_from_is_a_setting(exemplars: str, shown: int) -> None:
    backend = ScriptedBackend([chain(1, 2)])
    await final_state(STRATEGY, backend, PROBLEM, n=1, exemplars=exemplars, store=FakeStore([SHORT, LONG]))
    assert sum(turn.role == "assistant" for turn in backend.requests[0].messages) == shown


@pytest.mark.parametrize("store", [None, FakeStore(), FakeStore([LONG], broken="no disk")])
async def test_without_a_memory_or_with_an_empty_or_broken_one(store: FakeStore | None) -> None:
    backend = ScriptedBackend([chain(1, 2)])
    state = await final_state(STRATEGY, backend, PROBLEM, n=1, exemplars="memory", store=store)
    assert state.answer == "1"
    assert [turn.role for turn in backend.requests[0].messages] == ["system", "user"]


def test_exemplars_keep_to_their_tokens() -> None:
    few = most_complex(built_in_exemplars(), ComplexityConfig(exemplar_tokens=300))
    assert 0 < len(few) < 8
    assert most_complex(built_in_exemplars(), ComplexityConfig(exemplar_tokens=1)) == []


def test_the_built_in_exemplars_are_right() -> None:
    contents = [hit.experience.content for hit in built_in_exemplars()]
    answers = [content.answer for content in contents if isinstance(content, Exemplar)]
    assert answers == ["8", "270", "66", "40", "45", "12", "60", "1500", "33", "60", "70"]
    for content in contents:
        assert isinstance(content, Exemplar)
        done_again = calculations(content.reasoning)
        assert done_again
        assert [one for one in done_again if not one.holds] == []


async def test_defaults_are_the_paper_s() -> None:
    config = ComplexityConfig()
    assert (config.n, round(config.n * config.keep_ratio), config.shots, config.temperature) == (50, 40, 8, 0.7)


async def test_a_tiny_budget_keeps_the_chains_that_it_allowed() -> None:
    backend = ScriptedBackend([chain(1, 2), chain(1, 3)])
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=2))
    assert run.state.answer == "1"
    assert run.state.limit is not None


async def test_nonsense_is_a_named_failure() -> None:
    backend = ScriptedBackend(lambda request, index: "nobody could tell from what has been said so far")
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, n=3)
    assert run.state.answer is None
    assert {one.failure.kind for one in run.state.candidates if one.failure} == {"no-answer"}
    assert run.state.confidence_basis == "no chain gave an answer"


async def test_a_dead_endpoint() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")]), PROBLEM, n=1)
    assert isinstance(run.error, BackendError)
