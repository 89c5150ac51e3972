"""A Docker engine for tests, small but spoken to over HTTP by the real SDK: its containers are local processes.

It keeps what was asked of it (``created``, ``builds``, ``killed``, ``removed``) and treats a container's stdin and
streams as Docker does: attaching upgrades the connection, output is multiplexed, stdin closes with the attached client
only where StdinOnce was asked for, and AutoRemove removes a container that has ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STDOUT, STDERR = 1, 2


class FakeContainer:
    def __init__(self, number: int, config: dict[str, Any], command: Sequence[str]) -> None:
        self.id = f"{number:064x}"
        self.config, self.command = config, command
        self.attached: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.status = "created"
        self.gone = threading.Event()
        self._sending = threading.Lock()

    def start(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self.status = "running"
        for work in (self._stdin, lambda: self._output(STDOUT), lambda: self._output(STDERR), self._wait):
            threading.Thread(target=work, daemon=True).start()

    def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.gone.wait(5)

    def send(self, stream: int, data: bytes) -> None:
        assert self.attached is not None
        with self._sending, suppress(OSError):
            self.attached.sendall(struct.pack(">BxxxL", stream, len(data)) + data)

    def _stdin(self) -> None:
        assert self.attached is not None
        assert self.process is not None
        assert self.process.stdin is not None
        with suppress(OSError):
            while data := self.attached.recv(65_536):
                self.process.stdin.write(data)
                self.process.stdin.flush()
        if self.config["StdinOnce"]:
            with suppress(OSError):
                self.process.stdin.close()

    def _output(self, stream: int) -> None:
        assert self.process is not None
        pipe = self.process.stdout if stream == STDOUT else self.process.stderr
        assert pipe is not None
        with pipe:
            while data := os.read(pipe.fileno(), 65_536):
                self.send(stream, data)

    def _wait(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.attached is not None
        self.process.wait()
        with suppress(OSError):  # what was still to be written is lost; an error here would hide the end
            self.process.stdin.close()
        self.status = "removed" if self.config["HostConfig"]["AutoRemove"] else "exited"
        with suppress(OSError):
            self.attached.shutdown(socket.SHUT_RDWR)
        self.gone.set()


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens at ``url``. ``command`` is what runs in place of a container's own."""

    daemon_threads = True

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        path = folder / "engine.sock"
        super().__init__(str(path), _Handler)
        self.url = f"unix://{path}"
        self.command = list(command)
        self.images: set[str] = set()
        self.containers: dict[str, FakeContainer] = {}
        self.created: list[dict[str, Any]] = []
        self.builds: list[tuple[dict[str, list[str]], bytes]] = []
        self.build_reply = [{"stream": "Step 1\n"}, {"stream": "Successfully built 0123456789ab\n"}]
        self.removed: list[str] = []
        self.refuse_start = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def add(self, labels: dict[str, str]) -> FakeContainer:
        """A container that somebody else has left."""
        container = FakeContainer(len(self.containers) + 100, {"Labels": labels}, ())
        self.containers[container.id] = container
        return container

    def alive(self) -> list[FakeContainer]:
        return [one for one in self.containers.values() if one.process is not None and one.process.poll() is None]

    def stop(self) -> None:
        for container in self.alive():
            container.kill()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FakeEngine
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def address_string(self) -> str:
        return "client"

    def do_GET(self) -> None:
        path = self._path()
        if path == "/version":
            self._json(200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24"})
        elif path == "/_ping":
            self._json(200, "OK")
        elif path == "/info":
            self._json(200, {"NCPU": 2})
        elif found := re.fullmatch(r"/images/(.+)/json", path):
            name = unquote(found[1])
            known = name in self.server.images or name == "0123456789ab"
            self._json(200, {"Id": "sha256:1"}) if known else self._json(
                404, {"message": f"No such image: {name}"}
            )
        elif path == "/containers/json":
            wanted = json.loads(parse_qs(urlsplit(self.path).query)["filters"][0])["label"]
            self._json(200, [{"Id": one.id} for one in self.server.containers.values() if _has(one, wanted)])
        elif container := self._container():
            code = container.process.returncode if container.process else 0
            state = {"Status": container.status, "ExitCode": code, "OOMKilled": False}
            self._json(200, {"Id": container.id, "State": state, "Config": container.config})

    def do_POST(self) -> None:
        body = self._body()
        path = self._path()
        if path == "/build":
            self.server.builds.append((parse_qs(urlsplit(self.path).query), body))
            lines = [json.dumps(line).encode() + b"\r\n" for line in self.server.build_reply]
            self.server.images |= set(parse_qs(urlsplit(self.path).query)["t"])
            self._reply(200, b"".join(lines))
        elif path == "/containers/create":
            config = json.loads(body)
            made = FakeContainer(len(self.server.containers) + 1, config, self.server.command)
            self.server.created.append(config)
            self.server.containers[made.id] = made
            self._json(201, {"Id": made.id, "Warnings": []})
        elif container := self._container():
            self._do(container, path.rpartition("/")[2])

    def do_DELETE(self) -> None:
        container = self._container()
        if container is not None:
            self.server.removed.append(container.id)
            container.status = "removed"
            self._reply(204, b"")

    def _do(self, container: FakeContainer, verb: str) -> None:
        if verb == "attach":
            self.wfile.write(
                b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
                b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            )
            container.attached = self.connection
            container.gone.wait()
            self.close_connection = True
        elif verb == "start" and self.server.refuse_start:
            self._json(500, {"message": self.server.refuse_start})
        elif verb == "start":
            container.start()
            self._reply(204, b"")
        elif verb == "kill":
            container.kill()
            self._reply(204, b"")

    def _path(self) -> str:
        return re.sub(r"^/v\d+\.\d+", "", urlsplit(self.path).path)

    def _container(self) -> FakeContainer | None:
        container = self.server.containers.get(self._path().split("/")[2])
        if container is None or container.status == "removed":
            self._json(404, {"message": "No such container"})
            return None
        return container

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, code: int, value: Any) -> None:
        self._reply(code, json.dumps(value).encode())

    def _reply(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _has(container: FakeContainer, labels: list[str]) -> bool:
    own = {f"{name}={value}" for name, value in container.config.get("Labels", {}).items()}
    return container.status != "removed" and own.issuperset(labels)
