"""cot-n-pot against the deterministic test of its card: filter, fallback, scores of the confirmed, weights."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import Event, Judged
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "A pen costs 4 and a book 6. How much do two pens and a book cost?"
PLAIN = Capabilities(n=True, seed=True)


async def solve(
    sandbox: Sandbox,
    backend: ScriptedBackend,
    *,
    problem: str | Problem = QUESTION,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    n: int = 3,
    **config: object,
) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        on_event = None if events is None else events.append
        return await solver.solve(
            problem, "cot-n-pot", budget=budget, config={"n": n, **config}, on_event=on_event
        )


def chain(answer: str) -> Reply:
    return Reply(text=f"the way to {answer}: \\boxed{{{answer}}}", role="reasoner", contains=(QUESTION,))


def program(of: str, body: str) -> Reply:
    """The translation of the chain whose answer is ``of``."""
    text = f"```python\ndef solution():\n    {body}\n```"
    return Reply(text=text, role="translator", contains=(QUESTION, f"the way to {of}", "Translate only"))


def score(of: str, value: float) -> Reply:
    text = json.dumps({"reasoning": "recomputed", "score": value})
    return Reply(text=f"```json\n{text}\n```", role="judge", contains=(f"the way to {of}",))


CHAINS = [chain("10"), chain("12"), chain("12")]
PROGRAMS = [program("10", "return 4 + 6"), program("12", "return 1 / 0"), program("12", "return 4 + 7")]


def three(*pairs: tuple[str, float]) -> list[Reply]:
    """Three chains, each confirmed, and their scores."""
    return [
        *(chain(answer) for answer, _ in pairs),
        *(program(answer, f"return {answer} + 0") for answer, _ in pairs),
        *(score(answer, value) for answer, value in pairs),
    ]


async def test_only_confirmed_chains_vote(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([*CHAINS, *PROGRAMS], capabilities=PLAIN, max_parallel=1)
    events: list[Event] = []
    solution = await solve(sandbox, backend, events=events)
    backend.assert_finished()
    assert backend.roles == ["reasoner", *["translator"] * 3]  # the three chains are one request
    assert solution.usage.calls == 6
    assert solution.answer == "10"
    assert [one.answer.normal if one.answer else None for one in solution.candidates] == [
        *("10", "12", "12"),
        *("10", None, "11"),
    ]
    said = [event.judgement for event in events if isinstance(event, Judged)]
    assert said == ["correct", "unsure", "incorrect"]
    [check] = solution.certificate
    assert (check.kind, check.outcome) == ("execution", "holds")
    assert (await sandbox.run(check.program)).value == "10"
    chains, translation = backend.requests[0].params, backend.requests[1].params
    assert (chains.n, chains.temperature, translation.temperature) == (3, 0.7, 0.0)


async def test_a_judge_is_asked_of_confirmed_chains_only(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([*CHAINS, *PROGRAMS, score("10", 0.2)], capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, backend, choose="weighted")
    backend.assert_finished()
    assert (solution.answer, solution.usage.calls) == ("10", 7)


async def test_where_nothing_is_confirmed_all_vote_and_it_is_said(sandbox: Sandbox) -> None:
    programs = [program("10", "return 9"), program("12", "return None"), program("12", "return 11")]
    backend = ScriptedBackend([*CHAINS, *programs], capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, backend)
    backend.assert_finished()
    assert solution.answer == "12"
    assert solution.confidence_basis.startswith("none passed the filter")
    assert solution.certificate == ()


@pytest.mark.parametrize(("choose", "answer"), [("weighted", "5"), ("best", "6")])
async def test_weights_and_best(sandbox: Sandbox, choose: str, answer: str) -> None:
    script = three(("5", 0.4), ("5", 0.4), ("6", 0.7))
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, backend, choose=choose)
    backend.assert_finished()
    assert solution.answer == answer
    assert solution.certificate


async def test_unreadable_scores_leave_the_vote(sandbox: Sandbox) -> None:
    script = [*three(("5", 0), ("6", 0), ("6", 0))[:6], *[Reply(text="good", role="judge")] * 3]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    assert (await solve(sandbox, backend, choose="weighted")).answer == "6"
    backend.assert_finished()


async def test_equal_answers_in_other_forms_confirm(sandbox: Sandbox) -> None:
    script = [chain("1/2"), program("1/2", "return 2 / 4")]
    solution = await solve(sandbox, ScriptedBackend(script, capabilities=PLAIN), n=1)
    assert (solution.answer, len(solution.certificate)) == ("1/2", 1)


async def test_a_chain_without_an_answer_is_not_translated(sandbox: Sandbox) -> None:
    script = [Reply(text="who knows"), chain("14"), program("14", "return 2 * 4 + 6")]
    backend = ScriptedBackend(script, capabilities=PLAIN)
    assert (await solve(sandbox, backend, n=2)).answer == "14"
    backend.assert_finished()


async def test_choices(sandbox: Sandbox) -> None:
    problem = Problem(text=QUESTION, choices=("10", "14"))
    script = [
        Reply(text="The answer is (B).", contains=("(B) 14",)),
        Reply(
            text="```python\ndef solution():\n    return 2 * 4 + 6\n```", contains=("letter of the right choice",)
        ),
    ]
    solution = await solve(sandbox, ScriptedBackend(script, capabilities=PLAIN), problem=problem, n=1)
    assert (solution.answer, len(solution.certificate)) == ("B", 1)


@pytest.mark.parametrize(("calls", "answer"), [(1, "10"), (3, "12"), (4, "10")])
async def test_a_budget_that_ends_keeps_the_best_so_far(sandbox: Sandbox, calls: int, answer: str) -> None:
    backend = ScriptedBackend([*CHAINS, *PROGRAMS][:calls], capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, backend, budget=Budget(max_calls=calls))
    backend.assert_finished()
    assert (solution.answer, solution.stopped) == (answer, "budget")
    assert solution.confidence_basis.startswith("none passed") == (calls == 3)


async def test_nonsense_ends_without_an_answer_and_says_why(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(lambda request, sample: "Blub.", capabilities=PLAIN)
    solution = await solve(sandbox, backend, choose="weighted")
    assert solution.answer is None
    assert "no sample gave an answer" in solution.confidence_basis
    assert backend.roles == ["reasoner"]


async def test_an_endpoint_that_is_dead_or_dies(sandbox: Sandbox) -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(sandbox, ScriptedBackend([Reply(error="down")] * 3, capabilities=PLAIN))
    down = Reply(error="down", role="translator")
    dying = ScriptedBackend([*CHAINS, down, down, down], capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, dying)
    assert (solution.answer, solution.stopped, solution.detail) == ("12", "error", "down")
    one_fails = ScriptedBackend([*CHAINS, PROGRAMS[0], down, down], capabilities=PLAIN, max_parallel=1)
    solution = await solve(sandbox, one_fails)
    assert (solution.answer, solution.stopped) == ("10", "finished")


async def test_a_scorer_that_there_is_not(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="nobody"):
        await solve(
            sandbox,
            ScriptedBackend(three(("5", 0.4))[:2], capabilities=PLAIN),
            n=1,
            choose="best",
            scorer="nobody",
        )
