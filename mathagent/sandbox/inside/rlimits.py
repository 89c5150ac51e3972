"""The limits that the kernel keeps for one process. Imported by every run: no import that costs milliseconds."""

from __future__ import annotations

MEGABYTE = 2**20


def set_limits(memory_mb: int, cpu_s: int, file_mb: int, processes: int = 0, address_space_kb: int = 0) -> None:
    """Sets limits, soft = hard: the soft CPU limit is a signal that a program can ignore, the hard one a kill.

    ``memory_mb`` is granted on top of the address space the interpreter has already taken, ``address_space_kb``
    (0: looked up in /proc). ``processes`` 0 leaves their number alone. A limit is never raised. No-op on Windows.
    """
    try:
        import resource
    except ImportError:
        return
    wanted = {"CORE": 0, "CPU": cpu_s, "FSIZE": file_mb * MEGABYTE, "NOFILE": 64}
    if processes:
        wanted |= {"NPROC": processes, "MEMLOCK": 0, "MSGQUEUE": 0, "SIGPENDING": 64}
    try:  # noqa: SIM105 - contextlib costs an import
        wanted["AS"] = (address_space_kb or own_address_space_kb()) * 1024 + memory_mb * MEGABYTE
    except OSError:
        pass  # no /proc (macOS): its kernel does not enforce RLIMIT_AS either
    for name, value in wanted.items():
        number = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def own_address_space_kb() -> int:
    """Virtual size of this process. Raises OSError where there is no /proc."""
    import resource

    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - importing pathlib costs 5 ms
        return int(file.read().split()[0]) * resource.getpagesize() // 1024


def die_first() -> None:
    """If the machine runs out of memory, this process goes first. No-op where there is no /proc."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")
    except OSError:
        pass
