"""The typed ask: rungs by capability, stepping down, retries that say what was wrong, the fallback, the counts."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from mathagent import events
from mathagent.agents.ask import ASK_PROMPTS, RungCounts, ask
from mathagent.agents.reply_ladder import form_of, instructions, rungs_for
from mathagent.agents.role import JUDGE, ROLES, VERIFIER, JudgedScore, Review
from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.prompts import slots
from mathagent.types import ToolCall, Value
from tests.unit.agents.scripted_context import scripted_context

EMBEDDED = Capabilities(n=True, json_schema=True, grammar=True)
ENDPOINT = Capabilities(n=True, json_schema=True, tool_calls=True)
PLAIN = Capabilities()
UNREAD = JudgedScore(score=0.5)
PROBLEM = {"problem": "What is 6 times 7?", "solution": "\\boxed{42}"}


class Substitution(Value):
    kind: Literal["substitution"] = "substitution"
    equation: str


class Range(Value):
    kind: Literal["range"] = "range"
    low: float


class Proposal(Value):
    checks: tuple[Annotated[Substitution | Range, Field(discriminator="kind")], ...]


def call(arguments: str, name: str = "reply") -> Reply:
    return Reply(tool_calls=(ToolCall(id="1", name=name, arguments=arguments),), finish_reason="tool_calls")


GOOD = '{"reasoning": "6 * 7 = 42", "score": 0.9}'


@pytest.mark.parametrize(
    ("capabilities", "rungs"),
    [
        (ENDPOINT, ("tool-call", "schema", "block", "labels")),
        (EMBEDDED, ("schema", "block", "labels")),
        (Capabilities(grammar=True), ("schema", "block", "labels")),
        (PLAIN, ("block", "labels")),
    ],
)
def test_rungs_by_capability(capabilities: Capabilities, rungs: tuple[str, ...]) -> None:
    assert rungs_for(capabilities, JudgedScore) == rungs
    assert rungs_for(capabilities, Proposal) == rungs[:-1]  # lines cannot hold a list of objects


def test_on_every_rung_the_reasoning_comes_first() -> None:
    for rung in rungs_for(ENDPOINT, JudgedScore):
        form = form_of(rung, ENDPOINT, JudgedScore)
        assert "reasoning" in instructions(rung, JudgedScore)
        if form.tools:
            assert next(iter(form.tools[0].parameters["properties"])) == "reasoning"  # type: ignore[arg-type, call-overload, index]
        if form.json_schema:
            assert next(iter(form.json_schema["properties"])) == "reasoning"  # type: ignore[arg-type]
    for rung in ("schema", "block", "labels"):
        told = instructions(rung, JudgedScore)  # type: ignore[arg-type]
        assert told.rindex("reasoning") < told.rindex("score")
    assert '"\\"reasoning\\""' in str(form_of("schema", Capabilities(grammar=True), JudgedScore).grammar)


@pytest.mark.parametrize(
    ("capabilities", "reply", "rung"),
    [
        (ENDPOINT, call(GOOD), "tool-call"),
        (ENDPOINT, call(GOOD, name="functions.reply"), "tool-call"),
        (ENDPOINT, Reply(text=f"I call reply with\n```json\n{GOOD}\n```"), "block"),
        (EMBEDDED, Reply(text=GOOD), "schema"),
        (PLAIN, Reply(text=f"It is 42.\n```json\n{GOOD}\n```\nI am sure."), "block"),
        (PLAIN, Reply(text='{"score": 2} was my first thought, then ' + GOOD), "block"),
        (PLAIN, Reply(text="**Reasoning:** 6 * 7 = 42\n**Score:** 90%"), "labels"),
    ],
)
async def test_first_reply_is_read_on_its_rung(capabilities: Capabilities, reply: Reply, rung: str) -> None:
    backend = ScriptedBackend([reply], capabilities=capabilities)
    context, emitted = scripted_context(backend)
    asked = await ask(context, JUDGE, fallback=UNREAD, sample=3, **PROBLEM)
    assert asked.reply == JudgedScore(score=0.9)
    assert asked.rung == rung
    assert asked.attempts == 1
    assert not asked.fell_back
    assert asked.reasoning.startswith("6 * 7 = 42") or not asked.reasoning
    assert backend.roles == ["judge"]
    assert backend.requests[0].first_sample == 3
    assert emitted[-1] == events.Asked(role="judge", sample=3, rung=rung, attempts=1, fell_back=False)  # type: ignore[arg-type]


async def test_steps_down_and_shows_what_was_wrong() -> None:
    script = [
        call('{"reasoning": "", "score": 7}'),
        Reply(text='{"reasoning": "hm"}', contains=('"score": 7', "less than or equal to 1", "JSON object")),
        Reply(text="no idea", contains=("asked for: score", "```json")),
    ]
    backend = ScriptedBackend(script, capabilities=ENDPOINT)
    context, emitted = scripted_context(backend)
    asked = await ask(context, JUDGE, fallback=UNREAD, **PROBLEM)
    backend.assert_finished()
    assert asked.fell_back
    assert asked.reply is UNREAD
    assert asked.rung is None
    assert asked.attempts == 3
    assert "form that was asked for" in asked.problem
    first, second, third = backend.requests
    assert first.tools
    assert first.json_schema is None
    assert second.json_schema
    assert not second.tools
    assert third.json_schema is None
    assert [message.role for message in third.messages] == ["system", "user", "assistant", "user"]
    assert RungCounts.of(emitted) == RungCounts(questions=1, attempts=3, fell_back=1)


async def test_retries_are_limited_and_stay_on_the_last_rung() -> None:
    backend = ScriptedBackend(["?"] * 5, capabilities=PLAIN)
    context, _ = scripted_context(backend)
    assert (await ask(context, JUDGE, fallback=UNREAD, retries=4, **PROBLEM)).attempts == 5
    assert "in lines of exactly this form" in backend.requests[-1].messages[-1].content
    backend = ScriptedBackend(["?"], capabilities=PLAIN)
    context, _ = scripted_context(backend)
    assert (await ask(context, JUDGE, fallback=UNREAD, retries=0, **PROBLEM)).fell_back


async def test_a_server_that_refuses_tools_or_schemas_is_asked_plainly() -> None:
    script = [
        Reply(error="tools are not supported", status=400),
        Reply(error="response_format is not supported", status=400),
        Reply(text=GOOD),
    ]
    backend = ScriptedBackend(script, capabilities=ENDPOINT)
    context, _ = scripted_context(backend)
    asked = await ask(context, JUDGE, fallback=UNREAD, retries=0, **PROBLEM)
    assert (asked.reply.score, asked.rung, asked.attempts) == (0.9, "block", 1)


async def test_a_dead_endpoint_raises() -> None:
    for script in (
        [Reply(error="down", status=401)],
        [Reply(error="too long", status=400)] * 3,
        [Reply(error="no route")],
    ):
        context, _ = scripted_context(ScriptedBackend(script, capabilities=ENDPOINT))
        with pytest.raises(BackendError):
            await ask(context, JUDGE, fallback=UNREAD, **PROBLEM)


async def test_nested_variants_with_latex_and_one_wrong_element() -> None:
    text = r"""Here: [{'kind': 'substitution', 'equation': '\frac{x}{2} = 1',},
      {'kind': 'range', 'low': 'very'}, {'kind': 'Range', 'low': 0}]"""
    context, emitted = scripted_context(ScriptedBackend([text], capabilities=PLAIN))
    asked = await ask(context, VERIFIER, fallback=Proposal(checks=()), reply=Proposal, **PROBLEM)
    assert asked.reply.checks == (Substitution(equation=r"\frac{x}{2} = 1"), Range(low=0))
    assert asked.dropped == 1
    assert isinstance(emitted[-1], events.Asked)
    assert emitted[-1].dropped == 1


async def test_a_list_with_nothing_right_in_it_is_asked_for_again() -> None:
    script = [
        '{"checks": [{"kind": "guess"}]}',
        Reply(text='{"checks": []}', contains=("checks.0", "'substitution', 'range'")),
    ]
    context, _ = scripted_context(ScriptedBackend(script, capabilities=PLAIN))
    asked = await ask(context, VERIFIER, fallback=Proposal(checks=()), reply=Proposal, **PROBLEM)
    assert (asked.attempts, asked.fell_back, asked.reply.checks) == (2, False, ())


async def test_a_cut_reply_counts_as_far_as_it_is_complete() -> None:
    cut = '{"reasoning": "x", "checks": [{"kind": "range", "low": 1}, {"kind": "substitution", "equation": "x ='
    context, _ = scripted_context(
        ScriptedBackend([Reply(text=cut, finish_reason="length")], capabilities=EMBEDDED)
    )
    asked = await ask(context, VERIFIER, fallback=Proposal(checks=()), reply=Proposal, **PROBLEM)
    assert asked.reply.checks == (Range(low=1),)
    script = [
        Reply(text='{"reasoning": "so long', finish_reason="length", completion_tokens=9),
        Reply(text=GOOD, contains=("cut at 9 tokens", "shorter")),
    ]
    context, _ = scripted_context(ScriptedBackend(script, capabilities=EMBEDDED))
    assert (await ask(context, JUDGE, fallback=UNREAD, **PROBLEM)).attempts == 2


async def test_budget_gives_the_fallback_with_its_limit() -> None:
    context, emitted = scripted_context(ScriptedBackend(["?"], capabilities=PLAIN), budget=Budget(max_calls=1))
    asked = await ask(context, JUDGE, fallback=UNREAD, **PROBLEM)
    assert asked.fell_back
    assert asked.attempts == 1
    assert asked.limit is not None
    assert "1 calls" in asked.limit
    assert isinstance(emitted[-1], events.Asked)


async def test_a_withheld_reply_is_not_asked_for_again() -> None:
    context, _ = scripted_context(ScriptedBackend([Reply(finish_reason="content_filter")], capabilities=PLAIN))
    asked = await ask(context, JUDGE, fallback=UNREAD, **PROBLEM)
    assert (asked.fell_back, asked.attempts) == (True, 1)
    assert "withheld" in asked.problem


async def test_wrong_use_is_told_to_the_programmer() -> None:
    context, _ = scripted_context(ScriptedBackend([]))
    with pytest.raises(UsageError, match="slots"):
        await ask(context, JUDGE, fallback=UNREAD, problem="x")
    with pytest.raises(TypeError, match="fallback"):
        await ask(context, JUDGE, fallback=Review(judgement="unsure"), **PROBLEM)


async def test_labelled_lines_of_a_review() -> None:
    text = (
        "Reasoning: Step 2 adds wrongly.\nIt is 5.\n- Judgement: Incorrect\n"
        "- First wrong step: Step 2\n- Problem: 2 + 2\nis not 5"
    )
    context, _ = scripted_context(ScriptedBackend([text], capabilities=PLAIN))
    asked = await ask(context, VERIFIER, fallback=Review(judgement="unsure"), **PROBLEM)
    assert asked.reply == Review(judgement="incorrect", first_wrong_step=2, problem="2 + 2\nis not 5")
    assert asked.reasoning == "Step 2 adds wrongly.\nIt is 5."
    context, _ = scripted_context(
        ScriptedBackend(
            [Reply(text="Judgement: correct\nProblem: no", finish_reason="length")], capabilities=PLAIN
        )
    )
    asked = await ask(context, VERIFIER, fallback=Review(judgement="unsure"), **PROBLEM)
    assert asked.reply == Review(judgement="correct")
    broken = '{\n"reasoning": "he said "so", ok?",\n"judgement": "correct",\n"first_wrong_step": null'
    context, _ = scripted_context(ScriptedBackend([broken], capabilities=PLAIN))
    asked = await ask(context, VERIFIER, fallback=Review(judgement="unsure"), **PROBLEM)
    assert asked.reply == Review(judgement="correct")


def test_counts_add_up() -> None:
    stream: list[events.Event] = [
        events.Asked(role="judge", sample=0, rung="schema", attempts=2, fell_back=False),
        events.Warned(message="not a question"),
        events.Asked(role="judge", sample=1, rung=None, attempts=3, fell_back=True),
    ]
    counts = RungCounts.of(stream) + RungCounts.of(stream[:1]) + RungCounts()
    assert counts == RungCounts(questions=3, attempts=7, fell_back=1, by_rung={"schema": 2})
    assert RungCounts.model_validate_json(counts.model_dump_json()) == counts


def test_events_of_a_question_are_read_back() -> None:
    event = events.Asked(role="judge", sample=0, rung="block", attempts=1, fell_back=False)
    assert events.event_adapter.validate_json(event.model_dump_json()) == event
    assert json.loads(event.model_dump_json())["kind"] == "asked"


def test_roles_have_their_prompts() -> None:
    for role in ROLES:
        assert "problem" in slots(role.prompt)
    assert {role.name for role in ROLES} == {
        *("planner", "coder", "reasoner", "verifier", "refiner", "judge", "extractor", "rewriter")
    }
    assert all(slots(prompt) for prompt in ASK_PROMPTS)
