from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_endpoint import FakeEndpoint

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ConnectOptions
from mathagent.models.openai_compat import connect
from mathagent.models.scripted import ScriptedBackend
from mathagent.models.served_models import model_at, told_context


@pytest.fixture
async def server() -> AsyncIterator[FakeEndpoint]:
    started = await FakeEndpoint().start()
    yield started
    await started.stop()


async def test_the_one_model_of_a_server_needs_no_name(server: FakeEndpoint) -> None:
    server.models = {"data": [{"id": "org/m"}]}
    assert await model_at(server.url) == f"openai:org/m@{server.url}"


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"data": [{"id": f"m{number}"} for number in range(12)]}, r"several models \(m0, .*m7, …\); name one"),
        ({"data": []}, "does not say which models it serves"),
        ({"data": ["m"]}, "does not say which models it serves"),
        ("nonsense", "does not say which models it serves"),
        (None, "does not say which models it serves"),
    ],
)
async def test_where_there_is_not_one_it_is_said_how_to_name_one(
    server: FakeEndpoint, models: Any, said: str
) -> None:
    server.models = models
    with pytest.raises(UsageError, match=said):
        await model_at(server.url)


async def test_nobody_there_and_two_urls() -> None:
    with pytest.raises(BackendError):
        await model_at("http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="give one URL"):
        await model_at("http://127.0.0.1:9/v1,http://127.0.0.1:8/v1")


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"context_length": 4096, "max_model_len": None}, 4096),
        ({"meta": {"n_ctx": 2048, "n_ctx_train": 32768}}, 2048),
        ({"meta": None, "max_model_len": True}, None),
        ({"max_model_len": -1}, None),
        ({}, None),
    ],
)
async def test_the_context_is_read_as_each_server_tells_it(
    server: FakeEndpoint, row: dict[str, Any], tokens: int | None
) -> None:
    server.models = {"data": [{"id": "other", "max_model_len": 1}, {"id": "m", **row}]}
    backend = connect("m", ConnectOptions(base_url=server.url))
    assert await told_context(backend) == tokens
    await backend.aclose()


async def test_a_pool_takes_what_all_of_its_members_take(server: FakeEndpoint) -> None:
    other = await FakeEndpoint().start()
    server.models = {"data": [{"id": "m", "max_model_len": 8192}]}
    other.models = {"data": [{"id": "m", "max_model_len": 4096}]}
    pool = connect("m", ConnectOptions(base_url=f"{server.url},{other.url}"))
    assert await told_context(pool) == 4096
    await pool.aclose()
    await other.stop()


async def test_a_backend_that_tells_nothing() -> None:
    assert await told_context(ScriptedBackend([])) is None


async def test_a_dead_member_of_a_pool_says_nothing_of_its_context(server: FakeEndpoint) -> None:
    server.models = {"data": [{"id": "m", "max_model_len": 8192}]}
    pool = connect("m", ConnectOptions(base_url=f"http://127.0.0.1:9/v1,{server.url}"))
    assert await told_context(pool) == 8192
    await pool.aclose()
    nobody = connect("m", ConnectOptions(base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(BackendError):
        await told_context(nobody)
    await nobody.aclose()
