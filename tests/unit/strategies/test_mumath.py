"""mumath against the deterministic test of its card: knowledge first, an error that is mended, the majority."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What is 2 + 3?"
KNOWLEDGE = "Helpful knowledge: a sum does not depend on the order of its terms."
PLAIN = Capabilities(n=True, seed=True, json_schema=True)


def block(code: str) -> str:
    return f"```python\n{code}\n```"


async def solve(
    sandbox: Sandbox, backend: ScriptedBackend, *, budget: Budget | None = None, **config: object
) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        return await solver.solve(QUESTION, "mumath", budget=budget, config=config)


async def test_an_error_goes_back_and_is_mended(sandbox: Sandbox) -> None:
    wrong, right = "def f():\n    return a + 3\nprint(f())", "def f():\n    return 2 + 3\nprint(f())"
    script = [
        Reply(text=f"{KNOWLEDGE}\n{block(wrong)}", role="coder", contains=(QUESTION, "First name", "knowledge")),
        Reply(text=block(right), contains=("NameError: name 'a' is not defined",)),
        Reply(text="So it is \\boxed{5}.", contains=("```output\n5\n```",)),
    ]
    backend = ScriptedBackend(script)
    solution = await solve(sandbox, backend)
    backend.assert_finished()
    assert solution.answer == "5"
    [candidate] = solution.candidates
    assert [step.text for step in candidate.steps if step.kind == "code"] == [wrong, right]
    observed = [step for step in candidate.steps if step.kind == "observation"]
    assert observed[0].text.splitlines()[-1] == "NameError: name 'a' is not defined"
    # What is trained on goes by origin: not what the interpreter wrote.
    assert [step.origin for step in candidate.steps] == ["model", "model", "tool", "model", "tool", "model"]
    assert {(one.params.temperature, one.params.max_tokens) for one in backend.requests} == {(0.0, 1024)}


async def test_the_prompt_of_tora_knows_no_knowledge(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([Reply(text="\\boxed{5}", contains=(QUESTION,), lacks=("knowledge",))])
    assert (await solve(sandbox, backend, knowledge_first=False)).answer == "5"


async def test_four_rounds_at_most(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([f"Step.\n{block(f'print({number})')}" for number in range(4)])
    solution = await solve(sandbox, backend)
    backend.assert_finished()
    assert solution.answer is None
    assert solution.candidates[0].failure is not None


async def test_the_majority_is_the_answer(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(["\\boxed{5}", "\\boxed{6}", "\\boxed{5.0}"], max_parallel=1)
    solution = await solve(sandbox, backend, n=3)
    backend.assert_finished()
    assert solution.answer == "5"
    assert "2 of 3 samples agree" in solution.confidence_basis
    assert [request.first_sample for request in backend.requests] == [0, 1, 2]


async def test_further_samples_solve_the_problem_in_other_words(sandbox: Sandbox) -> None:
    def respond(request: object, sample: int) -> str:
        if getattr(request, "role", "") == "rephraser":
            return json.dumps({"reasoning": "turned", "problem": "Add 3 to 2."} if sample == 1 else {"blub": 1})
        return "\\boxed{5}"

    backend = ScriptedBackend(respond, capabilities=PLAIN)
    solution = await solve(sandbox, backend, n=3, rephrase=True)
    assert solution.answer == "5"
    asked = {one.first_sample: one.messages[-1].content for one in backend.requests if one.role == "coder"}
    assert QUESTION in asked[0]
    assert "Add 3 to 2." in asked[1]
    assert QUESTION not in asked[1]
    assert QUESTION in asked[2]  # what could not be read leaves the problem as it is


async def test_other_words_that_lose_a_number_are_not_solved(sandbox: Sandbox) -> None:
    def respond(request: object, sample: int) -> str:
        if getattr(request, "role", "") == "rephraser":
            return json.dumps({"reasoning": "", "problem": "Add 21 to 30."})
        return "\\boxed{42}"

    backend = ScriptedBackend(respond, capabilities=PLAIN)
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        await solver.solve("What is 12 + 30?", "mumath", config={"n": 2, "rephrase": True})
    assert all("12 + 30" in one.messages[-1].content for one in backend.requests if one.role == "coder")


@pytest.mark.parametrize(("calls", "answer"), [(1, None), (2, "5")])
async def test_a_budget_that_ends_keeps_the_best_so_far(sandbox: Sandbox, calls: int, answer: str | None) -> None:
    backend = ScriptedBackend([block("print(2 + 3)"), "\\boxed{5}"][:calls])
    solution = await solve(sandbox, backend, budget=Budget(max_calls=calls))
    assert solution.answer == answer
    assert solution.stopped == ("finished" if answer else "budget")


async def test_nonsense_ends_without_an_answer_and_says_why(sandbox: Sandbox) -> None:
    solution = await solve(sandbox, ScriptedBackend(["Blub."]))
    assert solution.answer is None
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "no-answer"


async def test_an_endpoint_that_is_dead_or_dies(sandbox: Sandbox) -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(sandbox, ScriptedBackend([Reply(error="down")] * 3), n=3)
    one_dies = ScriptedBackend(
        [Reply(text="\\boxed{5}"), Reply(error="down"), Reply(text="\\boxed{5}")], max_parallel=1
    )
    solution = await solve(sandbox, one_dies, n=3)
    assert (solution.answer, solution.stopped) == ("5", "finished")
    assert [one.failure and one.failure.kind for one in solution.candidates] == [None, "model-error", None]
