"""From facts to an Execution; the report is text from a stranger."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mathagent.sandbox.base import Limits
from mathagent.sandbox.outcome import Ended, conclude

LIMITS = Limits(cpu_s=2, memory_mb=100)
OK = b'{"status": "ok", "value": "42"}'


def ended(**facts: Any) -> Ended:
    return Ended(**({"reason": "exit", "root_exit": 0, "control": b"ready\nexit 0 2048\n", "report": OK} | facts))


def test_ok() -> None:
    execution = conclude(ended(stdout=b"\xffout", stderr=b"err", wall_s=1.5, cpu_s=0.5), LIMITS)
    assert execution.model_dump(exclude_defaults=True) == {
        "status": "ok",
        "value": "42",
        "stdout": "�out",
        "stderr": "err",
        "wall_s": 1.5,
        "cpu_s": 0.5,
        "peak_memory_mb": 2.0,
    }


@pytest.mark.parametrize(
    ("facts", "status", "signal"),
    [
        ({"reason": "timeout"}, "timeout", None),
        ({"reason": "output-limit", "detail": "stdout"}, "output-limit", None),
        ({"reason": "memory"}, "memory", None),
        ({"reason": "processes"}, "refused", None),
        ({"reason": "closed"}, "refused", None),
        ({"control": b"ready\nexit 11 1\n"}, "crashed", 11),
        ({"control": b"ready\nexit 9 1\n"}, "crashed", 9),
        ({"control": b"ready\nexit 9 1\n", "cpu_s": 2.05}, "timeout", None),
        ({"control": b"ready\nexit 9 99000\n"}, "memory", None),
        ({"control": b"ready\nexit 1792 1\n"}, "error", None),
        ({"control": b"ready\n", "root_exit": -9}, "crashed", 9),
        ({"control": b"ready\n", "root_exit": None}, "error", None),
        ({"control": b"ready\nexit 999999 1\n", "root_exit": 3}, "error", None),
        ({"control": b"ready\nexit 127 1\n", "root_exit": 3}, "error", None),
        ({"report": b'{"status": "memory", "error": "MemoryError"}'}, "memory", None),
        ({"report": b'{"status": "error", "value": "1"}'}, "error", None),
    ],
)
def test_kernel_facts_decide(facts: dict[str, Any], status: str, signal: int | None) -> None:
    execution = conclude(ended(**facts), LIMITS)
    assert (execution.status, execution.signal, execution.value) == (status, signal, None)
    assert execution.error


def test_kernel_facts_win_over_a_good_report() -> None:
    assert conclude(ended(reason="timeout", report=OK), LIMITS).value is None


REPORTS = st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "value", "error", "x"]), inner),
).map(lambda value: json.dumps(value).encode())


@given(REPORTS, st.binary() | st.just(b"ready\nexit 0 1\n"), st.binary())
@example(b'{"status": "ok", "value": "\\ud800"}', b"ready\nexit 0 1\n", b"")
@example(b"[" * 10**5, b"ready\nexit 0 1\n", b"")
@example(b'{"status": "ok", "value": "' + b"9" * 2**21 + b'"}', b"ready\nexit 0 1\n", b"")
@example(b'{"status": "ok"}', b"exit 00000 999999999999\nexit 1", b"")
def test_no_bytes_raise(report: bytes, control: bytes, output: bytes) -> None:
    execution = conclude(ended(report=report, control=control, stdout=output, stderr=output), LIMITS)
    assert execution.model_dump_json()
    assert execution.ok or execution.error


def test_started_is_said_before_the_program() -> None:
    assert ended().started
    assert not ended(control=b"unshare: failed\nready\n").started
