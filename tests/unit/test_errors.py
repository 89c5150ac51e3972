"""The tree of errors: exit codes, and messages that stay one short line."""

from __future__ import annotations

import inspect
import re

import pytest

from mathagent import errors
from mathagent.errors import (
    BackendError,
    LimitReached,
    MathagentError,
    ResourceError,
    UnknownName,
    UnsupportedOption,
    UsageError,
    WorkerError,
)


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = re.findall(r"^([├└│ ─]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    depth = {
        name: len(indent) // 4 for indent, name in drawn if name.endswith(("Error", "Name", "Option", "Reached"))
    }
    real = dict(inspect.getmembers(errors, lambda item: inspect.isclass(item) and issubclass(item, Exception)))
    assert depth.keys() == real.keys()
    for name, found in real.items():
        assert depth[name] == found.__mro__.index(MathagentError)


@pytest.mark.parametrize(
    ("kind", "code"), [(UsageError, 2), (ResourceError, 1), (BackendError, 1), (MathagentError, 1)]
)
def test_exit_codes(kind: type[MathagentError], code: int) -> None:
    assert kind("x").exit_code == code


def test_unknown_name_offers_the_nearest() -> None:
    error = UnknownName("strategy", "self-consistancy", ["pal", "cot", "self-consistency"])
    assert str(error) == "no strategy is named 'self-consistancy'; did you mean self-consistency?"
    assert error.exit_code == 2
    assert str(UnknownName("tool", "zzz", ["b", "a"])) == "no tool is named 'zzz'; known: a, b"


@pytest.mark.parametrize("name", ["a\nb\r\nc", "x" * 10**6, "\x1b[31m", ""])
def test_unknown_name_is_one_short_line(name: str) -> None:
    text = str(UnknownName("model", name, ["pal"]))
    assert len(text.splitlines()) == 1
    assert len(text) < 150


def test_fields() -> None:
    assert str(UnsupportedOption("b", "seed", "use another")) == "backend b does not support seed; use another"
    error = BackendError("m", retryable=True, status=429, retry_after_s=2.0)
    assert (error.retryable, error.status, error.retry_after_s) == (True, 429, 2.0)
    assert not BackendError("m").retryable
    assert LimitReached("max_calls", "m").limit == "max_calls"
    assert WorkerError("m", timed_out=True).timed_out
