"""/health, /metrics, /v1/models, /, and errors of no route."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.strategies import STRATEGIES
from tests.unit.server.served import FORTY_TWO, always, keys, served


async def test_models_are_strategies(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        listed = (await server.http.get("/v1/models")).json()
        one = (await server.http.get("/v1/models/cot")).json()
        missing = await server.http.get("/v1/models/none/such")
    names = [entry["id"] for entry in listed["data"]]
    assert names == ["mathagent", *STRATEGIES.names()]
    assert one in listed["data"]
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_metrics_count_solves_and_requests(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        await server.chat()
        await server.chat(model="vote(cot, zero-shot-cot)")
        await server.chat(model="no-such")
        await server.http.get("/nowhere")
        text = (await server.http.get("/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['mathagent_solves_total{model="script:test",stopped="finished",strategy="cot"}'] == "1.0"
    assert lines['mathagent_solves_total{model="script:test",stopped="finished",strategy="composition"}'] == "1.0"
    chat = "/v1/chat/completions"
    assert lines[f'mathagent_http_requests_total{{method="POST",route="{chat}",status="200"}}'] == "2.0"
    assert lines[f'mathagent_http_requests_total{{method="POST",route="{chat}",status="404"}}'] == "1.0"
    assert lines['mathagent_http_requests_total{method="GET",route="other",status="404"}'] == "1.0"
    assert lines["mathagent_solves_running"] == "0.0"
    assert float(lines['mathagent_tokens_total{kind="completion"}']) >= 2 * len(FORTY_TWO.split())


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/solve", 405)])
async def test_errors_of_no_route_have_the_same_form(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.http.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


async def test_what_fails_inside_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:

        def broken(*arguments: object) -> None:
            raise RuntimeError("a bug at /srv/secret/place.py")

        monkeypatch.setattr(server.desk, "check", broken)
        response = await server.chat()
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text
    assert "RuntimeError" not in response.text
    assert "a bug at" in caplog.text


async def test_the_document_tells_the_truth_about_errors(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        document = (await server.http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "422" not in operation["responses"], path
    assert "/v1/chat/completions" in document["paths"]


async def test_a_page_that_is_there_is_shown_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><p>the page</p>", encoding="utf-8")
    monkeypatch.setattr("mathagent.server.app.STATIC", tmp_path)
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        page = await server.http.get("/")
        missing = await server.http.get("/no-such-file.js")
        api = await server.http.get("/v1/models")
    assert (page.status_code, "the page" in page.text) == (200, True)
    assert (missing.status_code, api.status_code) == (404, 401)
