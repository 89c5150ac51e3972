"""Inside a session's process: runs cells in one namespace, and forks for snapshots.

The channel is a stream socket. A frame is a 4-byte big-endian length, a line of JSON and a body. Requests:
``{"do": "cell", "value_chars", "fetch", "fetch_bytes", "files": {name: size}, "code": size}`` with code and files as
the body, answered with the cell's report; ``{"do": "snapshot"}`` with the descriptors of a new stdout, stderr and
channel beside it, answered with ``{"pid"}`` and a pidfd beside it. The session's program shares this process: it can
answer anything in its own name.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from types import ModuleType
from typing import Any, NoReturn

MAX_FRAME = 64 * 2**20


def serve(channel_fd: int, program: ModuleType) -> NoReturn:
    """Answers requests until the channel closes; ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program.prepare()
    scope = program.new_scope()
    cell = _Cells(program, scope)
    leave = os._exit  # before the program can put something else in its place
    channel = socket.socket(fileno=channel_fd)
    while True:
        try:
            header, body, fds = _receive(channel)
        except (OSError, EOFError, ValueError):
            if os.getpid() == 1:
                _outlive_snapshots()
            leave(0)
        if header["do"] == "snapshot":
            branch = _fork(channel, fds)
            channel = branch or channel
            continue
        report = cell.run(header, body)
        channel.sendall(len(report).to_bytes(4, "big") + report)


class _Cells:
    def __init__(self, program: Any, scope: dict[str, Any]) -> None:
        self.program, self.scope, self.count = program, scope, 0

    def run(self, header: dict[str, Any], body: bytes) -> bytes:
        """Runs one cell; its report as JSON."""
        program: Any = self.program
        code, rest = body[: header["code"]], body[header["code"] :]
        try:
            for name, size in header["files"].items():
                lay_file(name, rest[:size])
                rest = rest[size:]
            self.count += 1
            signal.signal(signal.SIGINT, signal.default_int_handler)
            report = program.execute(code, header["value_chars"], self.scope, f"<cell {self.count}>")
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except BaseException as error:  # noqa: BLE001 - the interrupt may come between two lines of ours
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            report = program.failure(error)
        program.flush()
        _reap()
        found = program.fetched(header["fetch"], header["fetch_bytes"])
        data: bytes = program.to_json(report, found)
        return data


def lay_file(name: str, data: bytes) -> None:
    """Writes a file of ours into the scratch folder, over what a program may have put there."""
    folder = os.path.dirname(name)  # noqa: PTH120
    if folder:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with open(fd, "wb") as file:  # noqa: PTH123
        file.write(data)


def _receive(channel: socket.socket) -> tuple[dict[str, Any], bytes, list[int]]:
    """The next request. Raises EOFError, OSError, ValueError."""
    head, fds, _, _ = socket.recv_fds(channel, 4, 3)
    head += _exactly(channel, 4 - len(head)) if head else b""
    if len(head) < 4:
        raise EOFError
    frame = _exactly(channel, int.from_bytes(head, "big"))
    line, _, body = frame.partition(b"\n")
    return json.loads(line), body, fds


def _exactly(channel: socket.socket, size: int) -> bytes:
    if size > MAX_FRAME:
        raise ValueError(size)
    pieces = []
    while size > 0:
        piece = channel.recv(min(size, 2**20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _fork(channel: socket.socket, fds: list[int]) -> socket.socket | None:
    """Forks: the child takes the new descriptors over and returns its channel, the parent answers and returns None."""
    stdout, stderr, new_channel = fds
    _reap()  # ended snapshots count against the limit of processes until then
    try:
        pid = os.fork()
    except OSError as error:
        pid, reason = -1, str(error)
    if pid == 0:
        old = channel.detach()
        for fd, target in ((stdout, 1), (stderr, 2), (new_channel, old)):
            os.dup2(fd, target)
            os.close(fd)
        return socket.socket(fileno=old)
    for fd in fds:
        os.close(fd)
    if pid < 0:
        channel.sendall(_framed({"failed": reason}))
        return None
    pidfd = os.pidfd_open(pid)
    socket.send_fds(channel, [_framed({"pid": pid})], [pidfd])
    os.close(pidfd)
    return None


def _framed(message: dict[str, Any]) -> bytes:
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


def _outlive_snapshots() -> None:
    """Waits until the last other process has ended: the kernel ends them all with process 1 of their namespace."""
    try:
        while True:
            os.wait()
    except OSError:
        pass


def _reap() -> None:
    """Ended snapshots and children of the program leave no zombies."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except OSError:
        pass
