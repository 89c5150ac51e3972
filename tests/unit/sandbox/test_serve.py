"""The server of a sandbox: what it answers, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hosted_sandbox import ROOT, HostedSandbox, server_command

from mathagent.sandbox import docker_image, wire
from mathagent.sandbox.base import Limits
from mathagent.sandbox.serve import Server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the server is for POSIX")


def program(number: int, code: str) -> wire.RunProgram:
    return wire.RunProgram(id=number, code=code.encode(), limits=Limits())


class Heard:
    """The replies of a server in this process."""

    def __init__(self, parallel: int = 2) -> None:
        self.sandbox = HostedSandbox()
        self.replies: list[wire.Reply] = []
        self.changed = asyncio.Event()
        self.server = Server(self.sandbox, parallel, self.send)

    async def send(self, data: bytes) -> None:
        self.replies.append(wire.parse_reply(data[4:]))
        self.changed.set()

    async def until(self, count: int) -> list[tuple[str, int]]:
        """Kind and id of the replies, once there are ``count``."""
        async with asyncio.timeout(10):
            while len(self.replies) < count:
                self.changed.clear()
                await self.changed.wait()
        return [(reply.kind, reply.id) for reply in self.replies]

    async def ask(self, request: wire.Request) -> wire.Reply:
        """The answer to ``request`` alone."""
        before = len(self.replies)
        self.server.receive(request)
        await self.until(before + (1 if isinstance(request, wire.RunCell) and self.broken(request) else 2))
        return self.replies[-1]

    def broken(self, request: wire.RunCell) -> bool:
        return request.session not in self.server._sessions


async def test_started_comes_when_the_turn_has_come() -> None:
    heard = Heard(parallel=1)
    for number in (1, 2, 3):
        heard.server.receive(program(number, "sleep 0.01"))
    heard_of = await heard.until(6)
    assert [number for kind, number in heard_of if kind == "started"] == [1, 2, 3]
    assert heard_of.index(("started", 3)) > heard_of.index(("done", 1))
    assert heard.sandbox.most == 1


async def test_as_many_run_at_a_time_as_allowed() -> None:
    heard = Heard(parallel=3)
    for number in range(1, 9):
        heard.server.receive(program(number, "sleep 0.01"))
    await heard.until(16)
    assert heard.sandbox.most == 3


async def test_cancelling_stops_running_and_waiting_work() -> None:
    heard = Heard(parallel=1)
    heard.server.receive(program(1, "sleep 60"))
    heard.server.receive(program(2, "say never"))
    await heard.until(1)
    heard.server.receive(wire.Cancel(id=2))
    heard.server.receive(wire.Cancel(id=1))
    heard.server.receive(wire.Cancel(id=77))  # not known: no matter
    assert sorted((await heard.until(3))[1:]) == [("failed", 1), ("failed", 2)]
    assert heard.sandbox.cancelled == ["sleep 60"]
    heard.server.receive(program(1, "say on"))  # the number is free again
    assert (await heard.until(5))[3:] == [("started", 1), ("done", 1)]


async def test_cancelled_before_its_first_step() -> None:
    heard = Heard()
    heard.server.receive(program(1, "say never"))
    heard.server.receive(wire.Cancel(id=1))
    assert await heard.until(1) == [("failed", 1)]


async def test_a_number_in_use_is_refused() -> None:
    heard = Heard()
    heard.server.receive(program(1, "sleep 60"))
    with pytest.raises(wire.WireError, match="request 1"):
        heard.server.receive(program(1, "say x"))
    await heard.until(1)
    await heard.server.aclose()
    assert heard.sandbox.cancelled == ["sleep 60"]


async def test_sessions_and_snapshots() -> None:
    heard = Heard()
    assert (await heard.ask(wire.OpenSession(id=1, session=10, limits=Limits()))).kind == "agreed"
    await heard.ask(wire.RunCell(id=2, session=10, code=b"keep a"))
    assert (await heard.ask(wire.TakeSnapshot(id=3, session=10, copy_number=11))).kind == "agreed"
    await heard.ask(wire.RunCell(id=4, session=11, code=b"keep b"))
    values = []
    for number, session in ((5, 10), (6, 11)):
        reply = await heard.ask(wire.RunCell(id=number, session=session, code=b"names"))
        assert isinstance(reply, wire.Done)
        values.append(reply.execution.value)
    assert values == ["a", "a b"]
    assert heard.sandbox.sessions == 2
    await heard.ask(wire.CloseSession(id=7, session=10))
    await heard.ask(wire.CloseSession(id=8, session=10))
    assert heard.sandbox.sessions == 1
    gone = await heard.ask(wire.RunCell(id=9, session=10, code=b"names"))
    assert gone == wire.Failed(id=9, message="there is no session 10")


async def test_what_the_sandbox_raises_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    heard = Heard()
    broken = await heard.ask(program(1, "broken"))
    assert broken == wire.Failed(id=1, message="no program can be started: the disk is full")
    fault = await heard.ask(program(2, "fault"))
    assert fault == wire.Failed(id=2, message="a fault in the sandbox: KeyError: 'a bug'")
    assert "hosted_sandbox.py" in capsys.readouterr().err


async def test_a_result_that_fits_no_frame_is_an_output_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 1_000)
    reply = await Heard().ask(program(1, "big 2000"))
    assert isinstance(reply, wire.Done)
    assert (reply.execution.status, reply.execution.stdout) == ("output-limit", "")
    assert "at most 1,000" in (reply.execution.error or "")


def converse(
    requests: bytes, *arguments: str, sandbox: str = "hosted_sandbox:HostedSandbox"
) -> tuple[int, list[wire.Reply], str]:
    """Exit code, replies and stderr of a server process that reads ``requests`` and then the end."""
    command = [*server_command(sandbox), *arguments]
    done = subprocess.run(command, input=requests, capture_output=True, timeout=60, check=False)
    replies, data = [], done.stdout
    while data:
        length = int.from_bytes(data[:4], "big")
        replies.append(wire.parse_reply(data[4 : 4 + length]))
        data = data[4 + length :]
    return done.returncode, replies, done.stderr.decode()


def test_only_frames_on_stdout_and_an_end_at_end_of_input() -> None:
    requests = wire.frame(program(1, "print"))
    process = subprocess.Popen(
        server_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    kinds: list[str] = []
    process.stdin.write(requests)
    process.stdin.flush()
    while kinds[-1:] != ["done"]:
        length = int.from_bytes(process.stdout.read(4), "big")
        kinds.append(wire.parse_reply(process.stdout.read(length)).kind)
    process.stdin.close()
    assert process.wait(30) == 0
    assert kinds == ["hello", "started", "done"]
    assert process.stdout.read() == b""
    assert process.stderr.read() == b"noise on stdout\nmore noise\n"
    process.stdout.close()
    process.stderr.close()


def test_end_of_input_ends_what_runs() -> None:
    code, replies, stderr = converse(wire.frame(program(1, "sleep 600")))
    assert (code, stderr) == (0, "")
    assert replies[0] == wire.Hello(
        id=0, protocol=wire.PROTOCOL, label="hosted/T", layers=tuple(HostedSandbox().layers())
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xff\xff\xff", "a frame of 4,294,967,295 bytes"),
        (b"\0\0\0\2{}", "not of this protocol"),
        (b"\0\0", "ended inside a frame"),
    ],
)
def test_nonsense_ends_it_with_a_message(data: bytes, message: str) -> None:
    code, _, stderr = converse(data)
    assert code == 1
    assert stderr.startswith("sandbox server: ")
    assert message in stderr


def test_an_unknown_sandbox_is_named() -> None:
    code, replies, stderr = converse(b"", sandbox="subproces")
    assert (code, replies) == (1, [])
    assert "did you mean subprocess" in stderr


def test_input_that_is_no_pipe_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with file.open("rb") as stdin:
        done = subprocess.run(server_command(), stdin=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"sandbox server: Pipe transport is" in done.stderr


def test_the_image_has_all_that_the_server_imports() -> None:
    """In the container only those packages are there, with what they depend on."""
    code = (
        "import sys, json; before = set(sys.modules); import mathagent.sandbox.serve as serve\n"
        "from mathagent.sandbox import SANDBOXES\n"
        "for name in ('process', 'subprocess'): name in SANDBOXES.table and SANDBOXES.load(name)\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(names - sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, cwd=ROOT)
    installed = {name.replace("-", "_") for name in docker_image.INSTALLED}
    of_pydantic = {"annotated_types", "dotenv", "pydantic_core", "typing_extensions", "typing_inspection"}
    imported = {name for name in json.loads(done.stdout) if not name.startswith("_sysconfigdata")}
    assert imported <= {"mathagent"} | installed | of_pydantic
