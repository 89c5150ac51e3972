"""The docker sandbox, through the real SDK, against a fake engine whose containers are real servers on this machine."""

# ruff: noqa: ASYNC110, ASYNC220 - tests start and look at processes; nothing else waits for their loop

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from hosted_sandbox import ROOT, server_command
from hypothesis import given
from hypothesis import strategies as st

import mathagent
from mathagent.errors import SandboxError
from mathagent.sandbox import docker_image
from mathagent.sandbox.base import Limits
from mathagent.sandbox.connection import Patience
from mathagent.sandbox.container_link import DaemonThread, Demultiplexer
from mathagent.sandbox.docker_container import OWNER_LABEL, PID_LABEL, ContainerOptions, DockerSandbox, _owner

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the fake engine listens at a Unix socket")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with tempfile.TemporaryDirectory(prefix="mathagent-engine-") as folder:  # a socket's path must be short
        engine = FakeEngine(Path(folder), server_command())
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
        yield engine
        engine.stop()


@pytest.fixture
async def sandbox(engine: FakeEngine) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()
    assert engine.alive() == []


async def test_runs_and_sessions(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    execution = await sandbox.run("say π")
    assert (execution.status, execution.stdout, execution.sandbox) == ("ok", "π", "docker/hosted/T")
    assert sandbox.label == "docker/hosted/T"
    runs = await asyncio.gather(*(sandbox.run(f"say {n}") for n in range(50)))
    assert [run.stdout for run in runs] == [str(n) for n in range(50)]
    session = await sandbox.session()
    await session.run("keep a")
    assert (await (await session.snapshot()).run("names")).value == "a"
    assert len(engine.created) == 1


async def test_big_files_go_through_the_multiplexed_socket(sandbox: DockerSandbox) -> None:
    files = {"big": os.urandom(3_000_000)}
    execution = await sandbox.run("fetch", files=files, fetch=["big"])
    assert execution.files == files


async def test_the_container_is_locked_up(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    await sandbox.run("say x")
    (config,) = engine.created
    host = config["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["IpcMode"] == "private"
    assert host["Init"] is True
    assert host["AutoRemove"] is True
    assert host["LogConfig"]["Type"] == "none"
    assert host["Memory"] == host["MemorySwap"] == 4_096 * 2**20
    assert host["NanoCpus"] == 2_000_000_000
    assert host["PidsLimit"] == 192
    assert host["Tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=512m"}
    assert {"Name": "core", "Soft": 0, "Hard": 0} in host["Ulimits"]
    assert not {"Binds", "Mounts", "Privileged", "CapAdd", "Devices", "PidMode", "Runtime"} & set(host)
    assert (config["OpenStdin"], config["StdinOnce"], config["Tty"]) == (True, True, False)
    assert config["User"] == "10001:10001"
    assert config["Env"] == []
    assert config["Entrypoint"][-2:] == ["-m", "mathagent.sandbox.serve"]
    assert config["Cmd"] == ["--sandbox", "process", "--parallel", "2", "--contained"]


async def test_options_reach_the_container(engine: FakeEngine) -> None:
    engine.images.add("own:1")
    options = ContainerOptions(
        image="own:1", cpus=1.5, parallel=7, memory_mb=1_000, scratch_mb=64, runtime="runsc"
    )
    sandbox = DockerSandbox(options, containers=2)
    await asyncio.gather(sandbox.run("sleep 0.3"), sandbox.run("sleep 0.3"))
    await sandbox.aclose()
    assert len(engine.created) == 2
    config, host = engine.created[0], engine.created[0]["HostConfig"]
    assert (config["Image"], host["Runtime"], config["Cmd"][3]) == ("own:1", "runsc", "7")
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (1_500_000_000, 1_000 * 2**20, 64 * 8)
    assert host["Tmpfs"]["/tmp"].endswith("size=64m")
    assert engine.builds == []


async def test_the_users_proxy_stays_outside(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxies = {"proxies": {"default": {"httpProxy": "http://user:secret@proxy"}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    sandbox = DockerSandbox()
    await sandbox.run("say x")
    await sandbox.aclose()
    assert "secret" not in json.dumps(engine.created)


async def test_more_cpus_than_the_engine_has_are_not_asked_for(engine: FakeEngine) -> None:
    sandbox = DockerSandbox(ContainerOptions(cpus=64))
    await sandbox.run("say x")
    await sandbox.aclose()
    assert engine.created[0]["HostConfig"]["NanoCpus"] == 2_000_000_000


# The end of containers


async def test_a_container_killed_in_the_middle(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    await sandbox.run("say started")  # else it is chance which of the next two is sent first
    run = asyncio.create_task(sandbox.run("sleep 600", Limits(timeout_s=120)))
    await sandbox.run("say begun")
    engine.alive()[0].kill()
    crashed = await run
    assert crashed.status == "crashed"
    assert "it ended (the container is gone)" in (crashed.error or "")
    assert (await sandbox.run("say next")).stdout == "next"
    assert (len(engine.created), len(engine.alive())) == (2, 1)


async def test_what_the_server_said_last_is_told(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    engine.command = server_command("no.such.module:Thing")
    with pytest.raises(SandboxError, match=r"did not start: it ended \(.*sandbox server: .*no.such.module"):
        await sandbox.run("say x")


async def test_a_container_ends_with_its_parent(engine: FakeEngine) -> None:
    program = (
        "import asyncio, sys\nfrom mathagent.sandbox.docker_container import DockerSandbox\n"
        "async def main():\n    sandbox = DockerSandbox()\n    await sandbox.run('say x')\n"
        "    print('up', flush=True)\n    await sandbox.run('sleep 600')\nasyncio.run(main())"
    )
    environment = {**os.environ, "DOCKER_HOST": engine.url}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    assert parent.stdout is not None
    assert await asyncio.to_thread(parent.stdout.readline) == b"up\n"
    (container,) = engine.alive()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert await asyncio.to_thread(container.gone.wait, 20), "the container outlived its parent"


async def test_a_server_that_hangs_is_killed(engine: FakeEngine) -> None:
    engine.command = [sys.executable, "-c", "import time; time.sleep(600)"]
    sandbox = DockerSandbox(patience=Patience(start_s=0.3))
    with pytest.raises(SandboxError, match=r"it said nothing for 0\.3 s"):
        await sandbox.run("say x")
    assert engine.alive() == []
    await sandbox.aclose()


async def test_a_start_that_is_cancelled_leaves_nothing(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    await sandbox.build_image()
    run = asyncio.create_task(sandbox.run("say x"))
    while not engine.created:
        await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    async with asyncio.timeout(10):
        while any(container.status in ("created", "running") for container in engine.containers.values()):
            await asyncio.sleep(0.01)
    assert (await sandbox.run("say on")).stdout == "on"


async def test_a_container_that_does_not_start_is_removed(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    engine.refuse_start = "unknown or invalid runtime name: runsc"
    with pytest.raises(SandboxError, match=r"the Docker engine refused: .*unknown or invalid runtime name"):
        await sandbox.run("say x")
    assert engine.removed == [container.id for container in engine.containers.values()]


async def test_leftovers_of_dead_parents_are_removed(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = engine.add({OWNER_LABEL: _owner(), PID_LABEL: str(ended.pid)})
    alive = engine.add({OWNER_LABEL: _owner(), PID_LABEL: str(os.getpid())})
    elsewhere = engine.add({OWNER_LABEL: "another host", PID_LABEL: str(ended.pid)})
    await sandbox.run("say x")
    assert engine.removed == [dead.id]
    assert {alive.status, elsewhere.status} == {"created"}


# The image


async def test_the_image_is_built_when_it_is_missing(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    await asyncio.gather(sandbox.run("say x"), sandbox.run("say y"))
    ((query, body),) = engine.builds
    assert query["t"] == [docker_image.tag()] == [engine.created[0]["Image"]]
    assert docker_image.tag().startswith(f"mathagent-sandbox:{mathagent.__version__}-")
    arguments: dict[str, str] = json.loads(query["buildargs"][0])
    assert arguments["PYTHON"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert "sympy==" in arguments["REQUIREMENTS"]
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        names = tar.getnames()
    assert query["dockerfile"][0] in names
    assert "mathagent/sandbox/serve.py" in names
    assert all(name.startswith("mathagent/") and "__pycache__" not in name for name in names)
    again = DockerSandbox()
    await again.run("say x")
    await again.aclose()
    assert len(engine.builds) == 1


def test_the_dockerfile_takes_what_the_build_gives() -> None:
    with tarfile.open(fileobj=io.BytesIO(docker_image.context())) as tar:
        file = tar.extractfile("mathagent/sandbox/image/Dockerfile")
        assert file is not None
        lines = file.read().decode().splitlines()
    for argument in docker_image.build_arguments():
        assert any(line.startswith(f"ARG {argument}=") for line in lines)
    by_hand = next(line for line in lines if line.startswith("ARG REQUIREMENTS="))
    assert set(by_hand.partition("=")[2].strip('"').split()) == set(docker_image.INSTALLED)
    assert "USER 10001:10001" in lines


async def test_a_build_that_fails_shows_the_end_of_its_log(sandbox: DockerSandbox, engine: FakeEngine) -> None:
    engine.build_reply = [
        {"stream": "Step 3\n"},
        {"stream": "no route to \x1b[2Jhost\n"},
        {"error": "exit code 1"},
    ]
    with pytest.raises(
        SandboxError, match=r"cannot be built: exit code 1; the log ends: .*no route to �"
    ) as caught:
        await sandbox.run("say x")
    assert str(caught.value).isprintable()


async def test_an_image_of_ones_own_must_be_there(engine: FakeEngine) -> None:
    sandbox = DockerSandbox(ContainerOptions(image="nowhere:1"))
    with pytest.raises(SandboxError, match="no image 'nowhere:1'; pull or build it"):
        await sandbox.run("say x")
    assert engine.builds == []
    await sandbox.aclose()


# Without an engine


async def test_no_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    sandbox = DockerSandbox()
    with pytest.raises(SandboxError, match=r"no Docker engine answers .*start Docker, or set DOCKER_HOST"):
        await sandbox.run("say x")
    layers = {layer.name: layer for layer in sandbox.layers()}
    assert not any(layer.active for layer in layers.values())
    assert "start Docker" in layers["engine"].detail
    await sandbox.aclose()


async def test_layers_are_the_containers_and_the_servers_own(sandbox: DockerSandbox) -> None:
    before = [layer.name for layer in sandbox.layers() if layer.active]
    await sandbox.run("say x")
    after = [layer.name for layer in sandbox.layers() if layer.active]
    assert {"engine", "network", "files", "time-out", "output caps", "memory limit", "tree kill"} <= set(before)
    assert set(after) - set(before) == {"inside: pretence"}
    assert len(set(after)) == len(after)


# The multiplexed stream


def chunk(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=8),
    st.lists(st.integers(1, 9), max_size=60),
)
def test_streams_are_taken_apart_in_any_pieces(chunks: list[tuple[int, bytes]], sizes: list[int]) -> None:
    data = b"".join(chunk(stream, text) for stream, text in chunks)
    streams, stdout = Demultiplexer(), b""
    for size in [*sizes, len(data) + 1]:
        stdout += streams.feed(data[:size])
        data = data[size:]
    assert stdout == b"".join(text for stream, text in chunks if stream == 1)


@pytest.mark.parametrize("data", [chunk(3, b""), chunk(0, b"x"), b"HTTP/1.1 500 Internal", b"\1\0\1\0\0\0\0\1x"])
def test_what_is_no_multiplexed_stream_is_refused(data: bytes) -> None:
    with pytest.raises(ConnectionError, match="not multiplexed"):
        Demultiplexer().feed(data)


def test_a_flood_of_stderr_is_not_kept() -> None:
    streams = Demultiplexer()
    for _ in range(100):
        assert streams.feed(chunk(2, b"x" * 100_000)) == b""
    streams.feed(chunk(2, b"\nthe end"))
    assert streams.stderr.line() == "the end"
    assert len(streams.stderr._data) <= 8_192


async def test_a_daemon_thread_returns_raises_and_is_cancelled() -> None:
    thread = DaemonThread("test")
    assert await thread.call(lambda: 42) == 42

    def fail() -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await thread.call(fail)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await thread.call(lambda: __import__("time").sleep(0.2))
    assert await thread.call(lambda: "next") == "next"
    thread.close()
