"""The checks scorer: verdicts of executed checks as scores, with a script and the real sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from mathagent.agents.context import RunContext
from mathagent.agents.scoring.checks import CHECKS, candidate_of
from mathagent.budget import Budget
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.types import Execution, Problem, Step
from tests.unit.agents.scripted_context import scripted_context

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROBLEM = Problem(text="Find the number n with 3 * n + 5 = 26.")
PROPOSED = json.dumps(
    {
        "reasoning": "Put it in.",
        "checks": [{"kind": "substitution", "equations": ["3*n + 5 = 26"], "asked": "n"}],
    }
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


def said(answer: str) -> list[Step]:
    return [Step(kind="thought", text=f"So \\boxed{{{answer}}}")]


def context_of(backend: ScriptedBackend, sandbox: Sandbox, budget: Budget | None = None) -> RunContext:
    context, _ = scripted_context(backend, budget=budget)
    return replace(context, sandbox=sandbox)


async def test_checks_are_proposed_once_and_run_for_each_answer(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([Reply(text=PROPOSED, role="verifier", lacks=("\\boxed",))])
    context = context_of(backend, sandbox)
    scores = await CHECKS.score(
        context, PROBLEM, [said("7"), said("8"), [Step(kind="thought", text="?")], said("7")]
    )
    assert [score.value for score in scores] == [1.0, 0.0, None, 1.0]
    assert scores[1].note == "substitution fails"
    assert scores[2].note == "there is no answer to check"
    backend.assert_finished()


async def test_what_cannot_be_tested_stands_between(sandbox: Sandbox) -> None:
    for backend in (
        ScriptedBackend(lambda request, sample: "Bananas!"),
        ScriptedBackend(lambda request, sample: Reply(error="it is down")),
    ):
        (score,) = await CHECKS.score(context_of(backend, sandbox), PROBLEM, [said("7")])
        assert score.value == 0.5
        assert score.note


async def test_without_a_budget_the_free_checks_are_left(sandbox: Sandbox) -> None:
    context = context_of(ScriptedBackend(["x"]), sandbox, Budget(max_calls=1))
    context.meter.reserve(1, 1)
    problem = Problem(text="How many apples are left?")
    scores = await CHECKS.score(context, problem, [said("1/2"), said("3")])
    assert [score.value for score in scores] == [0.0, 0.5]  # half an apple is none
    assert scores[0].limit == "the budget of 1 calls is used up"


async def test_a_program_s_value_is_the_answer(sandbox: Sandbox) -> None:
    code = "def solution():\n    return 3 * 7 + 5"
    steps = [
        Step(kind="code", text=code),
        Step(kind="observation", text="26", origin="tool", execution=Execution(status="ok", value="26")),
    ]
    context = context_of(ScriptedBackend([]), sandbox)
    candidate = await candidate_of(context, PROBLEM, steps)
    assert candidate.answer is not None
    assert candidate.answer.normal == "26"
    assert [check.program for check in candidate.checks] == [f"{code}\nsolution()"]
