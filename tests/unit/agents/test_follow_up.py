"""Follow-up questions: what needs rewriting, what the model is told, and what happens where it fails."""

from __future__ import annotations

import json

import pytest

from mathagent.agents.follow_up import Earlier, stands_alone, understand
from mathagent.budget import Budget
from mathagent.events import Asked, ModelReplied
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from tests.unit.agents.scripted_context import scripted_context

EARLIER = [Earlier(question="What is the sum of the first 5 odd numbers?", answer="25")]
WHOLE = "What is the sum of the first 7 odd numbers?"
PLAIN = Capabilities(json_schema=True)


@pytest.mark.parametrize(
    "text",
    [
        "2+2",
        "10!",
        r"\int_0^1 x^2 dx",
        "sqrt(2)^10",
        "What is 6 * 7?",
        "What is the sum of the first 7 primes?",
        "Solve x^2 = 4 for x > 0.",
        "A train leaves at 3 pm with 60 km/h. It travels for 2 hours. How far does it go?",
        "Evaluate $\\sum_{k=1}^{10} k$",
    ],
)
def test_what_stands_alone(text: str) -> None:
    assert stands_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "now for n = 7",
        "and for 8?",
        "n = 7",
        "with n = 20",
        "double it",
        "What about 9 eggs?",
        "Is it prime?",
        "What is its square root?",
        "Add 3 to the answer",
        "What if she eats four?",
        "Show the factorization of that number",
        "why?",
        "in hex",
        "primes below 100?",
        "und für 8?",
    ],
)
def test_what_may_refer_back(text: str) -> None:
    assert not stands_alone(text)


def reply(**fields: object) -> Reply:
    return Reply(text=json.dumps({"reasoning": "it refers back", **fields}), role="rewriter")


async def test_a_question_that_stands_alone_or_comes_first_asks_no_model() -> None:
    backend = ScriptedBackend([])
    context, _ = scripted_context(backend)
    assert (await understand(context, "2+2", EARLIER)).text == "2+2"
    assert (await understand(context, "now for n = 7", [])).text == "now for n = 7"
    assert backend.requests == []


async def test_a_follow_up_is_written_out_from_questions_answers_and_names() -> None:
    expected = reply(refers_back=True, problem=WHOLE).model_copy(
        update={"contains": (EARLIER[0].question, "Answer: 25", "n = 5", "now for n = 7"), "lacks": ("oldest",)}
    )
    backend = ScriptedBackend([expected], capabilities=PLAIN)
    context, events = scripted_context(backend)
    earlier = [Earlier(question="the oldest", answer=None), *EARLIER * 3]
    understood = await understand(context, "now for n = 7", earlier, {"n": "5"})
    assert (understood.text, understood.rewritten, understood.usage.calls) == (WHOLE, True, 1)
    assert [event.typed for event in events if isinstance(event, ModelReplied)] == [True]
    assert any(isinstance(event, Asked) and event.role == "rewriter" for event in events)


@pytest.mark.parametrize(
    "fields", [{"refers_back": False, "problem": WHOLE}, {"refers_back": True, "problem": "in hex "}]
)
async def test_what_is_no_follow_up_stays_as_typed(fields: dict[str, object]) -> None:
    context, _ = scripted_context(ScriptedBackend([reply(**fields)], capabilities=PLAIN))
    understood = await understand(context, "in hex", EARLIER)
    assert (understood.text, understood.rewritten, understood.trouble) == ("in hex", False, "")


async def test_where_rewriting_fails_the_text_stays_and_it_is_said() -> None:
    context, _ = scripted_context(ScriptedBackend(["no JSON", "again none"], capabilities=PLAIN))
    understood = await understand(context, "in hex", EARLIER)
    assert understood.text == "in hex"
    assert understood.trouble
    assert understood.usage.calls == 2

    context, _ = scripted_context(ScriptedBackend([Reply(error="no key", status=401)], capabilities=PLAIN))
    assert "no key" in (await understand(context, "in hex", EARLIER)).trouble


async def test_a_budget_that_ends_leaves_the_text_as_typed() -> None:
    backend = ScriptedBackend(["no JSON"], capabilities=PLAIN)
    context, _ = scripted_context(backend, budget=Budget(max_calls=1))
    understood = await understand(context, "in hex", EARLIER)
    assert understood.text == "in hex"
    assert "1 calls is used up" in understood.trouble


async def test_a_very_long_question_is_told_shortly() -> None:
    context, _ = scripted_context(
        backend := ScriptedBackend([reply(refers_back=True, problem=WHOLE)], capabilities=PLAIN)
    )
    await understand(context, "in hex", [Earlier(question="x" * 50_000, answer="y" * 50_000)])
    assert len(backend.requests[0].messages[-1].content) < 5_000
