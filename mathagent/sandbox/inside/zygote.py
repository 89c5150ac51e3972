"""The zygote: imports what programs need once, then clones itself for each run. It never sees a program.

Started by file path as ``python -P -s -S zygote.py PACKAGE_ROOT CONTROL_FD USER_ID``; root becomes USER_ID first of
all. The control channel is a socket that keeps message borders. First comes the plan (JSON: layers wanted, paths, what
to import) with the seccomp filters beside it; the answer says which layers hold. From then on each request (``{"id",
"kind", "limits", "scratch", "prefault"}``, with the descriptors of source, stdout, stderr and channel beside
it) makes one clone and is answered with its pidfd; the end of a clone is told with its wait status and resource
use. It ends when the channel does.

The code and the files of a run come down the first descriptor and are read by the clone, so this process, of which
all later runs are copies, knows nothing about any of them.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if os.getuid() == 0:  # before anything else is imported
        drop_to = int(sys.argv[3])
        os.setgroups([])
        os.setresgid(drop_to, drop_to, drop_to)
        os.setresuid(drop_to, drop_to, drop_to)
    sys.path.insert(0, sys.argv[1])

import gc
import json
import select
import signal
import socket
from importlib import import_module
from typing import Any, NoReturn

from mathagent.sandbox.inside import cells, confine, landlock, memory, program, rlimits, warm_up

MAX_MESSAGE = 65_536
MAX_FDS = 8

fork_hooks: list[dict[str, Any]] = []
"""What modules want called after a fork (threads, random). Clones do without, since each would pay for it: the zygote
has one thread, and programs seed what is random. Sessions, which may fork, register it."""
register_at_fork = os.register_at_fork


def main(control_fd: int) -> NoReturn:
    """Serves requests until the control channel closes."""
    control = socket.socket(fileno=control_fd)
    plan, fds = receive(control)
    confine.be_visible()
    plan |= {"uid": os.getuid(), "gid": os.getgid(), "filters": {}}
    for name, fd in zip(plan["filter_names"], fds, strict=True):
        with open(fd, "rb") as file:  # noqa: PTH123
            file.seek(0)
            plan["filters"][name] = confine.SeccompFilter(file.read())
    sys.path[1:1] = plan["paths"]
    os.register_at_fork = lambda **hooks: fork_hooks.append(hooks)
    if plan["preload"] is not None:
        memory.reserve()
        warm_up.warm_up()
        rehearse()
        for function in plan["preload"]:
            module, _, attribute = function.partition(":")
            getattr(import_module(module), attribute)()
    os.register_at_fork = register_at_fork
    plan["address_space_kb"] = rlimits.own_address_space_kb()
    probe(plan)
    hello = {name: plan[name] for name in ("namespaces", "landlock", "seccomp", "rlimits", "uid", "why")}
    control.send(json.dumps({"hello": hello}).encode())
    if not plan["keep_ours"]:
        hide_ours()
    gc.collect()
    memory.fill_gaps()
    gc.freeze()  # the collector then does not write to every page that clones share with us
    memory.collapse()
    Zygote(control, plan).serve()


def rehearse() -> None:
    """Does what every run does, as far as that leaves no trace: Python makes its syntax tree types when first used."""
    body, last = program.split(b"x = 1\nx")
    scope: dict[str, Any] = {}
    exec(body, scope)
    program.to_json({"value": program.text_of(eval(last, scope), 100)})


def hide_ours() -> None:
    """Programs find neither our code's folder nor our modules by name."""
    del sys.path[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == "mathagent"]:
        del sys.modules[name]


def probe(plan: dict[str, Any]) -> None:
    """Tries each wanted layer in a clone that then ends; a layer that fails becomes false (0), "why" says how."""
    plan["why"] = {}
    plan["processes"] = plan["max_processes"] if plan["namespaces"] else 0
    if plan["landlock"]:
        plan["landlock"] = landlock.abi()
    for layer in ("namespaces", "landlock", "seccomp"):
        if not plan[layer]:
            continue
        error = _tried({**plan, "rlimits": False, "landlock": 0, "seccomp": False, layer: plan[layer]})
        if error:
            plan[layer], plan["why"][layer] = 0, error
    if not plan["namespaces"]:
        plan["processes"] = 0  # RLIMIT_NPROC would count every process of the user


def _tried(plan: dict[str, Any]) -> str:
    """The error of confining a process by ``plan``; empty where it works."""
    limits = {"memory_mb": 1024, "cpu_s": 10, "file_mb": 1}
    read_fd, write_fd = os.pipe()
    try:
        pid = new_process(plan)[0]
    except OSError as error:
        os.close(read_fd)
        os.close(write_fd)
        return str(error)
    if pid == 0:
        try:
            confine.confine(plan, "run", limits, plan["scratch"])
        except BaseException as error:  # noqa: BLE001 - told to the zygote
            os.write(write_fd, (str(error) or type(error).__name__).encode())
        os._exit(0)
    os.close(write_fd)
    with open(read_fd, "rb") as said:  # noqa: PTH123
        text = said.read().decode()
    status = os.waitpid(pid, 0)[1]
    return text or (f"the trial ended with wait status {status}" if status else "")


def new_process(plan: dict[str, Any]) -> tuple[int, int]:
    """Forks as ``plan`` says: (process id, pidfd); (0, -1) in the child. Raises OSError."""
    if plan["namespaces"]:
        return confine.clone(confine.NEW_NAMESPACES | (0 if plan["jailed"] else confine.NEW_NETWORK))
    pid = os.fork()
    return (0, -1) if pid == 0 else (pid, os.pidfd_open(pid))


class Zygote:
    """Clones on request, and tells how clones ended."""

    def __init__(self, control: socket.socket, plan: dict[str, Any]) -> None:
        self.control, self.plan = control, plan
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.clones: dict[int, tuple[int, int]] = {}  # pidfd → request id, process id

    def serve(self) -> NoReturn:
        while True:
            for fd, _ in self.poll.poll():
                if fd in self.clones:
                    self._tell_end(fd)
                else:
                    self._answer()

    def _answer(self) -> None:
        try:
            request, fds = receive(self.control)
        except (OSError, EOFError):
            os._exit(0)  # the trusted side is gone; the kernel ends the clones with us
        try:
            pid, pidfd = new_process(self.plan)
        except OSError as error:
            send(self.control, {"id": request["id"], "failed": str(error)}, [])
            pid = -1
        if pid == 0:
            self._become_run(request, fds)
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self.clones[pidfd] = request["id"], pid
            self.poll.register(pidfd, select.POLLIN)
            send(self.control, {"id": request["id"], "pid": pid}, [pidfd])

    def _tell_end(self, pidfd: int) -> None:
        number, pid = self.clones.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(pid, 0)
        cpu_s = usage.ru_utime + usage.ru_stime
        send(self.control, {"id": number, "status": status, "cpu_s": cpu_s, "peak_kb": usage.ru_maxrss}, [])

    def _become_run(self, request: dict[str, Any], fds: list[int]) -> NoReturn:
        """In the clone: confines itself and runs the program or the session."""
        try:
            channel = fds[3]
            channel, source = _arrange(*fds)
            plan, limits = self.plan, request["limits"]
            del self.clones, self.poll
            confine.confine(plan, request["kind"], limits, request["scratch"])
            os.write(channel, b"ready\n")
        except BaseException as error:  # noqa: BLE001 - nothing of the program has run; the trusted side is told
            os.write(channel, f"failed: {error}".encode())
            os._exit(1)
        os.environ["HOME"] = os.environ["TMPDIR"] = request["scratch"]
        sys.path.append(request["scratch"])  # last: a laid-in file can be imported but never hides a module
        if request["kind"] == "session":
            os.close(source)
            for hooks in fork_hooks:
                register_at_fork(**hooks)
            cells.serve(3, program)
        if request["prefault"]:
            _touch_pages()
        _run(source, self.plan["address_space_kb"])


def _arrange(source: int, stdout: int, stderr: int, channel: int) -> tuple[int, int]:
    """Puts null, stdout, stderr, channel and source on 0 to 4 and closes all others; returns channel and source."""
    wanted = [os.open("/dev/null", os.O_RDONLY), stdout, stderr, channel, source]
    above = max(wanted) + 1
    for target, fd in enumerate(wanted):
        os.dup2(fd, above + target)
    for target in range(len(wanted)):
        os.dup2(above + target, target)
    os.closerange(len(wanted), 2**20)
    return 3, 4


def _touch_pages() -> None:
    """Makes this clone's own copies of the pages that SymPy writes to, before anybody waits for it."""
    sympy = sys.modules.get("sympy")
    if sympy is not None:
        symbol = sympy.Symbol("prefault")
        sympy.solve(symbol**2 - 7 * symbol + 3)


def _run(source: int, address_space_kb: int) -> NoReturn:
    """Reads header, code and files from ``source`` and runs the program."""
    with open(source, "rb") as file:
        header = json.loads(file.readline())
        code = file.read(header["code"])
        limits = header["limits"]
        if limits is not None:  # fewer than this clone was made with
            rlimits.set_limits(
                limits["memory_mb"], limits["cpu_s"] + 1, limits["file_mb"], address_space_kb=address_space_kb
            )
        for name, size in header["files"].items():
            cells.lay_file(name, file.read(size))
    program.run_program(code, header["value_chars"], 3, header["fetch"], header["fetch_bytes"])
    raise AssertionError("run_program ends the process")


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors. Raises EOFError at the end, OSError."""
    data, fds, _, _ = socket.recv_fds(control, MAX_MESSAGE, MAX_FDS)
    if not data:
        raise EOFError
    return json.loads(data), fds


def send(control: socket.socket, message: dict[str, Any], fds: list[int]) -> None:
    """Sends one message with descriptors; ends the process where nobody listens any more."""
    try:
        socket.send_fds(control, [json.dumps(message).encode()], fds)
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the trusted side's to answer
    main(int(sys.argv[2]))
