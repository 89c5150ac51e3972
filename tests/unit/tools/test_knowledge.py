"""The knowledge tool over a scripted model; bullets are pure text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import BackendError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.tools.knowledge import MAX_FACTS, bulleted, knowledge_tool, relevant_facts
from mathagent.types import Message, SamplingParams

PROBLEM = "What is the area of a circle of radius 3?"


async def test_the_tool_asks_once_and_gives_bullets() -> None:
    backend = ScriptedBackend([Reply(text="Facts:\n1. A = pi r^2.\n2. r = 3.", role="knowledge")])
    tool = knowledge_tool(backend)
    result = await tool.call({"problem": PROBLEM})
    assert (tool.name, result.ok, result.text) == ("knowledge", True, "- A = pi r^2.\n- r = 3.")
    request = backend.requests[0]
    assert request.messages[-1].content.strip() == f"Question: {PROBLEM}"
    assert (request.params.temperature, request.params.max_tokens, request.params.n) == (0.5, 512, 1)


async def test_the_sampling_is_the_callers() -> None:
    backend = ScriptedBackend(["- one"])
    await knowledge_tool(backend, SamplingParams(temperature=0.0, max_tokens=64, n=3)).call({"problem": PROBLEM})
    assert (backend.requests[0].params.max_tokens, backend.requests[0].params.n) == (64, 1)


async def test_nothing_recalled_is_a_failed_result_and_a_failed_model_raises() -> None:
    assert not (await knowledge_tool(ScriptedBackend([" \n"])).call({"problem": PROBLEM})).ok
    with pytest.raises(BackendError, match="down"):
        await knowledge_tool(ScriptedBackend([Reply(error="down")])).call({"problem": PROBLEM})


@pytest.mark.parametrize("arguments", ["{}", '{"problem": ""}', '{"query": "x"}', "no json"])
async def test_bad_arguments_ask_nobody(arguments: str) -> None:
    backend = ScriptedBackend([])
    result = await knowledge_tool(backend).call(arguments)
    assert not result.ok
    assert "problem" in result.text
    assert backend.requests == []


async def test_what_is_known_already_is_shown() -> None:
    seen: list[tuple[Message, ...]] = []

    async def write(messages: tuple[Message, ...]) -> str:
        seen.append(messages)
        return "* fact"

    assert await relevant_facts(write, PROBLEM, "Subject: geometry") == "- fact"
    assert seen[0][-1].content.strip().endswith("Context:\nSubject: geometry")
    assert "Context" not in "".join(message.content for message in seen[0][:-1])


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        ("Here they are:\n- a\n  of two lines\n- b", "- a of two lines\n- b"),
        ("a\n\nb", "- a\n- b"),
        ("1) a\n2) b", "- a\n- b"),
        ("• −3 is negative\n* **Formula:** $x$", "- −3 is negative\n- **Formula:** $x$"),
        ("-3 is negative", "- -3 is negative"),
        ("", ""),
        ("- ", "- -"),
    ],
)
def test_bulleted(reply: str, points: str) -> None:
    assert bulleted(reply) == points


@given(st.text(max_size=400))
def test_bullets_are_few_and_stay_what_they_are(reply: str) -> None:
    points = bulleted(reply)
    lines = points.split("\n") if points else []
    assert len(lines) <= MAX_FACTS
    assert all(line.startswith("- ") for line in lines)
    assert bool(points) == bool(reply.strip())
    assert bulleted(points) == points
