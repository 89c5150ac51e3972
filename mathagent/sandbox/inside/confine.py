"""Inside a new process of the zygote: gives up every right a program has no use for, in the order that works.

Mounts and the identity map need capabilities, Landlock and seccomp need none, so they come in this order: descriptors,
user map, mounts, limits, no_new_privs, Landlock, capabilities, seccomp. Each step raises OSError where it fails; the
zygote has tried all of them before the first run and leaves out those that this kernel does not have.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
from typing import Any

from mathagent.sandbox.inside import landlock, rlimits

NEW_NAMESPACES = 0x10000000 | 0x20000000 | 0x00020000 | 0x08000000  # user, PID, mount, IPC
NEW_NETWORK = 0x40000000
_CLONE_PIDFD = 0x1000
_CLONE3 = 435
_NOSUID_NODEV_NOEXEC, _READ_ONLY = 2 | 4 | 8, 1
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER = 1, 4, 22, 38, 2
_CAPSET = {"x86_64": 126, "aarch64": 91}.get(platform.machine(), 91)
INNER_ID = 1000

_libc = ctypes.PyDLL(None, use_errno=True)
# made once: a ctypes array of a new length is a new type, which each clone would pay for
_CAPABILITIES_HEADER, _NO_CAPABILITIES = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()


class _CloneArguments(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls")
    ]


class _FilterHeader(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


class SeccompFilter:
    """A compiled filter where the kernel finds it."""

    def __init__(self, instructions: bytes) -> None:
        self.buffer = ctypes.create_string_buffer(instructions, len(instructions))
        self.header = _FilterHeader(len(instructions) // 8, ctypes.cast(self.buffer, ctypes.c_void_p))


def clone(flags: int) -> tuple[int, int]:
    """Forks into new namespaces; (process id, pidfd) in the parent, (0, -1) in the child. Raises OSError.

    PyDLL keeps the interpreter lock over the call, and Python is told as os.fork tells it.
    """
    pidfd = ctypes.c_int(-1)
    arguments = _CloneArguments(
        flags=flags | _CLONE_PIDFD, pidfd=ctypes.addressof(pidfd), exit_signal=signal.SIGCHLD
    )
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _libc.syscall(_CLONE3, ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments)))
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid, pidfd.value


def be_visible() -> None:
    """Lets /proc show this process as its user's own: who was root has lost that, and the user map is written there."""
    _prctl(_SET_DUMPABLE, 1)


def confine(plan: dict[str, Any], kind: str, limits: dict[str, int], scratch: str) -> None:
    """Takes this process's rights away as ``plan`` says (see zygote), and moves into ``scratch``.

    ``kind`` names the seccomp filter. Nothing can be taken back afterwards. Raises OSError.
    """
    os.setsid()  # kill(0, …) reaches this process and its own children only
    if plan["namespaces"]:
        _map_user(plan["uid"], plan["gid"])
        options = f"size={limits['file_mb']}m,nr_inodes=4096,mode=700"
        _mount(scratch, _NOSUID_NODEV_NOEXEC, options)
    os.chdir(scratch)
    if plan["rlimits"]:
        rlimits.set_limits(
            limits["memory_mb"], limits["cpu_s"], limits["file_mb"], plan["processes"], plan["address_space_kb"]
        )
    rlimits.die_first()
    if plan["namespaces"]:
        _mount("/proc", _NOSUID_NODEV_NOEXEC | _READ_ONLY, "size=4k,nr_inodes=2,mode=555")
    _prctl(_SET_NO_NEW_PRIVS, 1)
    if plan["landlock"]:
        landlock.restrict(plan["landlock"], plan["readable"], [scratch, "/dev/null"])
    _drop_capabilities()
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if plan["seccomp"]:
        # Without a PID namespace nothing would end what a session forks.
        _filter(plan["filters"][kind if plan["namespaces"] else "run"])


def _map_user(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INNER_ID} {uid} 1"),
        ("gid_map", f"{INNER_ID} {gid} 1"),
    ):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def _mount(target: str, flags: int, options: str) -> None:
    if _libc.mount(b"tmpfs", target.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"mount on {target}: {os.strerror(number)}")


def _drop_capabilities() -> None:
    if _libc.syscall(_CAPSET, _CAPABILITIES_HEADER, _NO_CAPABILITIES):
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def _filter(program: SeccompFilter) -> None:
    _prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program.header))


def _prctl(option: int, *arguments: Any) -> None:
    padded = [*arguments, *(0,) * (4 - len(arguments))]
    converted = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in padded]
    if _libc.prctl(option, *converted):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")
