"""What the session sends beside the body, and how it reads what is no JSON."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.models.openai_session import OpenAISession, Response


async def heard(path: str = "/v1", login: str = "") -> web.Request:
    """The one request that a session sends to a server, which answers it with ``{}``."""
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response(await request.json())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://{login}127.0.0.1:{runner.addresses[0][1]}{path}"
    session = OpenAISession(url, "sk-x", read_timeout_s=10, connect_timeout_s=10)
    response = await session.post({"text": "√2"})
    assert response.json() == {"text": "√2"}
    await session.close()
    await session.close()
    await runner.cleanup()
    (request,) = requests
    return request


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets variables, and forgets the settings before and after."""

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield set_variables
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/openai/v1?api-version=7", "/openai/v1/chat/completions?api-version=7"),
    ],
)
async def test_the_path_stands_before_the_query(path: str, expected: str) -> None:
    request = await heard(path)
    assert (request.method, request.path_qs) == ("POST", expected)


async def test_key_and_kind_are_in_the_headers() -> None:
    headers = (await heard()).headers
    assert headers["Authorization"] == "Bearer sk-x"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("mathagent/")


async def test_a_login_in_the_url_stands_for_the_key() -> None:
    headers = (await heard(login="me:p%40ss@")).headers
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"


async def test_headers_of_the_environment_are_sent(environment: Any) -> None:
    environment(
        OPENAI_ORG_ID="org-1",
        OPENAI_PROJECT_ID="proj-2",
        OPENAI_CUSTOM_HEADERS="X-Team: maths\nno header\nuser-agent: mine: 1",
    )
    headers = (await heard()).headers
    assert (headers["OpenAI-Organization"], headers["OpenAI-Project"]) == ("org-1", "proj-2")
    assert (headers["X-Team"], headers.getall("User-Agent")) == ("maths", ["mine: 1"])


async def test_a_proxy_of_the_environment_gets_the_request(environment: Any) -> None:
    seen: list[str] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        seen.append(f"{request.method} {request.raw_path}")
        return web.json_response({"from": "proxy"})

    server = web.ServerRunner(web.Server(proxy))
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    environment(http_proxy=f"http://127.0.0.1:{server.addresses[0][1]}", no_proxy="")
    session = OpenAISession("http://models.invalid/v1", "k", read_timeout_s=10, connect_timeout_s=10)
    assert (await session.post({})).json() == {"from": "proxy"}
    assert seen == ["POST http://models.invalid/v1/chat/completions"]
    await session.close()
    await server.cleanup()


async def test_a_proxy_of_another_kind_is_refused(environment: Any) -> None:
    environment(http_proxy="", HTTP_PROXY="", all_proxy="socks5://127.0.0.1:9", no_proxy="")
    with pytest.raises(UsageError, match=r"socks5 proxy.*NO_PROXY"):
        OpenAISession("http://models.invalid/v1", "k", read_timeout_s=10, connect_timeout_s=10)


def response(content: bytes, kind: str = "application/json", status: int = 400) -> Response:
    return Response(status, {"content-type": kind}, content)


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b'{"error": {"message": "no"}}', "application/json", {"message": "no"}),
        (b'{"detail": "no"}', "application/json", {"detail": "no"}),
        (b"[1]", "text/plain", [1]),
        (b" out of m\xe9moire \n", "text/plain; charset=ISO-8859-1", "out of mémoire"),
        (b"\xff!", "text/plain; charset=klingon", "\ufffd!"),
        (b"", "", ""),
    ],
)
def test_what_a_failure_says(content: bytes, kind: str, expected: object) -> None:
    assert response(content, kind).error_body() == expected


def test_json_is_utf8_and_all_else_in_its_charset() -> None:
    assert response('"é"'.encode(), "application/json; charset=latin-1").json() == "é"
    assert response('"é"'.encode("latin-1"), "text/plain; charset=latin-1").json() == "é"
    with pytest.raises(UnicodeDecodeError):
        response(b'"\xff"').json()
    with pytest.raises(json.JSONDecodeError):
        response(b"").json()


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"usage": ' + b"1" * 5000 + b"}"], ids=["deep", "digits"])
def test_json_that_nobody_can_read_is_none(content: bytes) -> None:
    with pytest.raises(json.JSONDecodeError, match="cannot be read"):
        response(content).json()
    assert response(content).error_body() == content.decode()


@pytest.mark.parametrize(
    ("status", "success"), [(200, True), (204, True), (304, False), (400, False), (503, False)]
)
def test_success(status: int, success: bool) -> None:
    assert response(b"", status=status).is_success == success


def test_whole_replies_need_no_openai_client() -> None:
    code = (
        "import asyncio, sys\n"
        "from mathagent.models.openai_session import OpenAISession\n"
        "async def main():\n"
        "    session = OpenAISession('http://127.0.0.1:9', 'k', read_timeout_s=5, connect_timeout_s=5)\n"
        "    try:\n"
        "        await session.post({})\n"
        "    except OSError:\n"
        "        print('openai' in sys.modules)\n"
        "    await session.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
