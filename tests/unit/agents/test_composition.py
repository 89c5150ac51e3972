"""Compositions run: who is asked when, what is chosen, one budget, one count of samples, resumed and remembered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mathagent.agents.composition import both, first_sure, vote, with_settings
from mathagent.agents.strategy import Strategy
from mathagent.budget import Budget
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.bench_spec import spec_of
from mathagent.evals.dataset import Dataset
from mathagent.evals.records import RecordStore
from mathagent.evals.runner import Benchmark
from mathagent.events import CandidateProposed, Event, Voted
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Solution

PROBLEM = Problem(text="A number x and 4 add up to 10. How many is x?", id="p1")
PLAIN = Capabilities(json_schema=True, seed=True)
CHECK = Reply(
    text=json.dumps(
        {
            "reasoning": "as stated",
            "checks": [{"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}],
        }
    ),
    role="verifier",
)


def words(answer: str) -> Reply:
    return Reply(text=f"So it is \\boxed{{{answer}}}.", role="reasoner")


def program(answer: str) -> Reply:
    return Reply(text=f"```python\ndef solution():\n    return {answer}\n```", role="coder")


NO_ANSWER = Reply(text="I do not know that, sorry: it is not for me to say.", role="coder")


Solved = Callable[..., Awaitable[Solution]]
on_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for all solves: it takes longer to start than they do."""
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


@pytest.fixture
def solved(sandbox: Sandbox) -> Solved:
    """Solves PROBLEM by a strategy, with a model that gives these replies, all of them."""

    async def solved(strategy: str | Strategy, *replies: Reply, **options: Any) -> Solution:
        backend = ScriptedBackend(replies, capabilities=PLAIN)
        async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
            solution = await solver.solve(PROBLEM, strategy, **options)
        backend.assert_finished()
        return solution

    return solved


@on_one_loop
async def test_the_second_is_asked_only_where_the_first_is_unsure(solved: Solved) -> None:
    sure = await solved("pal | cot", program("6"))
    assert (sure.answer, sure.strategy, [one.accepted for one in sure.trials]) == ("6", "pal | cot", [True])
    assert sure.confidence_basis.startswith("pal: 1 sample")
    nothing = await solved("pal | cot", NO_ANSWER, words("6"))
    assert (nothing.answer, [one.strategy for one in nothing.trials]) == ("6", ["pal", "cot"])
    assert nothing.winner == 1
    refuted = await solved("pal | cot", program("1/2"), words("6"))  # a half is no answer to "how many"
    assert (refuted.answer, [one.judgement for one in refuted.trials]) == ("6", ["incorrect", "unsure"])
    doubtful = await solved("(pal | cot)(threshold=0.9)", program("6"), words("7"))
    assert (doubtful.answer, [one.accepted for one in doubtful.trials]) == ("7", [False, False])
    assert doubtful.confidence_basis.startswith("none of pal, cot is sure; cot: ")


@on_one_loop
async def test_where_none_is_sure_the_last_answer_that_stands(solved: Solved) -> None:
    solution = await solved("cot | pal", words("1/2"), program("1/4"))
    assert solution.answer == "0.25"
    assert solution.confidence is not None
    assert solution.confidence < 0.25
    fallback = await solved("(cot | pal)(threshold=0.9)", words("6"), NO_ANSWER)
    assert (fallback.answer, fallback.winner) == ("6", 0)


@on_one_loop
async def test_a_verifier_is_asked_on_request(solved: Solved) -> None:
    solution = await solved("cot | pal", words("14"), CHECK, program("6"), config={"ask_verifier": True})
    assert (solution.answer, [one.judgement for one in solution.trials]) == ("6", ["incorrect", "correct"])
    assert {check.kind for check in solution.certificate} == {"execution", "domain", "substitution"}


@on_one_loop
async def test_of_both_the_better_supported_answer(solved: Solved) -> None:
    agreed = await solved("pal & cot", program("6"), words("6.0"))
    assert (agreed.answer, agreed.confidence) == ("6", 0.75)
    assert agreed.confidence_basis.startswith("2 of 2 strategies agree (pal, cot)")
    checked = await solved("cot & pal", words("14"), program("6"), CHECK)
    assert checked.answer == "6"
    assert checked.confidence_basis.startswith("1 of 2 strategies agree (pal); judged correct")
    surer = {"ask_verifier": False}
    confident = await solved("cot & pal(n=3)", words("14"), *[program("6")] * 3, config=surer)
    assert confident.answer == "6"  # three programs that agree are surer of themselves than one chain
    one = await solved("cot & pal", words("6"), NO_ANSWER)
    assert one.answer == "6"


@on_one_loop
async def test_a_vote_ends_once_it_is_decided(solved: Solved) -> None:
    events: list[Event] = []
    decided = await solved("vote(cot, pal, tir)", words("6"), program("6"), on_event=events.append)
    assert decided.answer == "6"
    assert decided.confidence_basis.startswith("2 of 2 strategies agree (cot, pal)")
    assert [one.stop for one in events if isinstance(one, Voted)] == [False, True]
    tie = await solved("vote(cot, pal)", words("5"), program("6"))
    assert tie.answer == "5"
    none = await solved("vote(pal, pal, cot)", NO_ANSWER, NO_ANSWER, words("6"))
    assert none.answer == "6"  # two that are silent do not agree
    assert none.confidence_basis.startswith("1 of 3 strategies agree (cot)")


@on_one_loop
async def test_answers_that_the_wording_rules_out_decide_no_vote_early(solved: Solved) -> None:
    """A half is no answer to "how many": it loses to any other, also to one that is yet to come."""
    overtaken = await solved("vote(cot, cot, cot)", words("1/2"), words("1/2"), words("6"))
    assert overtaken.answer == "6"
    alone = await solved("vote(cot, cot, cot)", *[words("1/2")] * 3)
    assert (alone.answer, len(alone.trials)) == ("1/2", 3)


@on_one_loop
async def test_nested_as_the_grammar_says(solved: Solved) -> None:
    solution = await solved("pal | vote(cot, cot, cot) & pal", NO_ANSWER, words("6"), words("6"), program("6"))
    assert (solution.answer, solution.strategy) == ("6", "pal | vote(cot, cot, cot) & pal")
    assert [one.strategy for one in solution.trials] == ["pal", "vote(cot, cot, cot) & pal"]
    assert len(solution.candidates) == 4


@on_one_loop
@pytest.mark.parametrize(("calls", "answer", "tried"), [(1, "5", 1), (2, "5", 2), (3, "6", 3)])
async def test_one_budget_for_all(calls: int, answer: str, tried: int, solved: Solved) -> None:
    script = [words("5"), program("6"), words("6")][:calls]
    solution = await solved("vote(cot, pal, cot)", *script, budget=Budget(max_calls=calls))
    assert (solution.answer, solution.usage.calls, solution.stopped) == (
        answer,
        calls,
        "finished" if calls == 3 else "budget",
    )
    assert len(solution.trials) == min(tried + (calls < 3), 3)


@on_one_loop
@pytest.mark.parametrize("text", ["rebase & cot", "vote(rebase, cot)", "(rebase | cot)(threshold=0.9)"])
async def test_what_one_part_leaves_of_the_budget_is_the_next_one_s(text: str, sandbox: Sandbox) -> None:
    """A search keeps 256 of 300 tokens back for one solution, which takes seven: it ends, and 293 are left."""

    def respond(request: ChatRequest, sample: int) -> str:
        return "It is as simple as this: \\boxed{6}" if request.role == "stepper" else "So \\boxed{6}."

    backend = ScriptedBackend(respond, capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        alone = await solver.solve(PROBLEM, "rebase", budget=Budget(max_tokens=300))
        solution = await solver.solve(PROBLEM, text, budget=Budget(max_tokens=300))
    assert (alone.stopped, backend.roles) == ("budget", ["stepper", "stepper", "reasoner"])
    assert (solution.answer, [one.answer for one in solution.trials]) == ("6", ["6", "6"])
    assert solution.stopped == "finished"


@on_one_loop
async def test_samples_are_numbered_through_and_never_drawn_twice(tmp_path: Path, sandbox: Sandbox) -> None:
    """Two parts that ask the same get different samples, with the cache as without it."""

    def by_number(request: ChatRequest, sample: int) -> str:
        return f"It is \\boxed{{{sample}}}."

    text = "vote(cot(temperature=0.7), cot(temperature=0.7, max_tokens=99), self-consistency(over=cot, n=4))"
    for _ in range(2):
        events: list[Event] = []
        backend = ScriptedBackend(by_number, capabilities=PLAIN)
        async with Solver(backend, sandbox=sandbox, checkpoints=False) as solver:
            solution = await solver.solve(PROBLEM, text, on_event=events.append)
        assert [one.answer.normal for one in solution.candidates if one.answer] == ["0", "1", "2", "3", "4", "5"]
        assert [one.sample for one in events if isinstance(one, CandidateProposed)] == list(range(6))
    assert backend.requests == []  # the second time all came from the cache
    assert solution.usage.cached_calls == 6


@on_one_loop
async def test_a_resumed_solve_repeats_no_part_and_goes_on_counting(sandbox: Sandbox) -> None:
    text = "(cot(temperature=0.7) | cot(temperature=0.7))(threshold=0.9)"
    backend = ScriptedBackend([words("5"), Reply(error="down", role="reasoner")], capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        ended = await solver.solve(PROBLEM, text)
    assert (ended.answer, ended.stopped, ended.resumable) == ("5", "error", True)
    backend = ScriptedBackend([words("6")], capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(resume=ended.solve_id)
    backend.assert_finished()
    assert [one.first_sample for one in backend.requests] == [1]
    assert (solution.answer, solution.stopped, solution.usage.calls) == ("6", "finished", 2)
    assert solution.strategy == text


async def test_settings_of_all_reach_the_parts_whose_brackets_do_not_say_otherwise() -> None:
    strategy: Strategy = STRATEGIES.load("pal(n=2) | vote(cot, cot, temperature=0.2)")
    config = strategy.configure({"n": 3, "temperature": 0.9, "max_tokens": 50})
    inner = config.model_dump()["parts"]
    assert [inner[0]["n"], inner[0]["temperature"], inner[0]["max_tokens"]] == [2, 0.9, 50]
    within = inner[1]["parts"][0]
    assert [within["n"], within["temperature"], within["max_tokens"]] == [3, 0.2, 50]
    assert config.most_samples == 2 + 3 + 3
    assert config.sampling_temperature == 0.9
    assert strategy.configure(config.model_dump(mode="json")) == config


async def test_settings_that_cannot_be() -> None:
    for text, settings, error, message in (
        ("pal(n=0)", {}, UsageError, "n = 0 is wrong"),
        ("pal(m=1) | cot", {}, UsageError, "has no setting 'm'"),
        ("pall | cot", {}, UnknownName, "did you mean pal"),
        ("pal(n=4)", {"n": 5}, UsageError, "says n itself"),
        ("pal | cot", {"threshold": 2}, UsageError, "threshold = 2 is wrong"),
        ("pal | cot", {"n": 0}, UsageError, "'pal': n = 0 is wrong"),
        ("pal | cot", {"parts": [{}]}, UsageError, "of 2 strategies"),
        ("vote(pal, cot)", {"threshold": 0.5}, UsageError, "has no setting 'threshold'"),
    ):
        with pytest.raises(error, match=message):
            STRATEGIES.load(text).configure(settings)
    assert STRATEGIES.load("pal(n=4)").configure({"n": 4}).n == 4


@on_one_loop
async def test_python_says_the_same_as_the_text(solved: Solved) -> None:
    pal, cot, tir = (STRATEGIES.load(name) for name in ("pal", "cot", "tir"))
    made = first_sure(with_settings(pal, n=4), vote(cot, tir))
    assert made is STRATEGIES.load("pal(n=4) | vote(cot, tir)")
    assert first_sure(first_sure(pal, cot), tir) is STRATEGIES.load("pal | cot | tir")
    assert both(pal, first_sure(cot, tir)).name == "pal & (cot | tir)"
    assert with_settings(first_sure(pal, cot), threshold=0.7).name == "(pal | cot)(threshold=0.7)"
    assert with_settings(vote(pal, cot), n=2).name == "vote(pal, cot, n=2)"
    solution = await solved(first_sure(pal, cot), program("6"))
    assert solution.strategy == "pal | cot"
    with pytest.raises(UsageError, match="brackets already"):
        with_settings(with_settings(pal, n=4), n=5)
    with pytest.raises(UsageError, match="two strategies at least"):
        vote(pal)


def test_what_the_whole_is_follows_from_its_parts() -> None:
    strategy: Strategy = STRATEGIES.load("pal | cot")
    assert set(STRATEGIES.load("cot").prompts) < set(strategy.prompts)
    assert "arXiv 2211.10435" in strategy.paper
    assert "arXiv 2205.11916" in strategy.paper
    assert STRATEGIES.path("pal | cot") == "mathagent.agents.composition:composed"
    with pytest.raises(UnknownName, match="did you mean pal"):
        STRATEGIES.path("cot | pall")


@on_one_loop
async def test_records_keep_the_composition_and_all_settings_of_its_parts(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    problem = Problem(text=PROBLEM.text, id="p1", reference="6")
    spec = spec_of({"strategies": ["pal|cot( n=1 )"], "datasets": ["x"]}, "test")
    store = RecordStore(tmp_path / "runs.db")
    backend = ScriptedBackend([program("6")], capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="x", problems=(problem,)))
        (record,) = await benchmark.run(spec.all_arms(), lambda record, known: None)
    store.close()
    assert (record.strategy, record.outcome) == ("pal | cot(n=1)", "correct")
    assert record.solution is not None
    assert record.solution.strategy == record.strategy
    assert record.config == record.solution.config
    assert [part["timeout_s"] for part in record.config["parts"][:1]] == [10.0]  # type: ignore[index, union-attr, call-overload]


@on_one_loop
async def test_memory_learns_how_each_part_came_out(tmp_path: Path, sandbox: Sandbox) -> None:
    memory = SqliteStore(tmp_path / "memory.db", HashedEmbedder())
    backend = ScriptedBackend([words("14"), program("6"), CHECK], capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False, memory=memory, memory_mode="learn") as solver:
        solution = await solver.solve(PROBLEM, "cot & pal")
        await solver.memory.remember(solution, STRATEGIES.load("cot & pal"), right=True)
    known = {one.content.strategy: one.content.success async for one in memory.scan(("statistics",))}  # type: ignore[union-attr]
    kinds = [one.kind async for one in memory.scan()]
    await memory.aclose()
    assert known["cot & pal"] is True
    assert known["pal"] is True
    assert "exemplar" in kinds
