"""/v1/chat/completions, in this process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.server.options import ServeLimits
from tests.unit.server.served import FORTY_TWO, Waits, always, sent_events, served, until


async def test_whole_reply(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.chat()
    assert response.status_code == 200
    reply = response.json()
    choice = reply["choices"][0]
    assert choice["message"]["content"] == "42"
    assert choice["message"]["refusal"] is None
    assert "6 times 7 is 42" in choice["message"]["reasoning_content"]
    assert choice["finish_reason"] == "stop"
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "cot"
    assert reply["id"] == f"chatcmpl-{reply['mathagent']['solve_id']}"
    usage = reply["usage"]
    assert usage["completion_tokens"] == len(FORTY_TWO.split())
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert response.headers["x-request-id"].startswith("req_")


async def test_streamed_reply(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.chat(stream=True, stream_options={"include_usage": True})
        whole = (await server.chat()).json()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.rstrip().endswith("data: [DONE]")
    chunks = [data for _, data in sent_events(response.text)]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content") or "" for delta in deltas) == "42"
    reasoning = "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert reasoning.strip() == whole["choices"][0]["message"]["reasoning_content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-1]["choices"] == []
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_the_model_names_strategy_and_model(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), strategy="cot") as server:
        for name in ("mathagent", "cot@script:test", "vote(cot, zero-shot-cot)"):
            reply = (await server.chat(model=name)).json()
            assert reply["choices"][0]["message"]["content"] == "42"
            assert reply["model"] == name


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("no-such-strategy", 404),
        ("cot@openai:gpt-4o", 404),
        ("cot@script:/etc/passwd", 404),
        ("os.path:join", 400),
        ("cot | os.path:join", 400),
        ('best-of-n(scorer="reward:http://10.0.0.1/")', 400),
        ("pal(", 400),
    ],
)
async def test_no_other_model_is_opened(tmp_path: Path, name: str, status: int) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.chat(model=name)
    assert response.status_code == status
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("n", True),
        ("stop", ["\n"]),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
        ("frequency_penalty", 0.5),
        ("logit_bias", {"1": 2}),
        ("logprobs", True),
        ("reasoning_effort", "high"),
        ("modalities", ["text", "audio"]),
        ("store", True),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(tmp_path: Path, field: str, value: object) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.chat(**{field: value})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == field
    assert error["code"] == "unsupported_parameter"


async def test_harmless_values_are_taken(tmp_path: Path) -> None:
    harmless = {
        "n": 1,
        "stop": None,
        "tools": [],
        "tool_choice": "auto",
        "frequency_penalty": 0.0,
        "presence_penalty": 0,
        "logprobs": False,
        "user": "somebody",
        "metadata": {"a": "b"},
        "response_format": {"type": "text"},
        "service_tier": "auto",
    }
    async with served(tmp_path, always(FORTY_TWO)) as server:
        assert (await server.chat(**harmless)).status_code == 200


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": "cot"}, "messages", "missing_required_parameter"),
        ({"model": "cot", "messages": [], "x": 1}, "messages", "invalid_value"),
        (
            {"model": "cot", "messages": [{"role": "user", "content": "1+1"}], "wrong": 1},
            "wrong",
            "unknown_parameter",
        ),
        ({"model": "cot", "messages": [{"role": "assistant", "content": "1"}]}, "messages.0", "invalid_value"),
        ({"model": "cot", "messages": [{"role": "user", "content": " "}]}, "messages.0", "invalid_value"),
        ({"model": "cot", "messages": [{"role": "tool", "content": "1"}]}, "messages.0", "unsupported_parameter"),
        (
            {
                "model": "cot",
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            },
            "messages.0.content.0",
            "unsupported_content",
        ),
    ],
)
async def test_wrong_requests_name_the_field(tmp_path: Path, body: object, param: str, code: str) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.http.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert (response.json()["error"]["param"], response.json()["error"]["code"]) == (param, code)


async def test_no_json(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        json_type = {"Content-Type": "application/json"}
        response = await server.http.post("/v1/chat/completions", content=b"{", headers=json_type)
    assert response.json()["error"]["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", r'{"model": "cot", "messages": [{"role": "user", "content": "\ud800 1+1"}]}'),
        (
            "/v1/chat/completions",
            r'{"model": "cot", "messages": [{"role": "user", "content": "1+1"}], "\udfff": 1}',
        ),
        ("/v1/solve", r'{"problem": "1+1", "choices": ["1", "\ud83d"]}'),
        ("/v1/solve", r'{"problem": "1+1", "settings": {"a": [{"\ud800": 1}]}}'),
        ("/v1/solutions/x/hint", r'{"text": "\udc00"}'),
        ("/v1/solutions/x/resume", r'{"answer": {"kind": "refused", "reason": "\ud800"}}'),
    ],
)
async def test_half_a_character_is_no_text(tmp_path: Path, path: str, body: str) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        json_type = {"Content-Type": "application/json"}
        response = await server.http.post(path, content=body, headers=json_type)
    assert response.status_code == 400
    assert "half a character" in response.json()["error"]["message"]


async def test_options_reach_the_solve(tmp_path: Path) -> None:
    backend = ScriptedBackend(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        response = await server.chat(
            temperature=0.5, top_p=0.9, seed=11, mathagent={"settings": {"max_tokens": 99}}
        )
    assert response.status_code == 200
    params = backend.requests[0].params
    assert (params.temperature, params.top_p, params.seed, params.max_tokens) == (0.5, 0.9, 11, 99)


async def test_max_tokens_is_the_budget(tmp_path: Path) -> None:
    endless = Reply(text="thinking " * 5, finish_reason="length")
    async with served(tmp_path, lambda request, sample: endless) as server:
        response = await server.chat(max_tokens=5)
    reply = response.json()
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["content"] is None
    assert "no answer" in reply["choices"][0]["message"]["refusal"]
    assert reply["usage"]["completion_tokens"] == 5


async def test_the_system_speaks_as_a_hint(tmp_path: Path) -> None:
    backend = ScriptedBackend(always(FORTY_TWO))
    messages = [{"role": "system", "content": "Use base ten."}, {"role": "user", "content": "What is 6*7?"}]
    async with served(tmp_path, backend) as server:
        await server.http.post("/v1/chat/completions", json={"model": "cot", "messages": messages})
    assert "Use base ten." in backend.requests[0].messages[-1].content


async def test_earlier_turns_are_the_context_of_a_follow_up(tmp_path: Path) -> None:
    rewritten = json.dumps({"reasoning": "it refers back", "refers_back": True, "problem": "What is 6*8?"})

    def respond(request: object, sample: int) -> str:
        asks = getattr(request, "role", "") == "rewriter"
        return rewritten if asks else "So \\boxed{48}"

    backend = ScriptedBackend(respond)
    messages = [
        {"role": "user", "content": "What is 6*7?"},
        {"role": "assistant", "content": "42"},
        {"role": "user", "content": [{"type": "text", "text": "and with 8 instead?"}]},
    ]
    async with served(tmp_path, backend) as server:
        reply = (
            await server.http.post("/v1/chat/completions", json={"model": "cot", "messages": messages})
        ).json()
        streamed = await server.http.post(
            "/v1/chat/completions", json={"model": "cot", "messages": messages, "stream": True}
        )
    assert reply["choices"][0]["message"]["content"] == "48"
    assert reply["choices"][0]["message"]["reasoning_content"].startswith("Understood as: What is 6*8?")
    assert "Understood as: What is 6*8?" in streamed.text
    first = backend.requests[0]
    assert "42" in "".join(message.content for message in first.messages)
    solved = backend.requests[1]
    assert "What is 6*8?" in solved.messages[-1].content
    own = reply["mathagent"]["usage"]["completion_tokens"]
    assert reply["usage"]["completion_tokens"] == own + len(rewritten.split())


async def test_json_object(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        reply = (await server.chat(response_format={"type": "json_object"})).json()
    content = json.loads(reply["choices"][0]["message"]["content"])
    assert content["answer"] == "42"
    assert set(content) == {"answer", "confidence", "confidence_basis", "stopped"}


async def test_an_answer_that_is_less_sure_than_asked_is_a_refusal(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        reply = (await server.chat(mathagent={"min_confidence": 0.99})).json()
    message = reply["choices"][0]["message"]
    assert message["content"] is None
    assert "42" in message["refusal"]
    assert reply["mathagent"]["abstained"]


async def test_a_model_that_fails_is_a_502_without_its_address(tmp_path: Path) -> None:
    broken = Reply(error="cannot reach http://10.1.2.3:8000/v1 from /srv/app/x.py", status=400)
    async with served(tmp_path, lambda request, sample: broken) as server:
        whole = await server.chat()
        streamed = await server.chat(stream=True)
        as_events = await server.solve()
    assert whole.status_code == 502
    assert whole.json()["error"]["code"] == "model_failed"
    for response in (whole, streamed, as_events):
        assert "10.1.2.3" not in response.text
        assert "/srv" not in response.text
    assert sent_events(streamed.text)[-1][1]["error"]["code"] == "model_failed"
    assert sent_events(as_events.text)[-1][0] == "error"


async def test_who_comes_when_too_many_wait_hears_when_to_come_again(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    limits = ServeLimits(solves=1, waiting=1, drain_s=0)
    async with served(tmp_path, backend, limits=limits) as server:
        first = asyncio.ensure_future(server.chat())
        await backend.asked.wait()
        second = asyncio.ensure_future(server.chat())
        await until(lambda: server.desk.gate.waiting == 1)
        third = await server.chat()
        assert third.status_code == 429
        assert third.json()["error"]["code"] == "server_busy"
        assert int(third.headers["retry-after"]) >= 1
        health = (await server.http.get("/health")).json()
        assert (health["running"], health["waiting"]) == (1, 1)
        backend.let.set()
        assert [(await one).status_code for one in (first, second)] == [200, 200]
