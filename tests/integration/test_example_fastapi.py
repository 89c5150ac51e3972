"""examples/fastapi_app.py, with a scripted model."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app.py"
PROGRAM = "```python\nfrom fractions import Fraction\ndef solution():\n    return Fraction(1, 2)\n```"


async def test_the_example_marks_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([PROGRAM, PROGRAM, PROGRAM]), encoding="utf-8")
    monkeypatch.setenv("MATHAGENT_MODEL", f"script:{script}")
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fastapi_app", example)
    spec.loader.exec_module(example)
    transport = httpx.ASGITransport(example.app)
    async with (
        example.app.router.lifespan_context(example.app),
        httpx.AsyncClient(transport=transport, base_url="http://x", timeout=60) as http,
    ):
        marks = [
            (await http.post("/homework", json={"problem": "What is 1/2?", "given": given})).json()
            for given in ("0.5", "1/3")
        ]
        live = await http.get("/live", params={"problem": "What is 2/4?"})
    assert [mark["right"] for mark in marks] == [True, False]
    assert marks[0]["answer"] == "1/2"
    kinds = [line.removeprefix("event: ") for line in live.text.splitlines() if line.startswith("event: ")]
    assert (kinds[0], kinds[-1]) == ("solve-started", "solve-finished")
