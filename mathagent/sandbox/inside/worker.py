"""The program in the child: limits itself, runs one untrusted program, and reports how it went.

Run by file path as ``python -P -s worker.py REQUEST STDERR_FD RESULT_FD`` with the control pipe as standard error.
Stdlib only, and as little of it as possible: each import is paid again by every run (``json``, ``ast``,
``traceback`` and ``linecache`` cost 9 ms each, because they import ``re``). The first line of REQUEST holds the
limits, the second the names of files to bring back (with NUL between), the rest is the program.

Nothing here is a barrier: from the first line of the program on, this process belongs to it. Limits that hold are
set before (rlimits) or outside (clock, output caps, kill: ``fresh_process``).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # type checkers know the name; importing typing costs 5 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn


def main() -> NoReturn:
    """Runs the program of REQUEST, or the cells of a session; ends the process."""
    request, stderr_fd, result_fd = sys.argv[1], open_channel(sys.argv[2]), open_channel(sys.argv[3])
    with open(request, "rb") as file:  # noqa: PTH123 - importing pathlib costs 5 ms
        numbers, names, source = file.read().split(b"\n", 2)
    memory_mb, cpu_s, file_mb, processes, value_chars, fetch_bytes, is_session = map(int, numbers.split())
    program, rlimits = import_beside("program"), import_beside("rlimits")
    cells = import_beside("cells") if is_session else None
    control_fd = os.dup(2)
    os.dup2(stderr_fd, 2)
    os.close(stderr_fd)
    if hasattr(os, "fork"):
        supervise(control_fd, result_fd)
    rlimits.set_limits(memory_mb, cpu_s, file_mb, processes)
    rlimits.die_first()
    # Last, so that a laid-in file can be imported but never hides a module.
    sys.path.append(os.getcwd())  # noqa: PTH109
    os.write(control_fd, b"ready\n")
    os.close(control_fd)
    if cells is not None:
        cells.serve(result_fd, program)
    program.run_program(source, value_chars, result_fd, names.decode().split("\0") if names else [], fetch_bytes)
    raise AssertionError("run_program ends the process")


def import_beside(name: str) -> Any:
    """The module of the file ``name`` beside this one, leaving neither its folder nor its name behind."""
    sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120
    module = __import__(name)
    del sys.path[0], sys.modules[name]
    return module


def open_channel(number: str) -> int:
    """File descriptor of an inherited pipe; ``number`` is a descriptor, on Windows a handle."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(int(number), os.O_WRONLY)
    return int(number)


def supervise(control_fd: int, result_fd: int) -> None:
    """Forks; returns in the child, which runs the program. The parent reaps, reports the exit, and ends.

    Without it the program would be process 1 of its PID namespace, which ignores the signals it sends itself:
    abort() would show as SIGSEGV, and kill(self, 9) would return. When process 1 ends, the kernel kills what the
    program left behind.
    """
    program = os.fork()
    if program == 0:
        if os.getppid() == 1:  # in our own PID namespace: kill(0, …) must not reach the supervisor
            os.setsid()
        return
    os.close(result_fd)
    import _signal  # type: ignore[import-not-found]
    import _thread

    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _thread.start_new_thread(_end_with_reader, (control_fd,))
    while True:
        pid, status, usage = os.wait4(-1, 0)
        if pid == program:
            # Not the parent's wait4: there ru_maxrss starts from the size of the process that forked us.
            peak_kb = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
            os.write(control_fd, b"exit %d %d\n" % (status, peak_kb))
            os._exit(0)


def _end_with_reader(control_fd: int) -> None:
    """Ends everything when the trusted side is gone (even by kill -9): nobody else would."""
    import _signal
    import select

    poll = select.poll()
    poll.register(control_fd, 0)
    poll.poll()
    os.killpg(0, _signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
