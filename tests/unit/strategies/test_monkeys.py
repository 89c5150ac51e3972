"""monkeys: a fixed number of samples in windows, all kept, with how different they are; then a plain choice."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Event, Voted
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Solution

QUESTION = "Find the number n with 3 * n + 5 = 26."
CHECKS = json.dumps(
    {
        "reasoning": "Put it in.",
        "checks": [{"kind": "substitution", "equations": ["3*n + 5 = 26"], "asked": "n"}],
    }
)


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
            "monkeys",
            budget=budget,
            config=config,
            on_event=None if events is None else events.append,
        )


def test_defaults_are_stated() -> None:
    config = STRATEGIES.load("monkeys").configure({})
    assert (config.n, config.temperature, config.over, config.select) == (100, 0.6, "cot", "majority")


async def test_all_samples_are_drawn_whatever_they_say() -> None:
    texts = ["\\boxed{7}", "so \\boxed{7}", "\\boxed{8}", "\\boxed{7}", "\\boxed{7.0}"]
    backend = ScriptedBackend(texts)
    events: list[Event] = []
    solution = await solve(backend, n=5, window=2, events=events)
    assert solution.answer == "7"
    assert [(request.first_sample, request.params.n) for request in backend.requests] == [(0, 2), (2, 2), (4, 1)]
    assert {request.params.temperature for request in backend.requests} == {0.6}
    assert len(solution.candidates) == 5
    spread = "2 different answers and 4 different texts in 5 samples"
    assert solution.confidence_basis.startswith(f"4 of 5 samples agree; {spread}")
    (voted,) = [event for event in events if isinstance(event, Voted)]
    assert (voted.classes, voted.reason) == ((("7", 4), ("8", 1)), spread)
    backend.assert_finished()


async def test_checks_may_find_what_the_majority_misses() -> None:
    samples = ["\\boxed{8}", "\\boxed{8}", "\\boxed{7}"]
    assert (await solve(ScriptedBackend(samples), n=3)).answer == "8"
    backend = ScriptedBackend([*samples, Reply(text=CHECKS, role="verifier")])
    solution = await solve(backend, n=3, select="checks")
    assert solution.answer == "7"
    assert [check.kind for check in solution.certificate] == ["substitution"]
    assert "2 different answers" in solution.confidence_basis
    backend.assert_finished()


async def test_ends_of_all_kinds() -> None:
    tiny = await solve(
        ScriptedBackend(lambda request, number: "\\boxed{7}"), n=5, window=2, budget=Budget(max_calls=3)
    )
    assert (tiny.answer, tiny.stopped, len(tiny.candidates)) == ("7", "budget", 3)
    silent = ScriptedBackend(lambda request, number: "" if request.role == "extractor" else "Bananas!")
    nonsense = await solve(silent, n=3)
    assert nonsense.answer is None
    assert {candidate.failure.kind for candidate in nonsense.candidates if candidate.failure} == {"no-answer"}
    assert "0 different answers" in nonsense.confidence_basis
    with pytest.raises(BackendError, match="it is down"):
        await solve(ScriptedBackend(lambda request, number: Reply(error="it is down")), n=3)


async def test_an_endpoint_that_dies_in_between_leaves_what_there_is() -> None:
    def respond(request: ChatRequest, number: int) -> Reply:
        return Reply(text="\\boxed{7}") if number < 2 else Reply(error="it is down")

    solution = await solve(ScriptedBackend(respond), n=4, window=2)
    assert (solution.answer, solution.stopped) == ("7", "error")
    assert len(solution.candidates) == 2
