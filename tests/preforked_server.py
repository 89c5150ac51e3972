"""A process that has imported mathagent already, and forks one process for each request: see preforked.py.

``python preforked_server.py FD``: requests come through the Unix socket ``FD``. It ends, and kills what it has forked
and still runs, when the other side of that socket is closed.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

PRELOADED = (
    *("mathagent.cli.bench", "mathagent.cli.calibrate", "mathagent.cli.compare", "mathagent.cli.doctor"),
    *("mathagent.cli.judge_bench", "mathagent.cli.memory", "mathagent.cli.memory_learn", "mathagent.cli.resume"),
    *("mathagent.cli.solve", "mathagent.cli.solve_outputs", "mathagent.cli.verify"),
    *("mathagent.console.repl", "mathagent.console.trace_page", "mathagent.evals.runner"),
    *("mathagent.memory.sqlite_store", "mathagent.memory.vector_index", "mathagent.models.embedded"),
    *("mathagent.models.openai_endpoint", "mathagent.models.scripted", "mathagent.sandbox.process"),
    *("mathagent.solver", "mathagent.strategies.auto", "mathagent.strategies.cot", "mathagent.strategies.pal"),
    *("mathagent.strategies.self_consistency", "mathagent.strategies.plan_verify_refine"),
    *("jinja2.meta", "langchain_core.tracers.context", "langchain_core.tracers.stdout", "numpy"),
    *("rich._emoji_codes", "typer._click.decorators"),
)
"""What takes the time of a start. All other modules load when they are used, as in any process."""

STREAMS = 3
"""Standard input, output and error come with each request, behind its channel."""

UNBUFFERED = sys.stdout.write_through
"""Whether the environment says PYTHONUNBUFFERED, to this process as to its forks."""


def main() -> None:
    """Serves requests; each process that it forks does what it is for, and ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    importlib.import_module("zygote_park").borrow()
    threads = os.listdir("/proc/self/task")  # noqa: PTH208 - these are no files
    if len(threads) != 1:
        raise RuntimeError(f"an import has started a thread ({len(threads)} run): a fork could hang")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, whose end closes the socket
    gc.freeze()  # what is here stays: a collection in a fork need not look at it, and so copy it
    control = socket.socket(fileno=int(sys.argv[1]))
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:
                _tell_end(selector, key)
                continue
            _, fds, _, _ = socket.recv_fds(control, 1, 1 + STREAMS)
            if not fds:
                _kill_all(selector)
                return
            _fork(selector, control, fds)


def _fork(selector: selectors.BaseSelector, control: socket.socket, fds: list[int]) -> None:
    """Starts a process; its id and a descriptor of it are the answer."""
    channel = socket.socket(fileno=fds[0])
    with channel.makefile("rb") as lines:
        request: dict[str, Any] = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        for key in list(selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)
                key.data[1].close()
        selector.close()
        control.close()
        channel.close()
        _become(request, fds[1:])
        _run_to_the_end(request["arguments"])
    for fd in fds[1:]:
        os.close(fd)
    process = os.pidfd_open(pid)
    with suppress(OSError):  # who asked has ended meanwhile; so will we
        socket.send_fds(channel, [str(pid).encode()], [process])
    selector.register(process, selectors.EVENT_READ, (pid, channel))


def _tell_end(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, channel = key.data
    _, status = os.waitpid(pid, 0)
    selector.unregister(key.fileobj)
    os.close(key.fd)
    with suppress(OSError):  # who started it does not want to know
        channel.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    channel.close()


def _kill_all(selector: selectors.BaseSelector) -> None:
    for key in list(selector.get_map().values()):
        if key.data is not None:
            signal.pidfd_send_signal(key.fd, signal.SIGKILL)
            os.waitpid(key.data[0], 0)


def _become(request: dict[str, Any], fds: list[int]) -> None:
    """Makes this fork what a new process would be: its terminal, streams, folder, environment and signals."""
    if request["terminal"]:
        os.setsid()
        fcntl.ioctl(fds[0], termios.TIOCSCTTY, 0)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _output(1, "surrogateescape")
    sys.stderr = sys.__stderr__ = _output(2, "backslashreplace")


def _output(number: int, errors: str) -> io.TextIOWrapper:
    binary = open(number, "wb", buffering=0 if UNBUFFERED else -1, closefd=False)  # noqa: SIM115
    by_lines = number == 2 or binary.isatty()
    return io.TextIOWrapper(binary, "utf-8", errors, line_buffering=by_lines, write_through=UNBUFFERED)


def _run_to_the_end(arguments: list[str]) -> NoReturn:
    """What ``python ARGUMENTS`` does, and then ends the process as the interpreter would.

    But for this: no module is taken apart, which takes longer than most tests.
    """
    code, interrupted = 0, False
    try:
        _run(arguments)
    except SystemExit as leaving:
        code = _exit_code(leaving.code)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            code = code or 120
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def _run(arguments: list[str]) -> None:
    """A module by ``-m``, or a file."""
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


def _exit_code(said: object) -> int:
    """As the interpreter understands the argument of ``sys.exit``."""
    if said is None or isinstance(said, int):
        return (said or 0) & 0xFF
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
