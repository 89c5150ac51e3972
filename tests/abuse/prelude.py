"""Words for hostile programs. This text stands before each program of the catalogue and runs in the sandbox.

An attempt that is refused becomes the name of its error ("EPERM"), one that is not becomes "LEAK(…)".
"""

# ruff: noqa: F401 - imported for the programs

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

ON_X86 = sys.implementation._multiarch.startswith("x86_64")
# name: (x86_64, aarch64); None where the machine has no such call
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execveat": (322, 281),
    "fsopen": (430, 430),
    "getpid": (39, 172),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "seccomp": (317, 277),
    "semget": (64, 190),
    "setgid": (106, 144),
    "setgroups": (116, 159),
    "setns": (308, 268),
    "setresuid": (117, 147),
    "setuid": (105, 146),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}


def name_of(error: BaseException) -> str:
    """ "EPERM" for an OSError, else the name of the type."""
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(number)) if number is not None else type(error).__name__


def attempt(action: Callable[..., Any], *arguments: Any) -> str:
    """What became of ``action``: the name of its error, or LEAK."""
    try:
        got = action(*arguments)
    except Exception as error:
        return name_of(error)
    return f"LEAK({got!r:.60})"


def call(name: str, *arguments: Any) -> int:
    """The system call itself, past every wrapper; raises OSError."""
    number = NUMBERS[name][0 if ON_X86 else 1]
    if number is None:
        raise OSError(errno.ENOSYS, "no such call on this machine")
    return raw(number, *arguments)


def raw(number: int, *arguments: Any) -> int:
    """System call ``number``; integers are passed as wide as registers."""
    wide = (ctypes.c_long(value) if isinstance(value, int) else value for value in (number, *arguments))
    ctypes.set_errno(0)
    got = LIBC.syscall(*wide)
    if got == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return int(got)


def calls(name: str, *arguments: Any) -> str:
    """``attempt`` of a system call."""
    return attempt(call, name, *arguments)


def run_machine_code(code: bytes) -> int:
    """Runs ``code`` as a function without arguments."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def in_short(outcomes: Iterable[str]) -> str:
    """The different outcomes, sorted: "EACCES ENOENT"."""
    return " ".join(sorted(set(outcomes)))


def child(got: int) -> int:
    """Ends the process if it is the child of a fork that should not have worked."""
    if got == 0:
        LIBC._exit(0)
    return got


# The program
