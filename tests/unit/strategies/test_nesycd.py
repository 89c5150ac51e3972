"""nesycd against the deterministic test of its card: when a note is shown, where, and what finds it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import pytest

from mathagent.budget import Budget
from mathagent.errors import UnsupportedOption
from mathagent.events import Event, Recalled, Warned
from mathagent.memory.base import Hit, Query
from mathagent.memory.experience import Exemplar, Experience, Fact, Lesson
from mathagent.models.base import Capabilities, ChatRequest, OnDelta
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.nesycd import STRATEGY, query_of
from mathagent.types import Completion, Problem, TokenLogprob
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="A tap fills a tank in 4 hours, another in 6. How long do both take?", id="p3")
LESSON = Experience(
    content=Lesson(
        problem="A tap fills a tank in 2 hours, another in 3. How long do both take?",
        mistake="adding the times",
        fix="Add the rates.",
        knowledge=("A rate is one over a time.",),
    ),
    trust="graded",
)
FACT = Experience(content=Fact(title="both", statement="Both are two."), trust="graded")
SOLVED = Reply(text="So \\boxed{2.4}", role="reasoner", contains=(PROBLEM.text,), lacks=("Add the rates",))
NOTED = Reply(text="So \\boxed{2.4}", role="reasoner", contains=("adding the times", "Add the rates."))


def guesses(*answers: str) -> list[Reply]:
    return [Reply(text=answer, role="gate", contains=(PROBLEM.text,)) for answer in answers]


def shown(events: Sequence[Event]) -> list[int]:
    return [len(event.found) for event in events if isinstance(event, Recalled)]


async def test_samples_that_disagree_get_the_note_and_one_solve_call() -> None:
    backend = ScriptedBackend([*guesses("5", "10", "5"), NOTED])
    run, events = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([FACT, LESSON]))
    assert backend.roles == ["gate", "reasoner"]
    assert run.state.answer == "2.4"
    prompt = backend.requests[-1].messages[-1].content
    assert prompt.index("Add the rates.") < prompt.index(PROBLEM.text)
    assert "A rate is one over a time." in prompt
    assert "Both are two" not in prompt  # the best of three only
    assert [one.id for one in run.state.recalled] == [LESSON.id]
    assert shown(events) == [1]


async def test_samples_that_agree_need_no_note() -> None:
    backend = ScriptedBackend([*guesses("2.4", "2.40", "12/5"), SOLVED])
    run, events = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON]))
    assert backend.roles == ["gate", "reasoner"]
    assert run.state.answer == "2.4"
    assert run.state.recalled == []
    assert shown(events) == [0]


async def test_without_anything_to_show_it_is_a_plain_solve() -> None:
    exemplar = Experience(content=Exemplar(problem=PROBLEM.text, reasoning="r", answer="2.4"), trust="graded")
    for store in (None, FakeStore(), FakeStore([exemplar])):
        backend = ScriptedBackend([SOLVED])
        state = await final_state(STRATEGY, backend, PROBLEM, store=store)
        assert backend.roles == ["reasoner"]
        assert state.answer == "2.4"


async def test_a_store_that_cannot_be_read_is_a_warning() -> None:
    backend = ScriptedBackend([SOLVED])
    run, events = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON], broken="no disk"))
    assert run.state.answer == "2.4"
    assert any("no disk" in event.message for event in events if isinstance(event, Warned))


async def test_the_query_is_the_first_512_words() -> None:
    words = [f"word{number}" for number in range(600)]
    store = FakeStore()
    await final_state(STRATEGY, ScriptedBackend(["\\boxed{1}"]), Problem(text=" \n".join(words)), store=store)
    (query,) = store.queries
    assert query.text.split() == words[:512]
    assert (query.limit, query.kinds) == (3, ("lesson", "fact"))
    assert query_of(PROBLEM) == PROBLEM.text


class SimilarityStore(FakeStore):
    """Every hit is alike, or none."""

    alike = True

    async def search(self, query: Query) -> list[Hit]:
        return [hit.model_copy(update={"alike": self.alike}) for hit in await super().search(query)]


@pytest.mark.parametrize(("alike", "notes"), [(False, 0), (True, 1)])
async def test_a_note_of_another_kind_of_problem_is_left_out(alike: bool, notes: int) -> None:
    store = SimilarityStore([LESSON])
    store.alike = alike
    backend = ScriptedBackend([NOTED if notes else SOLVED])
    state = await final_state(STRATEGY, backend, PROBLEM, store=store, gate="none")
    assert len(state.recalled) == notes


async def test_without_a_gate_the_note_is_always_shown() -> None:
    backend = ScriptedBackend([NOTED])
    state = await final_state(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON, FACT]), gate="none", notes=2)
    assert len(state.recalled) == 2
    assert "Both are two" in backend.requests[0].messages[-1].content


class Margins(ScriptedBackend):
    """Its tokens have the probability ``likely``, and the second best what is left."""

    likely = 0.9

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        done = await super().complete(request, on_delta)
        if request.logprobs is None:
            return done
        assert request.logprobs == 2
        top = (("a", log(self.likely)), ("b", log(1 - self.likely)))
        tokens = (TokenLogprob(token="a", logprob=log(self.likely), top=top),) * 2
        return [one.model_copy(update={"logprobs": tokens}) for one in done]


@pytest.mark.parametrize(("likely", "noted"), [(0.85, False), (0.83, True)])
async def test_the_paper_s_gate_is_a_margin_of_68_percent(likely: float, noted: bool) -> None:
    opening = Reply(text="First", role="gate", contains=(PROBLEM.text,))
    backend = Margins([opening, NOTED if noted else SOLVED])
    backend.likely = likely
    state = await final_state(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON]), gate="logprobs")
    assert bool(state.recalled) == noted
    assert [request.params.max_tokens for request in backend.requests] == [16, 1024]


async def test_a_backend_without_log_probs_is_said_to_have_none() -> None:
    backend = ScriptedBackend([], capabilities=Capabilities())
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON]), gate="logprobs")
    assert isinstance(run.error, UnsupportedOption)


async def test_a_budget_that_ends_in_the_gate() -> None:
    backend = ScriptedBackend([*guesses("5", "6")])
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, store=FakeStore([LESSON]), budget=Budget(max_calls=2))
    assert run.state.answer is None
    assert run.state.limit is not None
    assert run.state.recalled == []
