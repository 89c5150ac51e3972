"""smart-meta against the deterministic test of its card: who goes first, who next, and what is learnt of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from langgraph.graph import StateGraph

from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.blocks.strategy_choice import first_attempts, outcome_records
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.saver import open_saver
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget
from mathagent.errors import BackendError, UnknownName, UsageError
from mathagent.events import CandidateProposed, PlanMade
from mathagent.memory.experience import Experience, Provenance, StrategyStatistics
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.strategies import STRATEGIES
from mathagent.strategies.smart_meta import STRATEGY
from mathagent.types import Answer, Candidate, Message, Problem, SamplingParams, Step
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.graph_solve import final_state, graph_solve

pytestmark = pytest.mark.asyncio(loop_scope="module")

Machinery = tuple[Sandbox, AnswerComparer]
PROBLEM = Problem(text="A number x and 4 add up to 10. What is x?", id="p1")
LIKE_IT = Problem(text="A number x and 4 add up to 10. What is the number x?", id="p2")
PLAIN = Capabilities(json_schema=True, seed=True)
MODEL = "script:test"


def stub(name: str) -> Strategy:
    """A strategy that asks once, as a role of its own name."""

    def build(config: StrategyConfig) -> StateGraph[Any, Any, Any, Any]:
        async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
            messages = (Message(role="user", content=problem_text(problem)),)
            params = SamplingParams(temperature=config.sampling_temperature, max_tokens=config.max_tokens)
            drafts, limit = await draw(context, messages, params, role=name, first_sample=sample)
            if not drafts or drafts[0].completion is None:
                return Candidate(), limit
            reply = drafts[0].completion
            steps = (Step(kind="thought", text=reply.text),)
            stated = stated_answer(reply)
            if isinstance(stated, Answer):
                return Candidate(steps=steps, answer=stated), limit
            return Candidate(steps=steps, failure=stated), limit

        return propose_then_vote("ask", config.n, propose)

    return Strategy(name=name, summary=name, paper="", config=StrategyConfig, build=build, prompts=())


A, B, C = stub("a"), stub("b"), stub("c")
ABC = ("a", "b", "c")


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ABC:
        monkeypatch.setitem(STRATEGIES.table, name, f"{__name__}:{name.upper()}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machinery() -> AsyncIterator[Machinery]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    calls = ConfinedCalls()
    yield sandbox, AnswerComparer(calls.call)
    await sandbox.aclose()
    await calls.aclose()


def says(name: str, answer: str) -> Reply:
    return Reply(text=f"{name} says \\boxed{{{answer}}}", role=name, contains=(PROBLEM.text[:20],))


SUBSTITUTION = {"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}
CHECK = Reply(text=json.dumps({"reasoning": "as stated", "checks": [SUBSTITUTION]}), role="verifier")
NO_CHECK = Reply(text=json.dumps({"reasoning": "none fits", "checks": []}), role="verifier")
SET: dict[str, Any] = {"strategies": ABC, "epsilon": 0.0}


def script(*replies: Reply) -> ScriptedBackend:
    return ScriptedBackend(replies, capabilities=PLAIN)


def recorded(state: SolveState, run: str = "s1") -> list[Experience]:
    return outcome_records(state.problem, state.trials, Provenance(run=run, model=MODEL))


def outcomes(records: Sequence[Experience]) -> list[tuple[str, bool]]:
    contents = [one.content for one in records]
    return [(one.strategy, one.success) for one in contents if isinstance(one, StrategyStatistics)]


async def test_after_a_rejection_the_next_and_next_time_that_one_first(machinery: Machinery) -> None:
    store = FakeStore()
    backend = script(says("a", "14"), CHECK, says("b", "6"))
    state = await final_state(STRATEGY, backend, PROBLEM, store=store, machinery=machinery, **SET)
    assert backend.roles == ["a", "verifier", "b"]
    assert state.answer == "6"
    assert state.confidence_basis.startswith("solved after a, b; 1 of 1 samples agree; judged correct")
    assert [(one.strategy, one.answer, one.judgement, one.accepted) for one in state.trials] == [
        ("a", "14", "incorrect", False),
        ("b", "6", "correct", True),
    ]
    assert [one.tokens for one in state.trials] == [3, 3]
    records = recorded(state)
    assert outcomes(records) == [("a", False), ("b", True)]
    (training,) = first_attempts(PROBLEM, state.trials, state.candidates)
    assert (training.problem, training.strategy, training.solution) == (PROBLEM.text, "b", "b says \\boxed{6}")
    assert training.first_attempt

    await store.add(records)
    backend = script(says("b", "6"), CHECK)
    run, events = await graph_solve(STRATEGY, backend, LIKE_IT, store=store, machinery=machinery, **SET)
    assert backend.roles == ["b", "verifier"]
    assert run.state.answer == "6"
    (plan,) = [event.text for event in events if isinstance(event, PlanMade)]
    assert [line.split(":")[0] for line in plan.splitlines()] == ["1. b", "2. c", "3. a"]
    assert "success 0.60 on similar problems" in plan


async def test_where_all_are_wrong_each_is_tried_once(machinery: Machinery) -> None:
    backend = script(says("a", "14"), CHECK, says("b", "15"), says("c", "16"))
    state = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, **SET)
    assert backend.roles == ["a", "verifier", "b", "c"]
    assert state.confidence_basis.startswith("unsolved after a, b, c; ")
    assert state.confidence is not None
    assert state.confidence < 0.5
    assert not any(one.accepted for one in state.trials)
    assert outcomes(recorded(state)) == [("a", False), ("b", False), ("c", False)]
    assert first_attempts(PROBLEM, state.trials, state.candidates) == []


async def test_no_more_tries_than_n(machinery: Machinery) -> None:
    backend = script(says("a", "14"), CHECK, says("b", "15"))
    state = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, n=2, **SET)
    assert [one.strategy for one in state.trials] == ["a", "b"]


async def test_ties_keep_the_order_of_the_setting(machinery: Machinery) -> None:
    for order in (("c", "a", "b"), ("b", "c", "a")):
        backend = script(says(order[0], "6"), NO_CHECK)
        state = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, strategies=order, epsilon=0.0)
        assert state.ranking == order


async def test_exploration_is_decided_by_problem_and_seed(machinery: Machinery) -> None:
    async def ranking(seed: int) -> tuple[str, ...]:
        backend = ScriptedBackend(lambda request, sample: "\\boxed{6}", capabilities=PLAIN)
        run, _ = await graph_solve(
            STRATEGY,
            backend,
            PROBLEM,
            machinery=machinery,
            seed=seed,
            strategies=ABC,
            epsilon=1.0,
            ask_verifier=False,
        )
        assert run.error is None
        return run.state.ranking

    rankings = [await ranking(seed) for seed in range(8)]
    assert {one[0] for one in rankings} == {"b", "c"}
    assert rankings == [await ranking(seed) for seed in range(8)]
    assert all(sorted(one) == list(ABC) for one in rankings)


async def test_an_unsure_answer_is_taken_or_needs_another_that_agrees(machinery: Machinery) -> None:
    state = await final_state(STRATEGY, script(says("a", "6"), NO_CHECK), PROBLEM, machinery=machinery, **SET)
    assert (state.answer, state.trials[0].judgement) == ("6", "unsure")
    assert recorded(state) == []  # nobody knows whether it is right
    backend = script(says("a", "6"), NO_CHECK, says("b", "7"), says("c", "6.0"))
    strict = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, accept="correct", **SET)
    assert strict.answer == "6"
    assert [one.accepted for one in strict.trials] == [False, False, True]
    assert strict.confidence_basis.startswith("solved after a, b, c; 2 of 3 samples agree")


async def test_a_strategy_without_an_answer_is_rejected_unchecked(machinery: Machinery) -> None:
    backend = script(Reply(text="who knows", role="a"), says("b", "6"), CHECK)
    state = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, **SET)
    assert state.answer == "6"
    assert outcomes(recorded(state)) == [("a", False), ("b", True)]
    silent = script(*(Reply(text="who knows", role=name) for name in ABC))
    assert (await final_state(STRATEGY, silent, PROBLEM, machinery=machinery, **SET)).answer is None


async def test_outcomes_of_other_models_and_of_nobody_s_judgement_do_not_count(machinery: Machinery) -> None:
    def failed(model: str, trust: Any) -> Experience:
        content = StrategyStatistics(problem=PROBLEM.text, strategy="a", model=model, success=False)
        where = Provenance(run=model, model=model, strategy="a")
        return Experience(content=content, trust=trust, provenance=where)

    for experience, first in (
        (failed("other", "graded"), "a"),
        (failed(MODEL, "unchecked"), "a"),
        (failed(MODEL, "judged"), "b"),
    ):
        backend = script(says(first, "6"), NO_CHECK)
        store = FakeStore([experience])
        state = await final_state(STRATEGY, backend, PROBLEM, store=store, machinery=machinery, **SET)
        assert state.ranking[0] == first
    assert [(one.kinds, one.strategy) for one in store.queries] == [(("statistics",), name) for name in ABC]


async def test_samples_are_numbered_through_and_settings_go_to_the_strategies(machinery: Machinery) -> None:
    backend = script(says("a", "14"), says("a", "14"), CHECK, says("b", "6"))
    more = {**SET, "temperature": 0.3, "max_tokens": 99}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.A", two_samples())
        run, events = await graph_solve(STRATEGY, backend, PROBLEM, machinery=machinery, **more)
    assert [event.sample for event in events if isinstance(event, CandidateProposed)] == [0, 1, 2]
    assert [one.candidate for one in run.state.trials] == [0, 2]
    assert {(one.params.temperature, one.params.max_tokens) for one in backend.requests if one.role in ABC} == {
        (0.3, 99)
    }


def two_samples() -> Strategy:
    class Two(StrategyConfig):
        """Two samples."""

        n: int = 2

    return Strategy(name="a", summary="a", paper="", config=Two, build=stub("a").build, prompts=())


@pytest.mark.parametrize(("calls", "answer", "tried"), [(1, "14", 1), (2, "14", 2), (3, "6", 2)])
async def test_one_budget_for_all(machinery: Machinery, calls: int, answer: str, tried: int) -> None:
    backend = script(says("a", "14"), CHECK, says("b", "6"))
    budget = Budget(max_calls=calls)
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, machinery=machinery, budget=budget, **SET)
    assert run.state.answer == answer
    assert len(run.state.trials) == tried
    assert len(backend.requests) == calls
    assert (run.state.limit is None) == (calls == 3)


async def test_a_resumed_solve_does_not_repeat_a_try(machinery: Machinery, tmp_path: Path) -> None:
    saver = await open_saver(tmp_path / "solve.db")
    backend = script(says("a", "14"), CHECK, Reply(error="down", role="b"))
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, machinery=machinery, saver=saver, **SET)
    assert isinstance(run.error, BackendError)
    await saver.aclose(delete=False)

    saver = await open_saver(tmp_path / "solve.db", create=False)
    assert await saver.restored() is not None
    backend = script(says("b", "6"))
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, machinery=machinery, saver=saver, resume=True, **SET)
    await saver.aclose(delete=True)
    assert backend.roles == ["b"]
    assert run.state.answer == "6"
    assert [one.strategy for one in run.state.trials] == ["a", "b"]


async def test_settings_that_cannot_be() -> None:
    for names, error, message in (
        (["smart-meta"], UsageError, "one of its own"),
        (["a", "mathagent.strategies.smart_meta:STRATEGY"], UsageError, "one of its own"),
        (["a", "nothing"], UnknownName, "nothing"),
        (["a", "b", "a"], UsageError, "twice"),
        ([], UsageError, "strategies"),
    ):
        with pytest.raises(error, match=message):
            STRATEGY.configure({"strategies": names})
    assert STRATEGY.configure(STRATEGY.configure({}).model_dump(mode="json")) == STRATEGY.configure({})


async def test_the_published_strategies_are_run_as_they_are(machinery: Machinery) -> None:
    """cot's answer fails its check; pal's program is run, and is part of the evidence."""
    program = Reply(text="```python\ndef solution():\n    return 10 - 4\n```", role="coder")
    backend = script(Reply(text="So \\boxed{14}", role="reasoner"), CHECK, program)
    state = await final_state(STRATEGY, backend, PROBLEM, machinery=machinery, epsilon=0.0)
    assert state.answer == "6"
    assert [one.strategy for one in state.trials] == ["cot", "pal"]
    assert {check.kind for check in state.certificate} == {"execution", "substitution"}
