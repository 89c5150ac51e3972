"""What the zygote does with its memory so that clones are cheap: most of what a clone costs is copied pages.

A clone shares all pages with the zygote until it writes to one, and Python writes to every object it looks at (it
counts references). Measured shares and savings: docs/decisions/5-process-sandbox.md.
"""

from __future__ import annotations

import ctypes

HUGE_PAGE = 2 * 2**20
_COLLAPSE = 25

_SMALL_OBJECT, _STEP, _ARENA = 512, 16, 2**20
_ARENAS = 36
"""What SymPy and NumPy fill."""
_GAP_BYTES = 2**16
_BYTES_HEADER = 33
_fillers: list[object] = []

_libc = ctypes.CDLL(None, use_errno=True)


def reserve() -> None:
    """Takes the arenas for the objects to come in one piece, which huge pages can cover.

    Two objects stay in each arena, else Python would give it back.
    """
    objects = [bytes(_SMALL_OBJECT - _BYTES_HEADER) for _ in range(_ARENAS * _ARENA // _SMALL_OBJECT)]
    _fillers.append(objects[:: _ARENA // _SMALL_OBJECT // 2])


def fill_gaps() -> None:
    """Fills the free places that imports left on thousands of pages, so that clones make objects on few new ones.

    A pool of Python's allocator holds objects of one size; 64 KiB of each size leave at most the last pool with gaps.
    """
    _fillers.append([object() for _ in range(_GAP_BYTES // _STEP)])
    _fillers.append([float(n) for n in range(_GAP_BYTES // (2 * _STEP))])  # 24 bytes: nothing smaller is of bytes
    for size in range(3 * _STEP, _SMALL_OBJECT + 1, _STEP):
        _fillers.append([bytes(size - _BYTES_HEADER) for _ in range(_GAP_BYTES // size)])


def collapse() -> None:
    """Asks for huge pages, whose table is cheap to copy for a clone (Linux 6.1 and newer; a wish, nothing more)."""
    with open("/proc/self/maps", encoding="ascii") as file:  # noqa: PTH123
        regions = [line.split() for line in file]
    for region in regions:
        start, end = (int(number, 16) for number in region[0].split("-"))
        own = region[1] == "rw-p" and (len(region) == 5 or region[5] == "[heap]")
        if own and end - start >= HUGE_PAGE:
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _COLLAPSE)
