"""The worker process behind CallPool: runs one named function of ours at a time and answers in JSON.

Run as a script; the package imports only its constants. Frames on stdin and stdout are a 4-byte big-endian length and
UTF-8 JSON. The worker ends when its parent does: at end of input (a thread watches, even while a call is busy), by
the kernel's parent-death signal where there is one, and in any case by an alarm some seconds after a call's deadline,
which also stops code that never gives the interpreter back.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import struct
import sys
import threading
from typing import Any, BinaryIO

MAX_FRAME = 1_000_000
GRACE_S = 5.0


def main(package_root: str, memory_mb: int, parent_pid: int) -> None:
    """Answers frames until the input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a stray print must not break the frames
    if package_root not in sys.path:
        sys.path.append(package_root)
    _die_with_parent(parent_pid)
    _limit_memory(memory_mb)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        request = requests.get()
        _set_alarm(request["timeout_s"] + GRACE_S)
        reply = _answer(request)
        _set_alarm(0)
        body = json.dumps(reply).encode()
        if len(body) > MAX_FRAME:
            body = json.dumps({"error": "the result is too long"}).encode()
        replies.write(struct.pack(">I", len(body)) + body)
        replies.flush()


def _read_requests(stream: BinaryIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Passes frames on; ends the process at end of input, whatever the main thread is doing."""
    while True:
        head = stream.read(4)
        body = stream.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
        if not body:
            os._exit(0)
        requests.put(json.loads(body))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        module_name, _, name = request["function"].partition(":")
        function = getattr(importlib.import_module(module_name), name)
        if getattr(function, "__module__", "") != module_name:
            return {"error": f"{name} is not a function of {module_name}"}
        return {"result": function(*request["args"]), "peak_mb": _peak_memory_mb()}
    except MemoryError:
        return {"error": "out of memory", "spent": True}
    except BaseException as error:  # noqa: BLE001 - the caller is another process: it gets the error as text
        return {"error": f"{type(error).__name__}: {error}"[:500], "peak_mb": _peak_memory_mb()}


def _die_with_parent(parent_pid: int) -> None:
    """Linux: the kernel kills us when the thread that started us ends."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # other C libraries: the watching thread remains
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def _limit_memory(memory_mb: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none, macOS refuses
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20, memory_mb * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _set_alarm(seconds: float) -> None:
    """The default action of the alarm ends the process, even inside C code."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _peak_memory_mb() -> float:
    # First the peak of this program's own memory: on Linux ru_maxrss starts from the size of the process that started
    # us, so that in a large one every worker would seem spent after its first call.
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - no pathlib here
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 2**10
    except (OSError, ValueError, IndexError):
        pass  # no /proc: another system than Linux
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
