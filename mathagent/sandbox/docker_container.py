"""The docker sandbox: a long-lived container that runs a whole local sandbox, spoken to over its stdin and stdout.

The container has no network, no capabilities, a read-only file system, a bounded scratch in memory, and ends when its
stdin does, thus with our process. Inside, the ``process`` sandbox locks each program away from the next with what is
left to it there (Docker's default seccomp profile refuses user namespaces).
"""

from __future__ import annotations

import asyncio
import math
import os
import platform
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from mathagent.errors import SandboxError
from mathagent.sandbox import docker_image
from mathagent.sandbox.base import Layer
from mathagent.sandbox.connection import Patience
from mathagent.sandbox.container_link import ContainerLink, close_attached, in_thread
from mathagent.sandbox.link import Link
from mathagent.sandbox.remote import RemoteSandbox
from mathagent.types import Value

T = TypeVar("T")

OWNER_LABEL, PID_LABEL = "mathagent.sandbox.owner", "mathagent.sandbox.pid"
USER = "10001:10001"
PROCESSES_A_PROGRAM = 64

_SERVER = ("python", "-I", "-X", "utf8", "-m", "mathagent.sandbox.serve")
_ADVICE = (
    "start Docker, or set DOCKER_HOST to the endpoint that `docker context inspect` shows; "
    "or use another sandbox (`mathagent doctor` lists them)"
)


class ContainerOptions(Value):
    """What a container is made of and may use."""

    image: str = Field(default="", description="An image with mathagent in it; empty: built when first needed.")
    cpus: float | None = Field(default=None, gt=0, description="CPUs; none: all that the engine has.")
    parallel: int | None = Field(
        default=None, ge=1, description="Programs at a time; none: one a CPU, at least 2."
    )
    memory_mb: int = Field(default=4_096, ge=256, description="Memory of all programs and their scratch together.")
    scratch_mb: int = Field(default=512, ge=16, description="Scratch of all programs together, in memory.")
    runtime: str = Field(default="", description="Another OCI runtime that the engine knows, such as runsc.")


class DockerSandbox(RemoteSandbox):
    """Runs programs in ``containers`` containers of the engine that DOCKER_HOST names (default: the local one).

    The first run builds the image where it is missing (minutes, and the network); see ``build_image``. ``client``
    makes the SDK's client.
    """

    def __init__(
        self,
        options: ContainerOptions | None = None,
        *,
        containers: int = 1,
        patience: Patience | None = None,
        client: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__("docker", self._open_link, links=containers, patience=patience)
        self.options = options or ContainerOptions()
        self._new_client = client or _client
        self._client: Any = None
        self._connecting = threading.Lock()
        self._preparing = asyncio.Lock()
        self._image = ""

    async def build_image(self) -> str:
        """Builds the image of this package's version, and returns its tag. Raises SandboxError."""
        return await self._ask(docker_image.build)

    def layers(self) -> list[Layer]:
        """What holds, by the container and by the sandbox in it. Asks the engine where no container runs yet."""
        reason = None if self._hello() is not None else self._unreachable()
        engine = Layer(name="engine", active=reason is None, detail=reason or "a Docker engine answers")
        options = self.options
        scratch = f"{options.scratch_mb} MB in memory, not executable"
        holds = {
            "time-out": "wall clock, in the container and again outside",
            "output caps": "stdout, stderr and result, while reading, and the whole reply",
            "CPU limit": f"{options.cpus or 'all'} CPUs together, and the inner sandbox's limit for each program",
            "memory limit": f"{options.memory_mb} MB for all together, and the inner sandbox's for each program",
            "file limits": f"scratch of all programs together: {scratch}",
            "process limit": "the container's pids limit",
            "tree kill": "the container has its own PID namespace; inside, each run's tree as the inner sandbox can",
            "other processes": "none but the container's own can be seen",
            "network": "none but the container's own loopback",
            "environment": "the image's own, none of ours",
            "scratch": scratch,
            "files": "the image's, read-only; none of this machine's",
            "user": f"{USER}, no capabilities, no new privileges",
            "kernel": f"runtime {options.runtime}" if options.runtime else "the engine's default seccomp profile",
        }
        outer = [Layer(name=name, active=reason is None, detail=detail) for name, detail in holds.items()]
        hello = self._hello()
        inner = (
            []
            if hello is None
            else [Layer(**{**dict(one), "name": f"inside: {one.name}"}) for one in hello.layers]
        )
        return [engine, *outer, *inner]

    async def aclose(self) -> None:
        """Ends the containers and with them every program; safe to call twice."""
        await super().aclose()
        client, self._client = self._client, None
        if client is not None:
            await in_thread(client.close)

    async def _open_link(self) -> Link:
        async with self._preparing:
            if not self._image:
                await self._ask(_remove_leftovers)
                self._image = await self._ask(self._image_ready)
        starting = asyncio.ensure_future(self._ask(self._start))
        try:
            await asyncio.wait([starting])
        except asyncio.CancelledError:
            starting.add_done_callback(_abandon)
            raise
        return ContainerLink(*starting.result())

    async def _ask(self, question: Callable[[Any], T]) -> T:
        """The engine's answer. Raises SandboxError where there is no engine or it refuses."""

        def call() -> T:
            from docker.errors import DockerException

            try:
                with self._connecting:
                    if self._client is None:
                        self._client = self._new_client()
                return question(self._client)
            except (DockerException, OSError) as error:  # requests' own errors are OSErrors
                raise SandboxError(_explained(error)) from error

        return await in_thread(call)

    def _image_ready(self, client: Any) -> str:
        from docker.errors import ImageNotFound

        name = self.options.image or docker_image.tag()
        try:
            client.images.get(name)
        except ImageNotFound as error:
            if self.options.image:
                raise SandboxError(f"the engine has no image {name!r}; pull or build it") from error
            return docker_image.build(client)
        return name

    def _start(self, client: Any) -> tuple[Any, Any]:
        """A container that has just been started, and the socket attached to it before."""
        container = client.containers.create(**self._arguments(client.info()))
        attached = None
        try:
            attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            container.start()
        except BaseException:
            if attached is not None:
                close_attached(attached)
            container.remove(force=True)
            raise
        return container, attached

    def _arguments(self, engine: dict[str, Any]) -> dict[str, Any]:
        """The arguments of ``containers.create``. Not ``detach``: stdin would outlive us then."""
        from docker.types import LogConfig, Ulimit

        options = self.options
        have = float(engine.get("NCPU") or os.cpu_count() or 1)
        cpus = min(options.cpus or have, have)
        parallel = options.parallel or max(2, math.ceil(cpus))
        limits: dict[str, Any] = {
            "nano_cpus": int(cpus * 1e9),
            "mem_limit": f"{options.memory_mb}m",
            "memswap_limit": f"{options.memory_mb}m",
            "pids_limit": PROCESSES_A_PROGRAM * (parallel + 1),
            "shm_size": "1m",
            "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,mode=1777,size={options.scratch_mb}m"},
            "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=4_096, hard=4_096)],
        }
        apart: dict[str, Any] = {
            "user": USER,
            "read_only": True,
            "network_mode": "none",
            "ipc_mode": "private",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "environment": {},
            "use_config_proxy": False,  # else the SDK hands the user's proxy and its password to programs
            "log_config": LogConfig(type="none"),  # else every reply is written to the engine's disk
        }
        if options.runtime:
            apart["runtime"] = options.runtime
        return {
            "image": self._image,
            "entrypoint": list(_SERVER),
            # contained: on a kernel too old for tier C, a program could signal others, but not leave the container
            "command": ["--sandbox", "process", "--parallel", str(parallel), "--contained"],
            "working_dir": "/tmp",
            "hostname": "sandbox",
            "stdin_open": True,
            "tty": False,
            "init": True,
            "auto_remove": True,
            "labels": {OWNER_LABEL: _owner(), PID_LABEL: str(os.getpid())},
            **limits,
            **apart,
        }

    def _unreachable(self) -> str | None:
        from docker.errors import DockerException

        try:
            client = self._new_client()
            try:
                client.ping()
            finally:
                client.close()
        except (DockerException, OSError) as error:
            return _explained(error)
        return None


def _client() -> Any:
    import docker

    return docker.from_env()


def _explained(error: BaseException) -> str:
    from docker.errors import APIError

    said = " ".join(str(error).split())[:300]
    if isinstance(error, APIError):
        return f"the Docker engine refused: {said}"
    return f"no Docker engine answers ({said}); {_ADVICE}"


def _abandon(starting: asyncio.Future[tuple[Any, Any]]) -> None:
    """Ends a container for which nobody waits any more. Should the loop be closing, it ends with our process."""
    if not starting.cancelled() and starting.exception() is None:
        ending = asyncio.ensure_future(ContainerLink(*starting.result()).aclose(0))
        _ABANDONED.add(ending)
        ending.add_done_callback(_ABANDONED.discard)


_ABANDONED: set[asyncio.Task[None]] = set()
"""Tasks that nobody awaits; the loop alone would not keep them."""


def _remove_leftovers(client: Any) -> None:
    """Removes containers whose parent is dead: they end by themselves unless their server was stopped or hangs."""
    found = client.containers.list(all=True, filters={"label": f"{OWNER_LABEL}={_owner()}"}, ignore_removed=True)
    for container in found:
        pid = container.labels.get(PID_LABEL, "")
        if pid.isdecimal() and not _alive(int(pid)):
            container.remove(force=True)


def _owner() -> str:
    """Where process ids mean what they mean to us: this host, and this PID namespace on it."""
    namespace = Path("/proc/self/ns/pid")
    return f"{platform.node()} {namespace.readlink() if namespace.exists() else ''}".strip()


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # os.kill would not ask there but act
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
