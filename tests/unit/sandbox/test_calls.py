"""CallPool and its worker without processes: what a worker answers, and when it is thrown away."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.answers import equality
from mathagent.sandbox import call_worker, calls
from mathagent.sandbox.calls import CallPool


class FakeWorker:
    def __init__(self) -> None:
        self.calls = 0
        self.killed = False

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ({"result": 1, "peak_mb": 150.0}, True),
        ({"error": "ValueError: x", "peak_mb": 150.0}, True),
        ({"result": 1, "peak_mb": calls.RECYCLE_MB + 1.0}, False),
        ({"error": "out of memory", "spent": True}, False),
    ],
)
def test_a_worker_that_grew_is_replaced(reply: dict[str, Any], kept: bool) -> None:
    pool, worker = CallPool(), FakeWorker()
    pool._busy.add(worker)  # type: ignore[arg-type]
    pool._release(worker, reply)  # type: ignore[arg-type]
    assert worker.killed is not kept
    assert list(pool._idle) == ([worker] if kept else [])
    assert not pool._busy


def test_a_worker_of_a_closed_pool_is_not_kept() -> None:
    pool, worker = CallPool(), FakeWorker()
    pool._release(worker, {"result": 1})  # type: ignore[arg-type]
    assert worker.killed


def test_out_of_memory_is_told_and_the_worker_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(text: str) -> bool:
        raise MemoryError

    hungry.__module__ = equality.__name__
    monkeypatch.setattr(equality, "probe", hungry)
    reply = call_worker._answer({"function": "mathagent.answers.equality:probe", "args": ["x"]})
    assert reply == {"error": "out of memory", "spent": True}


def test_answers_and_errors_are_plain_json() -> None:
    function = "mathagent.answers.equality:compare"
    assert call_worker._answer({"function": function, "args": ["1/2", "0.5"]})["result"][0] == "equal"
    assert call_worker._answer({"function": function, "args": []})["error"].startswith("TypeError: ")
    missing = call_worker._answer({"function": "mathagent.answers.nowhere:compare", "args": []})
    assert missing["error"].startswith("ModuleNotFoundError: ")
