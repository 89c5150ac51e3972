"""The embedded backend with a real model (SmolLM2, 98 MB) and llama.cpp's real server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mathagent.config import read_settings
from mathagent.errors import BackendError, ModelFileError
from mathagent.models import server_process
from mathagent.models.base import ChatRequest, ConnectOptions
from mathagent.models.catalog import entry
from mathagent.models.embedded import EmbeddedBackend, connect
from mathagent.models.pull import pull
from mathagent.models.server_process import ServerProcess
from mathagent.types import Message, SamplingParams

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]
MODEL = "smollm2-135m"


@pytest.fixture(scope="module")
def weights() -> Path:
    """The model's file in the user's model folder, fetched once."""
    pytest.importorskip("xllamacpp")
    try:
        return pull(entry(MODEL), read_settings().models_dir)
    except ModelFileError as error:
        pytest.skip(str(error))


@pytest.fixture
async def backend(weights: Path) -> AsyncIterator[EmbeddedBackend]:
    opened = connect(MODEL, ConnectOptions())
    yield opened
    await opened.aclose()


@pytest.fixture
async def server(backend: EmbeddedBackend) -> ServerProcess:
    return await running(backend)


async def running(backend: EmbeddedBackend) -> ServerProcess:
    await backend.start()
    assert backend._options is not None
    return server_process.running(backend._options)


def ask(text: str = "Tell me about the sea.", **changes: Any) -> ChatRequest:
    fields = {name: changes.pop(name) for name in list(changes) if name in SamplingParams.model_fields}
    params = SamplingParams(**{"max_tokens": 12, **fields})
    messages = changes.pop("messages", (Message(role="user", content=text),))
    return ChatRequest(messages=messages, params=params, **changes)


def read_proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


# --- what the server shows to others


async def test_only_loopback_and_only_with_the_key(server: ServerProcess) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert (await client.post("/v1/chat/completions", json=body, headers=wrong)).status_code == 401
        right = {"Authorization": f"Bearer {server.api_key}"}
        assert (await client.post("/v1/chat/completions", json=body, headers=right, timeout=60)).status_code == 200
    port = int(server.url.rpartition(":")[2])
    others = {facts[4][0] for facts in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((str(address), port)) != 0


async def test_no_web_page_and_no_foreign_origin(server: ServerProcess) -> None:
    headers = {"Origin": "http://evil.example", "Authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        for method, path in [("GET", "/health"), ("GET", "/props"), ("OPTIONS", "/v1/chat/completions")]:
            reply = await client.request(method, path)
            assert not reply.headers.get("access-control-allow-origin"), path
        page = await client.get("/")
        assert page.status_code == 404
        assert (await client.get("/slots")).status_code != 200


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
async def test_the_process_waits_passively_and_carries_no_secret(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    backend = connect(MODEL, ConnectOptions())
    server = await running(backend)
    environment, command = (read_proc(server.pid, name) for name in ("environ", "cmdline"))
    await backend.aclose()
    assert b"OMP_WAIT_POLICY=passive" in environment
    assert b"GOMP_SPINCOUNT=0" in environment
    assert b"sk-secret" not in environment
    assert server.api_key.encode() not in environment + command


# --- what it can do


async def test_more_samples_than_slots_each_with_its_own_count(backend: EmbeddedBackend) -> None:
    pieces: dict[int, str] = {}
    n = backend.max_parallel + 2
    found = await backend.complete(
        ask(n=n, temperature=1.0, seed=5), lambda index, text: pieces.update({index: pieces.get(index, "") + text})
    )
    assert [pieces[index] for index in range(n)] == [completion.text for completion in found]
    assert all(1 <= completion.usage.completion_tokens <= 12 for completion in found)
    assert found[0].usage.prompt_tokens > 5
    assert [completion.usage.prompt_tokens for completion in found[1:]] == [0] * (n - 1)
    assert len({completion.text for completion in found}) > 1


async def test_a_seed_repeats_a_request(backend: EmbeddedBackend) -> None:
    first, again = [await backend.complete(ask(temperature=1.0, seed=11, max_tokens=25)) for _ in range(2)]
    other = await backend.complete(ask(temperature=1.0, seed=12, max_tokens=25))
    assert first[0].text == again[0].text != other[0].text


async def test_a_schema_binds_the_reply(backend: EmbeddedBackend) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}, "sure": {"type": "boolean"}},
        "required": ["answer", "sure"],
        "additionalProperties": False,
    }
    found = await backend.complete(ask("What is 2+2?", json_schema=schema, max_tokens=60))
    reply = json.loads(found[0].text)
    assert set(reply) == {"answer", "sure"}
    assert isinstance(reply["answer"], int)


async def test_a_grammar_binds_the_reply(backend: EmbeddedBackend) -> None:
    found = await backend.complete(ask("Pick one.", grammar='root ::= "red" | "blue"'))
    assert found[0].text in ("red", "blue")
    with pytest.raises(BackendError, match="grammar"):
        await backend.complete(ask(grammar="root ::= ["))


async def test_log_probabilities(backend: EmbeddedBackend) -> None:
    found = await backend.complete(ask(logprobs=3, max_tokens=4))
    assert "".join(token.token for token in found[0].logprobs) == found[0].text
    for token in found[0].logprobs:
        assert token.logprob <= 0
        assert len(token.top) == 3
        assert token.top[0] == (token.token, token.logprob)  # greedy: the most likely one


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_continued_turn_is_not_echoed(backend: EmbeddedBackend, streamed: bool) -> None:
    start = "def solution():\n    return"
    messages = (
        Message(role="user", content="Write a Python function solution() that returns 2+3."),
        Message(role="assistant", content=start),
    )
    pieces: list[str] = []
    found = await backend.complete(
        ask(messages=messages, continue_assistant=True, max_tokens=6),
        (lambda _, text: pieces.append(text)) if streamed else None,
    )
    assert not found[0].text.startswith("def")
    assert found[0].text.startswith(" ")
    if streamed:
        assert "".join(pieces) == found[0].text


async def test_a_prompt_that_is_too_long_is_refused_with_its_length(backend: EmbeddedBackend) -> None:
    with pytest.raises(BackendError, match=r"prompt is \d+ tokens long and the limit is 4096") as caught:
        await backend.complete(ask("word " * 5000))
    assert not caught.value.retryable


async def test_a_shared_beginning_is_read_once(server: ServerProcess) -> None:
    beginning = " ".join(f"Fact {number} is about the number {number * 7}." for number in range(40))
    headers = {"Authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=120) as client:
        timings = []
        for question in ("Which is the first?", "Which is the last?"):
            body = {"messages": [{"role": "user", "content": f"{beginning} {question}"}], "max_tokens": 2}
            timings.append((await client.post("/v1/chat/completions", json=body)).json()["timings"])
    assert timings[0]["prompt_n"] > 300
    assert timings[1]["cache_n"] > 300
    assert timings[1]["prompt_n"] < 20


async def test_single_requests_do_not_starve_one_for_many_samples(backend: EmbeddedBackend) -> None:
    stop = False

    async def keep_busy(number: int) -> None:
        while not stop:
            await backend.complete(ask(f"Say {number}", max_tokens=8 + number))

    busy = [asyncio.create_task(keep_busy(number)) for number in range(backend.max_parallel)]
    try:
        found = await asyncio.wait_for(backend.complete(ask(n=backend.max_parallel, temperature=1.0)), 60)
    finally:
        stop = True
        await asyncio.gather(*busy)
    assert len(found) == backend.max_parallel


async def test_none_of_many_requests_meets_a_closed_connection(backend: EmbeddedBackend) -> None:
    # llama.cpp closes a kept connection after 100 requests: reusing them, 17 of 600 requests failed.
    async def ask_often(number: int) -> None:
        for turn in range(120):
            await backend.complete(ask(f"{number} {turn}", max_tokens=1))

    await asyncio.gather(*(ask_often(number) for number in range(2)))  # two connections, each closed once


async def test_a_cancelled_request_frees_its_slots(backend: EmbeddedBackend) -> None:
    task = asyncio.create_task(backend.complete(ask(n=backend.max_parallel, max_tokens=3000, temperature=1.0)))
    await backend.complete(ask(max_tokens=1))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(backend.complete(ask(max_tokens=1)), 60)


# --- the process


async def test_backends_of_one_model_share_a_process_which_ends_with_the_last(weights: Path) -> None:
    first, second = (connect(MODEL, ConnectOptions()) for _ in range(2))
    servers = await asyncio.gather(running(first), running(second))
    pid = servers[0].pid
    assert servers[1].pid == pid
    await first.aclose()
    await first.aclose()
    assert await second.complete(ask(max_tokens=1))
    assert is_alive(pid)
    await second.aclose()
    assert not is_alive(pid)


async def test_ctrl_c_is_not_for_the_server(backend: EmbeddedBackend) -> None:
    os.kill((await running(backend)).pid, signal.SIGINT)
    assert await backend.complete(ask(max_tokens=1))


async def test_a_dead_server_is_a_passing_error_and_is_started_anew(backend: EmbeddedBackend) -> None:
    first = await running(backend)
    asked = asyncio.create_task(backend.complete(ask(max_tokens=3000)))
    await asyncio.sleep(0.5)
    os.kill(first.pid, signal.SIGKILL)
    with pytest.raises(BackendError, match="signal 9") as caught:
        await asked
    assert caught.value.retryable
    assert await backend.complete(ask(max_tokens=1))
    assert (await running(backend)).pid != first.pid


@pytest.mark.parametrize("way", ["kill", "exit"])
def test_no_server_outlives_its_parent(weights: Path, way: str) -> None:
    program = f"""
import asyncio, os, sys
from mathagent.models import server_process
from mathagent.models.base import ConnectOptions
from mathagent.models.embedded import connect
async def main():
    backend = connect("{MODEL}", ConnectOptions())
    await backend.start()
    print(server_process.running(backend._options).pid, flush=True)
    if "{way}" == "kill":
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    environment = {**os.environ, "MATHAGENT_HOME": str(weights.parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == (-9 if way == "kill" else 0), done.stderr
    pid, deadline = int(done.stdout), time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(pid)


@pytest.fixture
def broken(weights: Path, tmp_path: Path) -> Path:
    path = tmp_path / "broken.gguf"
    path.write_bytes(weights.read_bytes()[:100_000])
    return path


async def test_a_file_that_llama_cpp_cannot_read_is_a_one_line_error(broken: Path) -> None:
    backend = connect(str(broken), ConnectOptions())
    with pytest.raises(BackendError, match="does not start") as caught:
        await backend.start()
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable
    await backend.aclose()


async def test_a_file_of_ones_own_answers(weights: Path) -> None:
    backend = connect(str(weights), ConnectOptions())
    assert (await backend.complete(ask(max_tokens=3)))[0].text
    await backend.aclose()


def test_one_backend_serves_one_loop_after_another(weights: Path) -> None:
    backend = connect(MODEL, ConnectOptions())

    async def once() -> str:
        return (await backend.complete(ask(max_tokens=3)))[0].text

    assert asyncio.run(once()) == asyncio.run(once())
    asyncio.run(backend.aclose())
