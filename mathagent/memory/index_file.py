"""The file of a vector index: is it whole, and whose is it? Without opening the graph in it, which trusts every byte.

Layout: the graph as usearch saves it, facts about it (JSON), their length and CRC (4 bytes each, little-endian), eight
bytes of magic. What is written is true of the whole file only with its last byte.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from pathlib import Path

from mathagent.types import Value

MAGIC = b"MAGINDX1"
FOOTER = struct.Struct("<II8s")
BLOCK_BYTES = 1 << 20
TIME_STEP_S = 2
"""The coarsest clock of a file system that we know (FAT)."""


class IndexFacts(Value):
    """``covered`` is the highest rowid that the index has looked at; ``written_s`` the file's time of modification."""

    embedder: str
    dimensions: int
    covered: int
    count: int
    index_bytes: int
    crc32: int
    written_s: int


def seal(path: Path, *, embedder: str, dimensions: int, covered: int, count: int) -> None:
    """Appends to the graph saved at ``path`` what is to be known of it, and brings all to the disk. Raises OSError."""
    size = path.stat().st_size
    written_s = int(time.time()) // TIME_STEP_S * TIME_STEP_S
    facts = IndexFacts(
        embedder=embedder,
        dimensions=dimensions,
        covered=covered,
        count=count,
        index_bytes=size,
        crc32=checksum(path, size),
        written_s=written_s,
    )
    text = facts.model_dump_json().encode("utf-8")
    with path.open("ab") as file:
        file.write(text + FOOTER.pack(len(text), zlib.crc32(text), MAGIC))
        file.flush()
        os.fsync(file.fileno())
    os.utime(path, (written_s, written_s))


def read_facts(path: Path) -> IndexFacts | None:
    """What ``seal`` wrote; None where the file is no sealed one, or cut off. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < FOOTER.size:
            return None
        file.seek(size - FOOTER.size)
        length, crc, magic = FOOTER.unpack(file.read(FOOTER.size))
        if magic != MAGIC or length > size - FOOTER.size:
            return None
        file.seek(size - FOOTER.size - length)
        text = file.read(length)
    if zlib.crc32(text) != crc:
        return None
    try:
        facts = IndexFacts.model_validate(json.loads(text))
    except ValueError:  # of another version of ours
        return None
    return facts if facts.index_bytes + length + FOOTER.size == size else None


def is_sound(path: Path, facts: IndexFacts) -> bool:
    """Whether the graph is as it was written. Raises OSError.

    A file that nobody has touched since is taken to be. Another is read through, for usearch would follow a damaged
    link out of its memory: a quarter of a second for 400 MB.
    """
    if path.stat().st_mtime_ns == facts.written_s * 10**9:
        return True
    return checksum(path, facts.index_bytes) == facts.crc32


def checksum(path: Path, size: int) -> int:
    """The CRC-32 of the first ``size`` bytes."""
    crc = 0
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(BLOCK_BYTES, size))):
            crc = zlib.crc32(block, crc)
            size -= len(block)
    return crc
