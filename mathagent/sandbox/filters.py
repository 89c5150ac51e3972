"""The seccomp filters: which system calls a program may make. Everything else fails with EPERM.

Compiled by libseccomp once in a process and handed to the zygote as bytes. Calls of another architecture (x32, 32-bit)
end the process with SIGSYS, as libseccomp does by default.
"""

from __future__ import annotations

import errno
import os
from functools import cache

from mathagent.errors import SandboxError

KINDS = ("run", "session")

_FILES = """
    access chdir close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
    fchdir fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd getdents getdents64 link linkat
    lseek lstat mkdir mkdirat newfstatat open openat pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
    readlink readlinkat readv rename renameat renameat2 rmdir sendfile stat statfs statx symlink symlinkat truncate
    umask unlink unlinkat write writev
"""
_ATTRIBUTES = " chmod fchmod fchmodat utimensat utimes"
_MEMORY = "brk madvise membarrier mincore mmap mprotect mremap msync munmap"
_WAITING = """
    alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait
    eventfd2 getitimer gettimeofday nanosleep pause poll ppoll pselect6 select setitimer time times
"""
_PROCESS = """
    exit exit_group futex get_robust_list getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid
    getpriority getrandom getresgid getresuid getrlimit getrusage getsid gettid getuid kill restart_syscall rseq
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity
    sched_getparam sched_getscheduler sched_yield set_robust_list set_tid_address sigaltstack sysinfo tgkill tkill uname
    wait4 waitid arch_prctl
"""
_OWN_SOCKETS = "getpeername getsockname getsockopt recvfrom recvmsg sendmsg sendto shutdown"

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_PR_SET_NAME, _PR_GET_NAME = 15, 16
_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX = 0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451
_IOCTLS = (_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX)
_AF_UNIX, _SOCK_STREAM, _SOCKET_TYPE = 1, 1, 0xF


@cache
def compiled(kind: str, jailed: bool) -> bytes:
    """The filter of one of ``KINDS`` for this machine. Raises SandboxError where libseccomp is not there.

    ``run`` makes threads but no process. ``session`` may fork as well (never into namespaces): snapshots do.
    Unless ``jailed``, modes and times of files cannot be changed: Landlock does not keep them from the user's own.
    """
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxError(
            f"no seccomp filter can be made ({error}); install libseccomp (libseccomp2) and pyseccomp"
        ) from error
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    # A search tree: the kernel tries every system call on a new filter, 0.3 ms for each run where it is one long list.
    rules.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)
    allow, equal, masked = seccomp.ALLOW, seccomp.EQ, seccomp.MASKED_EQ
    names = _FILES + _MEMORY + _WAITING + _PROCESS + _OWN_SOCKETS + (_ATTRIBUTES if jailed else "")
    for name in names.split():
        rules.add_rule(allow, name)
    for request in _IOCTLS:
        rules.add_rule(allow, "ioctl", seccomp.Arg(1, equal, request))
    for option in (_PR_SET_NAME, _PR_GET_NAME):
        rules.add_rule(allow, "prctl", seccomp.Arg(0, equal, option))
    rules.add_rule(allow, "prlimit64", seccomp.Arg(0, equal, 0))
    # a datagram pair could send to any socket that is a file
    stream = seccomp.Arg(1, masked, _SOCKET_TYPE, _SOCK_STREAM)
    rules.add_rule(allow, "socketpair", seccomp.Arg(0, equal, _AF_UNIX), stream)
    # glibc falls back to clone, whose flags a filter can see
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    if kind == "run":
        rules.add_rule(allow, "clone", seccomp.Arg(0, masked, _CLONE_THREAD | _CLONE_NAMESPACES, _CLONE_THREAD))
    else:
        rules.add_rule(allow, "clone", seccomp.Arg(0, masked, _CLONE_NAMESPACES, 0))
        for name in ("fork", "pidfd_open"):
            rules.add_rule(allow, name)
    fd = os.memfd_create("mathagent-filter")
    with open(fd, "w+b") as file:  # noqa: PTH123 - a descriptor
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
