"""The example of docs/sandbox-backends.md: it runs as it stands, against a stand-in for the vendor's package."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from mathagent.errors import SandboxError
from mathagent.registry import Registry
from mathagent.sandbox import SANDBOXES
from mathagent.sandbox.base import Limits, Sandbox

PAGE = Path(__file__).parents[3] / "docs" / "sandbox-backends.md"


class SandboxException(Exception): ...


class TimeoutException(SandboxException): ...


class FileNotFoundException(SandboxException): ...


class AuthenticationException(Exception): ...


class Machine:
    """Answers as the vendor's sandbox does."""

    made: ClassVar[list[Machine]] = []
    refuse: ClassVar[Exception | None] = None

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.content: dict[str, bytes] = {}
        self.alive = True
        self.files = SimpleNamespace(write=self.write, read=self.read)
        self.made.append(self)

    @classmethod
    async def create(cls, *, timeout: int, allow_internet_access: bool) -> Machine:  # noqa: ASYNC109
        assert not allow_internet_access
        if cls.refuse is not None:
            raise cls.refuse
        return cls()

    async def run_code(self, code: str, *, timeout: float) -> Any:  # noqa: ASYNC109
        if code == "hang":
            raise TimeoutException("timed out")
        if code == "die":
            self.alive = False
            raise TimeoutException("the sandbox was not found")
        if code == "wait":
            await asyncio.sleep(60)
        logs = SimpleNamespace(stdout=[], stderr=[])
        self.names["print"] = lambda text: logs.stdout.append(f"{text}\n")
        try:
            value = eval(code, self.names) if code and "=" not in code else exec(code, self.names)
        except Exception as error:
            told = SimpleNamespace(name=type(error).__name__, value=str(error), traceback="Traceback …")
            return SimpleNamespace(logs=logs, error=told, text=None)
        return SimpleNamespace(logs=logs, error=None, text=None if value is None else str(value))

    async def write(self, path: str, data: bytes) -> None:
        self.content[path] = data

    async def read(self, path: str, format: str) -> bytearray:
        if path not in self.content:
            raise FileNotFoundException(path)
        return bytearray(self.content[path])

    async def is_running(self) -> bool:
        return self.alive

    async def kill(self) -> bool:
        self.alive = False
        return True


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sandbox]:
    monkeypatch.setattr(Machine, "made", [])
    source = re.search(r'```python\n("""A sandbox in E2B.*?)```', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert source is not None
    module = types.ModuleType("mathagent_e2b")
    monkeypatch.setitem(sys.modules, "mathagent_e2b", module)
    exec(compile(source[1], str(PAGE), "exec"), module.__dict__)  # importing it needs no package of the vendor
    vendor, exceptions = ModuleType("e2b_code_interpreter"), ModuleType("e2b.exceptions")
    vendor.__dict__["AsyncSandbox"] = Machine
    for kind in (SandboxException, TimeoutException, FileNotFoundException, AuthenticationException):
        exceptions.__dict__[kind.__name__] = kind
    monkeypatch.setitem(sys.modules, "e2b", ModuleType("e2b"))
    monkeypatch.setitem(sys.modules, "e2b.exceptions", exceptions)
    monkeypatch.setitem(sys.modules, "e2b_code_interpreter", vendor)
    target = re.search(r'^e2b = "(.+)"$', PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert target is not None
    built: Callable[[], Sandbox] = Registry("sandbox", SANDBOXES.group, {"e2b": target[1]}).load("e2b")
    return built


async def test_programs_each_in_their_own_machine(build: Callable[[], Sandbox]) -> None:
    sandbox = build()
    execution = await sandbox.run("print(6 * 7)")
    assert (execution.status, execution.stdout, execution.sandbox) == ("ok", "42\n", "e2b")
    assert (await sandbox.run("6 * 7")).value == "42"
    failed = await sandbox.run("1 / 0")
    assert (failed.status, failed.error) == ("error", "ZeroDivisionError: division by zero")
    assert (await sandbox.run("hang")).status == "timeout"
    assert (await sandbox.run("die")).status == "crashed"
    flood = await sandbox.run("print('x' * 100)", Limits(output_bytes=10))
    assert (flood.status, flood.stdout) == ("output-limit", "x" * 10)
    fetched = await sandbox.run("1", files={"a": b"in"}, fetch=["a", "missing"])
    assert fetched.files == {"a": b"in"}
    assert len(Machine.made) == 7
    assert not any(machine.alive for machine in Machine.made)
    assert all(layer.detail for layer in sandbox.layers())


async def test_sessions_are_restored_and_copied(build: Callable[[], Sandbox]) -> None:
    sandbox = build()
    session = await sandbox.session()
    await session.run("x = 3")
    copy = await session.snapshot()
    await copy.run("x = 4")
    assert [(await one.run("x")).value for one in (session, copy)] == ["3", "4"]
    assert (await session.run("hang")).status == "timeout"
    assert (await session.run("x")).value == "3"
    waiting = asyncio.create_task(session.run("wait"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await session.run("x")).value == "3"
    await copy.aclose()
    await sandbox.aclose()
    assert not any(machine.alive for machine in Machine.made)
    with pytest.raises(SandboxError, match="closed"):
        await session.run("x")


async def test_no_key_says_what_to_do(build: Callable[[], Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "refuse", AuthenticationException("invalid"))
    with pytest.raises(SandboxError, match="set E2B_API_KEY"):
        await build().run("1")
