"""The vector index beside a store: an HNSW graph (arXiv:1603.09320) in one file, mapped into memory to search it.

It is derived data. A file that is missing, foreign, cut off or changed counts as absent; nobody's reading fails over
it (index_file.py says how that is seen).
"""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathagent.errors import UsageError
from mathagent.memory.index_file import IndexFacts, is_sound, read_facts, seal
from mathagent.storage import try_lock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from usearch.index import Index

    Batches = Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
    """(rowids, ascending over all batches; vectors of shape (len(rowids), dimensions), of length 1)."""

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 256
"""Measured on 16,400 variations of 1,000 problems, recall@10 against exact search: 0.97 (what 8 bits allow; 0.91 with
usearch's own 8 bits, 0.996 with 16 bits and a file 1.6 times as large). All ten are among the first 40 found."""


@dataclass(frozen=True)
class _Opened:
    index: Index
    facts: IndexFacts


class VectorIndex:
    """The index of the file ``path`` for vectors of ``embedder``; another embedder's or shape's counts as absent.

    Many processes may read while one writes: a file is replaced as a whole, and readers go over to the new one when
    they next look at ``covered`` or ``len()``. Safe to use from threads. Opens nothing until it is used.
    """

    def __init__(self, path: Path, *, embedder: str, dimensions: int) -> None:
        self.path, self.embedder, self.dimensions = path, embedder, dimensions
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._opened: _Opened | None = None

    @property
    def covered(self) -> int:
        """The highest rowid in the index as it is on the disk now; 0 where there is none."""
        opened = self._refreshed()
        return opened.facts.covered if opened else 0

    def __len__(self) -> int:
        """How many vectors the index holds."""
        opened = self._refreshed()
        return opened.facts.count if opened else 0

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rowids nearest to ``vector`` by cosine, best first, and their cosines; at most ``limit``.

        Approximate twice: the graph may miss a neighbour, and the cosines are those of 8-bit vectors. Searches the
        file that ``covered`` last saw, so that what is newer than that can be searched elsewhere without overlap.
        """
        import numpy as np

        opened = self._opened or self._refreshed()
        if opened is None or limit < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        found: Any = opened.index.search(to_bytes(vector[None])[0], min(limit, opened.facts.count), threads=1)
        return found.keys.astype(np.int64), (1 - found.distances).astype(np.float32)

    def build(self, batches: Batches) -> bool:
        """Makes the index anew out of ``batches``; False, with nothing changed, where another process is writing it.

        Raises OSError where the file cannot be written, UsageError where a batch has another shape.
        """
        return self._write(batches, keep=False)

    def extend(self, batches: Batches) -> bool:
        """Adds ``batches``, which hold all that is beyond ``covered``; rowids that are there already are skipped.

        False, with nothing changed, where another process is writing, or has put back an index that covers less than
        this object last saw. Raises as ``build`` does.
        """
        return self._write(batches, keep=True)

    def close(self) -> None:
        """Lets go of the file; it is opened again when next used."""
        with self._lock:
            self._seen, self._opened = None, None

    def _refreshed(self) -> _Opened | None:
        with self._lock:
            seen = _signature(self.path)
            if seen != self._seen:
                self._opened = None  # unmapped before the next is mapped, once no search uses it
                self._opened = _open(self.path, self.embedder, self.dimensions, writable=False)
                # Replaced meanwhile: it is looked at again next time.
                self._seen = seen if seen == _signature(self.path) else None
            return self._opened

    def _write(self, batches: Batches, *, keep: bool) -> bool:
        from usearch.index import Index

        expected = self._opened.facts.covered if self._opened and keep else 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("a+b") as file:
            if not try_lock(file):
                return False
            old = _open(self.path, self.embedder, self.dimensions, writable=True) if keep else None
            covered = old.facts.covered if old else 0
            if covered < expected:
                return False
            index = (
                old.index
                if old
                else Index(
                    ndim=self.dimensions,
                    metric="cos",
                    dtype="i8",
                    connectivity=CONNECTIVITY,
                    expansion_add=EXPANSION_ADD,
                )
            )
            covered = _add(index, batches, covered)
            self.close()  # Windows replaces no file that is mapped
            return self._place(index, covered)

    def _place(self, index: Index, covered: int) -> bool:
        for stale in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.new"):
            stale.unlink(missing_ok=True)  # of a writer that was killed: we hold the lock
        if not len(index):
            self.path.unlink(missing_ok=True)
            return True
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            index.save(temporary)
            seal(
                temporary,
                embedder=self.embedder,
                dimensions=self.dimensions,
                covered=covered,
                count=len(index),
            )
            temporary.replace(self.path)
        except PermissionError:
            if os.name != "nt":
                raise
            return False  # another process has the old file mapped
        except RuntimeError as error:  # what usearch raises where the disk is full
            raise OSError(f"cannot write {temporary}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return True


def to_bytes(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """``vectors`` in 8 bits a component. Each row has its own scale, of which the cosine knows nothing: usearch's own
    conversion has one for all, and of 256 components of a vector of length 1 it keeps three or four bits."""
    import numpy as np

    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.float32(1e-12))
    result: NDArray[np.int8] = np.rint(vectors * (np.float32(127) / largest)).astype(np.int8)
    return result


def _add(index: Index, batches: Batches, covered: int) -> int:
    """Adds what lies beyond ``covered``; returns the highest rowid."""
    for rowids, vectors in batches:
        if vectors.shape != (len(rowids), index.ndim):
            raise UsageError(
                f"vectors of shape {vectors.shape} for {len(rowids)} rows of {index.ndim} numbers each"
            )
        new = rowids > covered
        if new.any():
            index.add(rowids[new].astype("u8"), to_bytes(vectors[new]))
            covered = int(rowids[-1])
    return covered


def _signature(path: Path) -> tuple[int, ...]:
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _open(path: Path, embedder: str, dimensions: int, *, writable: bool) -> _Opened | None:
    """The index at ``path``, mapped or (``writable``) read into memory; None where it is not a sound one of these."""
    from usearch.index import Index

    try:
        facts = read_facts(path)
        if facts is None or (facts.embedder, facts.dimensions) != (embedder, dimensions):
            return None
        if not is_sound(path, facts):
            return None
        index = Index.restore(path, view=not writable)
        if index is None or (len(index), index.ndim) != (facts.count, dimensions):
            return None
        index.expansion_search = EXPANSION_SEARCH  # type: ignore[misc]  # the setter stands apart from the property
        return _Opened(index, facts)
    except (OSError, RuntimeError, ValueError):
        return None  # derived data: made anew by the next build
