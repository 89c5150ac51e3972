"""auto: what is called, in which order, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mathagent.budget import Budget
from mathagent.events import Event, Voted
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies.auto import computes
from mathagent.types import Problem, Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "The sum of a number x and 4 is 10. What is x?"
PLAIN = Capabilities(json_schema=True, seed=True)


async def solve(
    sandbox: Sandbox,
    backend: ScriptedBackend,
    problem: str = QUESTION,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(
            problem, "auto", budget=budget, config=config, on_event=events.append if events is not None else None
        )
    backend.assert_finished()
    return solution


def words(answer: object) -> Reply:
    return Reply(text=f"So it is \\boxed{{{answer}}}.", role="reasoner")


def program(value: int, comment: str = "") -> Reply:
    body = f"total = {value} + 4 + 1\n    return total - 4 - 1  # {comment}"
    return Reply(text=f"```python\ndef solution():\n    {body}\n```", role="coder")


def proposal(*checks: Mapping[str, object]) -> Reply:
    return Reply(text=json.dumps({"reasoning": "put it in", "checks": list(checks)}), role="verifier")


SUBSTITUTION = {"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}


async def test_views_that_agree_are_enough(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([words(6), program(6)], capabilities=PLAIN)
    solution = await solve(sandbox, backend)
    assert solution.answer == "6"
    assert backend.roles == ["reasoner", "coder"]
    assert all(request.params.temperature == 0 for request in backend.requests)
    assert "2 of 2 samples agree" in solution.confidence_basis
    assert any(check.kind == "execution" and check.outcome == "holds" for check in solution.certificate)


async def test_views_that_differ_are_followed_by_windows_until_the_lead_is_clear(sandbox: Sandbox) -> None:
    window = [program(6, "a"), program(6, "b"), program(6, "c"), words(6)]
    backend = ScriptedBackend([words(7), program(6), *window, *window], capabilities=PLAIN)
    events: list[Event] = []
    solution = await solve(sandbox, backend, events=events)
    assert solution.answer == "6"
    assert backend.roles == ["reasoner", "coder", *["coder", "coder", "coder", "reasoner"] * 2]
    assert [request.params.temperature for request in backend.requests] == [0, 0, *[0.7] * 8]
    voted = [event for event in events if isinstance(event, Voted)]
    assert [event.classes for event in voted] == [(("6", 5), ("7", 1)), (("6", 9), ("7", 1))]
    assert [event.stop for event in voted] == [False, True]


async def test_where_no_lead_is_clear_executed_checks_decide(sandbox: Sandbox) -> None:
    replies = [words(77), program(6), program(77, "a"), words(77), proposal(SUBSTITUTION)]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, n=4, programs=1, words=1)
    assert backend.roles[-1] == "verifier"
    assert all("77" not in message.content for message in backend.requests[-1].messages)
    assert solution.answer == "6"  # one vote against three, but it alone fulfils the equation
    assert "judged correct" in solution.confidence_basis
    assert any(check.kind == "substitution" and check.outcome == "holds" for check in solution.certificate)


async def test_an_answer_that_fails_its_checks_is_repaired(sandbox: Sandbox) -> None:
    fixed = Reply(text=program(6).text, role="refiner", contains=("does not hold",))
    replies = [words(8), program(7), program(7, "a"), words(8), proposal(SUBSTITUTION), fixed]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, n=4, programs=1, words=1)
    assert solution.answer == "6"
    assert len(solution.candidates) == 5


async def test_what_has_no_numbers_is_reasoned_in_words_alone(sandbox: Sandbox) -> None:
    question = "Which is the only regular polyhedron whose faces are pentagons?"
    replies = [words("dodecahedron"), *[words("dodecahedron")] * 4]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, question)
    assert set(backend.roles) == {"reasoner"}
    assert solution.answer == "dodecahedron"


async def test_a_budget_ends_it_with_the_best_so_far(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([words(7), program(6)], capabilities=PLAIN)
    solution = await solve(sandbox, backend, budget=Budget(max_calls=2))
    assert solution.stopped == "budget"
    assert solution.answer in ("6", "7")


async def test_failed_views_are_data(sandbox: Sandbox) -> None:
    broken = Reply(text="```python\ndef solution():\n    return 1 / 0\n```", role="coder")
    replies = [words(6), broken, program(6, "a"), program(6, "b"), program(6, "c"), words(6)]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN))
    assert solution.answer == "6"
    assert solution.candidates[1].failure is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 2 + 2?", True),
        ("How many legs have two cats?", True),
        ("Find \\int x dx.", True),
        ("Name the curve of a hanging chain.", False),
    ],
)
async def test_whether_a_program_could_help(text: str, expected: bool) -> None:
    assert computes(Problem(text=text)) is expected
