from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from mathagent.config import settings
from mathagent.errors import UnknownName, UnsupportedOption, UsageError
from mathagent.models import embedded
from mathagent.models.base import ChatRequest, ConnectOptions, PartialReply, ToolSpec
from mathagent.models.embedded import connect
from mathagent.models.server_process import usable_threads
from mathagent.types import Completion, Message, SamplingParams


def test_connecting_fetches_and_starts_nothing(own_home: Path) -> None:
    backend = connect("smollm2-135m", ConnectOptions(on_progress=lambda progress: pytest.fail(str(progress))))
    assert backend.name == "embedded:smollm2-135m"
    assert backend.identity.startswith("embedded:smollm2-135m@b179c952")
    assert backend.max_parallel == settings().slots


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="smollm2-135m"):
        connect("smollm2", ConnectOptions())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (ConnectOptions(base_url="http://127.0.0.1:8000"), "base_url"),
        (ConnectOptions(api_key=SecretStr("k")), "api_key"),
    ],
)
def test_options_of_endpoints_are_refused_by_name(options: ConnectOptions, named: str) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        connect("smollm2-135m", options)


def test_a_file_of_ones_own_is_a_model_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(b"GGUF" + bytes(20))
    backend = connect(str(file), ConnectOptions())
    assert backend.name == f"embedded:{file}"
    first = backend.identity
    os.utime(file, ns=(1, 1))
    assert connect(str(file), ConnectOptions()).identity != first


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04"], ids=["missing", "empty", "zip"])
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "own.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"own\.gguf"):
        connect(str(file), ConnectOptions())


def test_without_the_runtime_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mathagent\[embedded\]'"):
        connect("smollm2-135m", ConnectOptions())


async def test_tools_are_refused_before_anything_is_fetched(own_home: Path) -> None:
    backend = connect("smollm2-135m", ConnectOptions())
    tool = ToolSpec(name="add", description="Adds.", parameters={"type": "object"})
    request = ChatRequest(
        messages=(Message(role="user", content="1+1"),), params=SamplingParams(max_tokens=1), tools=(tool,)
    )
    with pytest.raises(UnsupportedOption, match="tool_calls"):
        await backend.complete(request)
    await backend.aclose()


async def test_samples_that_came_before_the_connection_broke_are_kept(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any, on_finished: Callable[[int, Completion], None], **__: Any) -> None:
        on_finished(1, Completion(text="whole", finish_reason="stop"))
        raise httpx.ReadError("gone")

    async def nothing() -> None:
        pass

    async def connection() -> Any:
        return SimpleNamespace(alive=True), None

    backend = connect("smollm2-135m", ConnectOptions())
    monkeypatch.setattr(embedded, "stream_chat", breaks)
    monkeypatch.setattr(backend, "start", nothing)
    monkeypatch.setattr(backend, "_connection", connection)
    request = ChatRequest(messages=(Message(role="user", content="1+1"),), params=SamplingParams(n=3))
    with pytest.raises(PartialReply, match="the reply broke off") as caught:
        await backend.complete(request)
    assert {index: one.text for index, one in caught.value.arrived.items()} == {1: "whole"}
    assert caught.value.retryable


def test_threads_are_limited_to_what_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)), raising=False)
    assert 1 <= usable_threads() <= 3
