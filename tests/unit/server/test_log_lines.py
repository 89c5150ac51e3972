"""The log: its two forms, and that no key gets into it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mathagent.models.scripted import Reply
from mathagent.server.log_lines import LineFormatter, log_to
from mathagent.tools.redaction import Redactor
from tests.unit.server.served import FORTY_TWO, KEY, always, keys, served


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "mathagent.x", "levelno": 20, "levelname": "INFO", "msg": message})
    made.__dict__.update(extra)
    return made


def test_json_lines_hold_the_extra_fields() -> None:
    line = LineFormatter("json", Redactor()).format(record("solve ended", solve="abc", tokens=7, key=None))
    assert {"message": "solve ended", "level": "info", "solve": "abc", "tokens": 7}.items() <= json.loads(
        line
    ).items()


def test_text_is_one_line() -> None:
    line = LineFormatter("text", Redactor()).format(record("first\nsecond", solve="abc"))
    assert line.endswith("info first second (solve=abc)")


async def test_no_key_gets_into_the_log_of_a_run(tmp_path: Path, restored_logging: None) -> None:
    """Keys in the environment, in an endpoint's URL, in requests, in a query and in what a failure says."""
    stream = io.StringIO()
    own = "env-secret-0123456789"
    log_to(stream, form="json", level="debug", redact=Redactor([own]))
    broken = Reply(error=f"401 of http://user:{own}@host/v1?key={own}: Bearer {own}", status=401)
    replies = iter([Reply(text=FORTY_TWO), broken])
    async with served(
        tmp_path,
        lambda request, sample: next(replies),
        keys=keys(),
        headers={"Authorization": f"Bearer {KEY}"},
    ) as server:
        assert (await server.chat()).status_code == 200
        assert (await server.chat("another: what is 6*8?")).status_code == 502
        await server.http.get(f"/v1/models?api_key={KEY}")
        await server.http.get("/v1/models", headers={"Authorization": "Bearer wrong-key-9876543210"})
    text = stream.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"solve started", "solve ended", "solve failed"} <= {line["message"] for line in lines}
    assert any(line.get("key") == "alice" for line in lines)
    for secret in (KEY, own, "wrong-key-9876543210"):
        assert secret not in text
    assert "6*7" not in text
    assert "6*8" not in text


async def test_log_of_a_run_as_text(tmp_path: Path, restored_logging: None) -> None:
    stream = io.StringIO()
    log_to(stream, redact=Redactor())
    async with served(tmp_path, always(FORTY_TWO)) as server:
        await server.chat()
    assert "POST /v1/chat/completions 200" in stream.getvalue()
