"""Every strategy ends well, and says why, whatever it meets: a small budget, a dead endpoint, nonsense, no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from mathagent.agents.strategy import Strategy
from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.evals.failures import failure_kind
from mathagent.events import Asked, Event
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import ChatRequest, OnDelta
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Completion, Problem, Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROBLEM = Problem(text="Ann has 3 bags with 2 apples each and eats one apple. How many apples are left?", id="p1")
COMPOSITIONS = ("pal | cot", "cot & pal", "vote(cot, pal | tir, cot(temperature=0.7))")
NAMES = (*STRATEGIES.table, *COMPOSITIONS)
every_strategy = pytest.mark.parametrize("name", NAMES)

NONSENSE = "Qua! ]} <<\\frac{ {{ moo | \x00 … `` ([ === " * 5
PROGRAM = "```python\ndef solution():\n    return 3 * 2 - 1\n```"
WORDS = " ".join(["Each bag holds two apples, and one is eaten."] * 12)
"""108 tokens."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


class DeadBackend(ScriptedBackend):
    """An endpoint at which nobody is."""

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        self.requests.append(request)
        raise BackendError("nobody is there")


def speaking(request: ChatRequest, sample: int) -> str:
    """A model that can do it, at some length, and keeps to its limit of tokens (words)."""
    is_new = "```output" not in request.messages[-1].content
    text = PROGRAM if request.role in ("coder", "fixer") and is_new else f"{WORDS} So the answer is \\boxed{{5}}."
    words = text.split(" ")
    return text if len(words) <= request.params.max_tokens else " ".join(words[: request.params.max_tokens])


def has_a_reason(solution: Solution) -> bool:
    """Whether a solution without an answer says why; with one, what it rests on."""
    for candidate in solution.candidates:
        assert (candidate.answer is None) != (candidate.failure is None)
    if solution.stopped == "budget":
        assert solution.detail
    assert solution.confidence_basis or solution.detail
    return solution.answer is not None or failure_kind(solution, choices=False, reason="no answer") != "wrong"


def counted_calls(solution: Solution, events: list[Event]) -> int:
    """The samples of a solve, but for those that asked a typed question again."""
    return solution.usage.calls - sum(max(0, one.attempts - 1) for one in events if isinstance(one, Asked))


@every_strategy
async def test_a_budget_of_300_tokens(name: str, sandbox: Sandbox) -> None:
    backend = ScriptedBackend(speaking)
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        solution = await solver.solve(PROBLEM, name, budget=Budget(max_tokens=300))
    assert 0 < solution.usage.completion_tokens <= 300
    assert solution.stopped in ("finished", "budget")
    assert has_a_reason(solution)


@every_strategy
async def test_a_dead_endpoint(name: str, sandbox: Sandbox) -> None:
    backend = DeadBackend([])
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        with pytest.raises(BackendError, match="nobody is there"):
            await solver.solve(PROBLEM, name)
    assert backend.requests


@every_strategy
async def test_a_model_that_answers_nonsense(name: str, sandbox: Sandbox) -> None:
    events: list[Event] = []
    backend = ScriptedBackend(lambda request, sample: NONSENSE)
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        solution = await solver.solve(PROBLEM, name, on_event=events.append)
    assert (solution.answer, solution.stopped) == (None, "finished")
    assert has_a_reason(solution)
    strategy: Strategy = STRATEGIES.load(name)
    if strategy.calls is not None:
        assert counted_calls(solution, events) <= strategy.calls[1]


@every_strategy
async def test_a_model_that_never_says_the_same_twice(name: str, sandbox: Sandbox) -> None:
    """Nothing agrees, so that as much is asked as ever is."""
    events: list[Event] = []
    numbers = count(1)

    def another(request: ChatRequest, sample: int) -> str:
        number = next(numbers)
        program = f"```python\ndef solution():\n    return {number}\n```"
        return program if request.role in ("coder", "fixer") else f"So the answer is \\boxed{{{number}}}."

    async with Solver(ScriptedBackend(another), sandbox=sandbox, cache=False, checkpoints=False) as solver:
        solution = await solver.solve(PROBLEM, name, on_event=events.append)
    assert solution.stopped == "finished"
    assert has_a_reason(solution)
    strategy: Strategy = STRATEGIES.load(name)
    if strategy.calls is not None:
        assert strategy.calls[0] <= solution.usage.calls
        assert counted_calls(solution, events) <= strategy.calls[1]


@every_strategy
async def test_an_empty_memory(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    events: list[Event] = []
    memory = SqliteStore(tmp_path / "memory.db", HashedEmbedder())
    backend = ScriptedBackend(speaking)
    async with Solver(
        backend, sandbox=sandbox, cache=False, checkpoints=False, memory=memory, memory_mode="learn"
    ) as solver:
        solution = await solver.solve(PROBLEM, name, on_event=events.append)
    await memory.aclose()
    assert solution.stopped == "finished"
    assert solution.recalled == ()
    assert has_a_reason(solution)
    strategy: Strategy = STRATEGIES.load(name)
    if strategy.calls is not None:
        assert strategy.calls[0] <= solution.usage.calls
        assert counted_calls(solution, events) <= strategy.calls[1]
