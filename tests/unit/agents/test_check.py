"""Block check against a scripted verifier: what is asked, what is run, what is told, and when nothing is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from mathagent.agents.blocks.check import CHECK_PROMPTS, PROPOSER, check_candidate, propose_checks, voters
from mathagent.agents.blocks.verify import agreements
from mathagent.agents.context import RunContext
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget
from mathagent.events import CheckFinished, Event, Judged, Warned
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.prompts import source
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.scorers.check_proposals import Agreement
from mathagent.scorers.printed_programs import valued_by_print
from mathagent.types import Answer, Candidate, Check, Failure, Problem
from tests.unit.agents.scripted_context import scripted_context

pytestmark = pytest.mark.asyncio(loop_scope="module")

DUCKS = Problem(text="16 eggs a day, 3 are eaten, 4 baked, the others sold at $2 each. What does she make?")
REVERSE = {"kind": "reverse", "quantity": "16", "program": "sold = answer / 2\nsold + 3 + 4"}
SUBSTITUTION = {"kind": "substitution", "equations": ["y = 16 - 3 - 4", "x = 2*y"], "asked": "x"}
PLAIN = Capabilities(json_schema=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machinery() -> AsyncIterator[tuple[Sandbox, AnswerComparer]]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    calls = ConfinedCalls()
    yield sandbox, AnswerComparer(calls.call)
    await sandbox.aclose()
    await calls.aclose()


def scene(
    machinery: tuple[Sandbox, AnswerComparer], *replies: Reply | str, budget: Budget | None = None
) -> tuple[RunContext, ScriptedBackend, list[Event]]:
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    context, events = scripted_context(backend, budget=budget)
    return replace(context, sandbox=machinery[0], comparer=machinery[1]), backend, events


def proposed(*checks: dict[str, Any]) -> str:
    return json.dumps({"reasoning": "The eggs add up.", "checks": list(checks)})


def answered(answer: str, *checks: Check) -> Candidate:
    return Candidate(answer=Answer(raw=answer, normal=answer), checks=checks)


def finished(events: list[Event]) -> list[Check]:
    return [event.check for event in events if isinstance(event, CheckFinished)]


@pytest.mark.parametrize(("answer", "judgement"), [("18", "correct"), ("20", "incorrect")])
async def test_the_verifiers_checks_are_made(machinery: Any, answer: str, judgement: str) -> None:
    ask = Reply(text=proposed(REVERSE, SUBSTITUTION), role="verifier", contains=(DUCKS.text,), lacks=(answer,))
    context, backend, events = scene(machinery, ask)
    verdict, limit = await check_candidate(context, DUCKS, answered(answer), sample=3)
    backend.assert_finished()
    assert (verdict.judgement, limit) == (judgement, None)
    assert [check.kind for check in verdict.checks] == ["reverse", "substitution"]
    assert sorted(finished(events), key=lambda check: check.kind) == list(verdict.checks)
    assert all(event.sample == 3 for event in events if isinstance(event, CheckFinished))
    judged = [event for event in events if isinstance(event, Judged)]
    assert [(event.sample, event.judgement, event.reason) for event in judged] == [
        (3, verdict.judgement, verdict.reason)
    ]


async def test_own_program_and_wording_cost_no_call(machinery: Any) -> None:
    problem = Problem(text="Tom has 5 apples and eats 2. How many apples are left?")
    own = Check(kind="execution", program="5 - 2", expected="3", outcome="undecided")
    context, backend, _ = scene(machinery)
    verdict, _ = await check_candidate(context, problem, answered("3", own), proposals=())
    assert [(check.kind, check.outcome) for check in verdict.checks] == [
        ("execution", "holds"),
        ("domain", "holds"),
    ]
    assert verdict.judgement == "unsure"
    assert backend.requests == []


async def test_what_fails_for_free_is_not_asked_about(machinery: Any) -> None:
    problem = Problem(text="Tom has 5 apples and eats 2. How many apples are left?")
    context, backend, _ = scene(machinery)
    verdict, limit = await check_candidate(context, problem, answered("-3"))
    assert (verdict.judgement, limit) == ("incorrect", None)
    assert backend.requests == []


async def test_one_reply_serves_every_candidate(machinery: Any) -> None:
    context, backend, _ = scene(machinery, proposed(REVERSE))
    proposals, _ = await propose_checks(context, DUCKS)
    found = [
        await check_candidate(context, DUCKS, answered(one), proposals=proposals) for one in ("18", "20", "9")
    ]
    assert [verdict.judgement for verdict, _ in found] == ["correct", "incorrect", "incorrect"]
    assert len(backend.requests) == 1


async def test_agreement_with_another_candidates_program_is_evidence_but_not_with_its_own(machinery: Any) -> None:
    context, _, _ = scene(machinery)
    own = Check(kind="execution", program="(16 - 3 - 4) * 2", expected="18", outcome="undecided")
    candidate = answered("18", own)
    same = Agreement(program="# theirs\n(16 - 3 - 4) * 2")
    verdict, _ = await check_candidate(context, DUCKS, candidate, proposals=(same,))
    assert verdict.judgement == "unsure"
    other = Agreement(program="2 * (16 - 7)", source="sample 2")
    verdict, _ = await check_candidate(context, DUCKS, candidate, proposals=(same, other))
    assert verdict.judgement == "correct"


async def test_printed_programs_agree_only_where_they_compute_and_differ(machinery: Any) -> None:
    context, _, _ = scene(machinery)

    async def judged(first: str, second: str) -> str:
        own, theirs = (
            Check(kind="execution", program=valued_by_print(one), expected="18", outcome="holds")
            for one in (first, second)
        )
        candidates = [answered("18", own), answered("18", theirs)]
        shared = agreements(candidates, (0, 1), 0)
        verdict, _ = await check_candidate(context, DUCKS, candidates[0], proposals=shared)
        return verdict.judgement

    assert await judged("print(18)", "print( 18 )  # sure") == "unsure"
    assert await judged("print((16 - 7) * 2)", "x = 18\nprint(x)") == "unsure"
    assert await judged("print((16 - 7) * 2)", "print( (16-7)*2 )  # again") == "unsure"
    assert await judged("print((16 - 7) * 2)", "print(2 * (16 - 3 - 4))") == "correct"


async def test_the_first_other_program_is_the_one_that_must_agree() -> None:
    programs = ("9 * 2", "# again\n9*2", "print(9 * 2)", "(16 - 7) * 2", "2 * 9")
    candidates = [
        answered("18", Check(kind="execution", program=one, expected="18", outcome="holds")) for one in programs
    ]
    assert [one.source for one in agreements(candidates, range(5), 0)] == ["sample 4"]
    assert [one.source for one in agreements([answered("18"), *candidates], range(6), 0)] == ["sample 2"]


async def test_without_an_answer_there_is_nothing_to_check(machinery: Any) -> None:
    context, backend, events = scene(machinery)
    failed = Candidate(failure=Failure(kind="no-answer", message="none"))
    verdict, limit = await check_candidate(context, DUCKS, failed)
    assert (verdict.judgement, verdict.checks, limit) == ("unsure", (), None)
    assert (backend.requests, events) == ([], [])


async def test_a_budget_that_ends_leaves_the_free_checks(machinery: Any) -> None:
    context, backend, events = scene(machinery, "{}", budget=Budget(max_calls=1))
    own = Check(kind="execution", program="9 * 2", expected="18", outcome="undecided")
    verdict, limit = await check_candidate(context, DUCKS, answered("18", own))
    assert len(backend.requests) == 1
    assert limit is not None
    assert "1 calls" in limit
    assert [check.kind for check in verdict.checks] == ["execution"]
    assert finished(events) == list(verdict.checks)


async def test_a_model_that_cannot_be_reached_is_no_reason_to_lose_the_candidate(machinery: Any) -> None:
    context, _, events = scene(machinery, Reply(error="the endpoint is down"))
    verdict, limit = await check_candidate(context, DUCKS, answered("18"))
    assert (verdict.judgement, limit) == ("unsure", None)
    assert any(isinstance(event, Warned) and "the endpoint is down" in event.message for event in events)


async def test_nonsense_from_the_verifier_is_no_check(machinery: Any) -> None:
    wrong = {"kind": "reverse", "quantity": "99", "program": "answer"}
    context, backend, _ = scene(machinery, "I think it is right.", proposed(wrong, {"kind": "magic"}))
    verdict, _ = await check_candidate(context, DUCKS, answered("18"))
    backend.assert_finished()
    assert verdict.judgement == "unsure"
    assert [check.outcome for check in verdict.checks] == ["undecided"]


async def test_its_prompts_are_listed() -> None:
    assert PROPOSER.prompt in CHECK_PROMPTS
    for name in CHECK_PROMPTS:
        assert source(name).startswith("=== ")


async def test_an_answer_that_the_wording_rules_out_does_not_vote() -> None:
    def gives(answer: str) -> Candidate:
        return Candidate(answer=Answer(raw=answer, normal=answer))

    many = Problem(text="Tom packs eggs. How many hens laid them?")
    candidates = [
        gives("44/3"),
        gives("15"),
        gives("-2"),
        Candidate(failure=Failure(kind="no-answer", message="")),
        gives("x+1"),
    ]
    left = voters(many, candidates)
    assert [one.answer.normal if one.answer else None for one in left] == [None, "15", None, None, "x+1"]
    assert voters(many, [gives("44/3")]) == [gives("44/3")]
    assert voters(Problem(text="What does he pay?"), candidates) == candidates
