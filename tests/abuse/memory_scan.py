"""Looks for text in all memory of its own process, without /proc. Stands before programs that hunt for secrets.

The kernel says what is mapped: ``pwrite`` from an address that is not is EFAULT, where reading it would crash.
"""

import ctypes
import gc
import os
import re
import sys

BLOCK = 1 << 20
PAGE = 4096
C = ctypes.CDLL(None)
C.pwrite.restype = C.sbrk.restype = ctypes.c_ssize_t
C.sbrk.argtypes = [ctypes.c_ssize_t]
MAX_BLOCKS = 600
REACH = 8
"""Holes of so many blocks are crossed."""


class Memory:
    """The memory of this process, block by block, as far as it lies near what we know of."""

    def __init__(self) -> None:
        self.fd = os.open("memory", os.O_RDWR | os.O_CREAT)

    def anchors(self) -> set[int]:
        """Addresses of objects, of C's heap and large blocks, of the environment and of the stack."""
        # the collector does not tell of what the zygote made: that hangs on the modules
        things = [*gc.get_objects(), *sys.modules.values()]
        found = {id(thing) for thing in things}
        for _ in range(4):
            parts = {id(part): part for part in gc.get_referents(*things) if id(part) not in found}
            found.update(parts)
            things = list(parts.values())
        self.large = ctypes.create_string_buffer(4 * BLOCK)  # where C puts what is large: in maps of its own
        found.add(ctypes.addressof(self.large))
        environ = ctypes.POINTER(ctypes.c_void_p).in_dll(C, "environ")
        found.add(ctypes.addressof(environ.contents))
        for index in range(100):
            if not environ[index]:
                break
            found.add(environ[index])
        found.add(C.sbrk(0) - PAGE)
        found.add(ctypes.cast(C.pwrite, ctypes.c_void_p).value or 0)
        return found

    def copy(self, address: int, length: int) -> bytes:
        """What is mapped from ``address`` on, at most ``length`` bytes; nothing if the first is not mapped."""
        got = C.pwrite(self.fd, ctypes.c_void_p(address), ctypes.c_size_t(length), ctypes.c_long(0))
        return os.pread(self.fd, got, 0) if got > 0 else b""

    def block(self, address: int) -> bytes:
        """All mapped pages of the block at ``address``."""
        parts, offset = [], 0
        while offset < BLOCK:
            part = self.copy(address + offset, BLOCK - offset)
            parts.append(part)
            offset += len(part) or PAGE
        return b"".join(parts)

    def matches(self, *patterns: bytes) -> set[bytes]:
        """Every text in memory that matches; walks on from each block that holds something to those near it."""
        expressions = [re.compile(pattern) for pattern in patterns]  # each alone: its beginning is found fast
        waiting = {address // BLOCK for address in self.anchors()}
        seen: set[int] = set()
        found: set[bytes] = set()
        while waiting and len(seen) < MAX_BLOCKS * 3:
            number = waiting.pop()
            seen.add(number)
            data = self.block(number * BLOCK)
            if data:
                for expression in expressions:
                    found.update(expression.findall(data))
                waiting.update({*range(number - REACH, number + REACH + 1)} - seen)
        return found


def secrets_in_memory() -> str:
    """ "control planted=0": no planted text was found, but those that the program made, and the stack's beginning."""
    tail = format(int.from_bytes(os.urandom(14), "big") | 1 << 127, "032x")
    controls = [b"control-" + tail.encode(), ("control-" + tail[::-1]).encode()]
    block = bytearray(3 * BLOCK)
    block[2 * BLOCK : 2 * BLOCK + 40] = controls.pop()
    # the environment as the kernel laid it: Python and C keep name and value apart, or copies of them
    found = Memory().matches(rb"control-[0-9a-f]{32}", rb"planted-[0-9a-f]{32}", rb"PYTHONHASHSEE[D]=0")
    planted = [text for text in found if text.startswith(b"planted")]
    control = found >= {b"control-" + tail.encode(), b"control-" + tail[::-1].encode()}
    control = control and any(text.startswith(b"PYTHONHASH") for text in found)
    return ("control " if control else "blind ") + (f"LEAK({planted[:3]!r})" if planted else "planted=0")
