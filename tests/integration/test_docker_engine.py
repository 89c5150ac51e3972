"""The docker sandbox against a real engine; and its server in a jail that takes away what a container takes away.

Without an engine (or where its image cannot be built: that needs the network) the first half is skipped and says why.
The jail is bubblewrap's: a read-only file system, no network, no capabilities, no further user namespaces.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits
from mathagent.sandbox.docker_container import PID_LABEL, DockerSandbox
from mathagent.sandbox.link import CommandLink, open_command
from mathagent.sandbox.remote import RemoteSandbox

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="POSIX"),
    pytest.mark.timeout(1_800),  # the image's first build
]
ROOT = Path(__file__).parents[2]
FIRST = Limits(timeout_s=60, cpu_s=60)


def docker_sandbox() -> DockerSandbox:
    sandbox = DockerSandbox()
    engine = next(layer for layer in sandbox.layers() if layer.name == "engine")
    if not engine.active:
        pytest.skip(engine.detail)
    try:
        asyncio.run(built_image(sandbox))
    except SandboxError as error:
        pytest.skip(f"no image: {error}")
    return DockerSandbox()


async def built_image(sandbox: DockerSandbox) -> None:
    try:
        await sandbox.build_image()
    finally:
        await sandbox.aclose()


def jailed_sandbox() -> RemoteSandbox:
    """A server of the process sandbox where the kernel gives it no more than in a container."""
    if sys.platform != "linux":
        pytest.skip("bubblewrap is for Linux")
    from mathagent.sandbox.jail import bubblewrap

    path = bubblewrap()
    if path is None:
        pytest.skip("no bubblewrap that works here")
    apart = ("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net", "--unshare-ipc")
    user = (
        "--uid",
        "10001",
        "--gid",
        "10001",
        "--cap-drop",
        "ALL",
        "--clearenv",
        "--setenv",
        "PATH",
        "/usr/bin:/bin",
    )
    ours = [
        word for place in (str(ROOT), sys.prefix) for word in ("--ro-bind", place, place)
    ]  # may lie below /tmp
    places = ("--ro-bind", "/", "/", "--tmpfs", "/tmp", *ours, "--proc", "/proc", "--dev", "/dev")
    server = (sys.executable, "-s", "-X", "utf8", "-m", "mathagent.sandbox.serve")
    hosted = ("--sandbox", "mathagent.sandbox.process:ProcessSandbox", "--parallel", "2", "--contained")
    command = (path, *apart, *user, *places, "--die-with-parent", "--chdir", str(ROOT), "--", *server, *hosted)

    async def open_link() -> CommandLink:
        return await open_command(command)

    return RemoteSandbox("docker", open_link)


BUILDERS = {"engine": docker_sandbox, "jail": jailed_sandbox}


@pytest.fixture(params=BUILDERS)
def built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RemoteSandbox:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    return BUILDERS[request.param]()


@pytest.fixture
async def sandbox(built: RemoteSandbox) -> AsyncIterator[RemoteSandbox]:
    yield built
    await built.aclose()


async def test_solves_with_sympy(sandbox: RemoteSandbox) -> None:
    execution = await sandbox.run("import sympy\nx = sympy.symbols('x')\nsympy.solve(x**2 - 2)", FIRST)
    assert (execution.value, execution.error) == ("[-sqrt(2), sqrt(2)]", None)
    assert execution.sandbox.startswith("docker/process/")
    assert sandbox.label == execution.sandbox


@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.create_connection(('1.1.1.1', 53), 2)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "open('/usr/lib/written', 'w')",
        f"open({str(ROOT / 'written')!r}, 'w')",
        "open('/etc/shadow').read()",
        "import os; os.setuid(0)",
        "import os; os.listdir('/root')",
    ],
)
async def test_what_a_program_cannot_do(sandbox: RemoteSandbox, program: str) -> None:
    execution = await sandbox.run(program, FIRST)
    assert execution.status == "error", execution
    assert (execution.error or "").split(":")[0] in {
        "PermissionError",
        "OSError",
        "FileNotFoundError",
        "socket.gaierror",
        "BlockingIOError",
    }


async def test_no_secret_of_ours_is_there(sandbox: RemoteSandbox) -> None:
    program = (
        "import os\n(dict(os.environ), open('/proc/self/environ').read() if os.access('/proc/self', 4) else '')"
    )
    execution = await sandbox.run(program, FIRST)
    assert execution.status in {"ok", "error"}
    assert "secret" not in f"{execution.value}{execution.stdout}{execution.error}"


async def test_files_sessions_and_snapshots(sandbox: RemoteSandbox) -> None:
    execution = await sandbox.run("open('b', 'w').write(open('a').read() * 2)", FIRST, {"a": b"12"}, fetch=["b"])
    assert execution.files == {"b": b"1212"}
    session = await sandbox.session(FIRST)
    await session.run("x = 3")
    copy = await session.snapshot()
    await copy.run("x += 1")
    assert [(await one.run("x")).value for one in (session, copy)] == ["3", "4"]


async def test_a_hostile_program_ends_no_other(sandbox: RemoteSandbox) -> None:
    bystander = asyncio.create_task(sandbox.run("import time; time.sleep(1); 'still here'", FIRST))
    await sandbox.run("import os, signal; os.kill(-1, signal.SIGKILL)", FIRST)
    flood = await sandbox.run("while True: print('x' * 1000)", Limits(timeout_s=60, cpu_s=60, output_bytes=5_000))
    assert flood.status == "output-limit"
    memory = await sandbox.run("x = bytearray(3 * 2**30)", Limits(timeout_s=60, cpu_s=60, memory_mb=512))
    assert memory.status == "memory"
    if sandbox.label in {"docker/process/A", "docker/process/B", "docker/process/C"}:
        assert (await bystander).value == "still here"
    else:  # a kernel without Landlock's scopes: a program may signal others of the container
        assert (await bystander).status in {"ok", "crashed"}
    assert (await sandbox.run("6 * 7", FIRST)).value == "42"


async def test_time_out_and_cancelling(sandbox: RemoteSandbox) -> None:
    await sandbox.run("1", FIRST)
    slow = await sandbox.run("print('so far')\nwhile True: pass", Limits(timeout_s=1.0))
    assert (slow.status, slow.stdout) == ("timeout", "so far\n")
    endless = [asyncio.create_task(sandbox.run("while True: pass", FIRST)) for _ in range(4)]
    await asyncio.sleep(0.5)
    for run in endless:
        run.cancel()
    await asyncio.gather(*endless, return_exceptions=True)
    assert (await sandbox.run("6 * 7", FIRST)).value == "42"


async def test_no_container_is_left() -> None:
    sandbox = await asyncio.to_thread(docker_sandbox)
    run = asyncio.create_task(sandbox.run("import time; time.sleep(60)", Limits(timeout_s=90)))
    await sandbox.run("1", FIRST)
    (container,) = await asyncio.to_thread(_ours)
    await asyncio.to_thread(container.kill)
    assert (await run).status == "crashed"
    assert (await sandbox.run("6 * 7", FIRST)).value == "42"
    await sandbox.aclose()
    async with asyncio.timeout(30):
        while await asyncio.to_thread(_ours):  # noqa: ASYNC110 - only the engine knows
            await asyncio.sleep(0.1)


def _ours() -> list[Any]:
    import docker

    client = docker.from_env()
    try:
        return client.containers.list(all=True, filters={"label": f"{PID_LABEL}={os.getpid()}"})
    finally:
        client.close()
