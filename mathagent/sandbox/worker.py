"""The program in the child: limits itself, runs one untrusted program, and reports how it went.

Run by file path as ``python -P -s worker.py REQUEST STDERR_FD RESULT_FD`` with the control pipe as standard error.
Stdlib only, and as little of it as possible: each import is paid again by every run (``json``, ``ast``,
``traceback`` and ``linecache`` cost 9 ms each, because they import ``re``). The first line of REQUEST holds the
limits, the rest is the program.

Nothing here is a barrier: from the first line of the program on, this process belongs to it. Limits that hold are
set before (rlimits) or outside (clock, output caps, kill: ``fresh_process``).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # type checkers know the name; importing typing costs 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def main() -> NoReturn:
    """Runs the program of REQUEST; ends the process."""
    request, stderr_fd, result_fd = sys.argv[1], open_channel(sys.argv[2]), open_channel(sys.argv[3])
    with open(request, "rb") as file:  # noqa: PTH123 - importing pathlib costs 5 ms
        numbers, _, source = file.read().partition(b"\n")
    memory_mb, cpu_s, file_mb, processes, value_chars = map(int, numbers.split())
    run_program = import_program()
    control_fd = os.dup(2)
    os.dup2(stderr_fd, 2)
    os.close(stderr_fd)
    if hasattr(os, "fork"):
        supervise(control_fd, result_fd)
    set_limits(memory_mb, cpu_s, file_mb, processes)
    # Last, so that a laid-in file can be imported but never hides a module.
    sys.path.append(os.getcwd())  # noqa: PTH109
    os.write(control_fd, b"ready\n")
    os.close(control_fd)
    run_program(source, value_chars, result_fd)
    raise AssertionError("run_program ends the process")


def import_program() -> Callable[[bytes, int, int], None]:
    """``run_program`` of the file beside this one, leaving neither its folder nor its name behind."""
    sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120
    program = __import__("program")
    del sys.path[0], sys.modules["program"]
    run_program: Callable[[bytes, int, int], None] = program.run_program
    return run_program


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


def set_limits(memory_mb: int, cpu_s: int, file_mb: int, processes: int) -> None:
    """Sets the limits that the kernel enforces; ``processes`` 0 leaves their number alone. No-op on Windows."""
    try:
        import resource
    except ImportError:
        return
    megabyte = 2**20
    # Soft = hard: the soft CPU limit is a signal that a program can ignore, the hard one a kill.
    wanted = {"CORE": 0, "CPU": cpu_s, "FSIZE": file_mb * megabyte, "NOFILE": 64}
    if processes:
        wanted["NPROC"] = processes
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            interpreter = int(file.read().split()[0]) * resource.getpagesize()
        wanted["AS"] = interpreter + memory_mb * megabyte
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")  # if the machine runs out of memory, this process goes first
    except OSError:
        pass  # no /proc (macOS): its kernel does not enforce RLIMIT_AS either
    for name, value in wanted.items():
        number = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


if __name__ == "__main__":
    main()
