"""The protocols of memory: a store of experiences, and what turns texts into vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from mathagent.memory.experience import EXPERIENCE_KINDS, Experience, ExperienceKind, Trust
from mathagent.types import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Query(Value):
    """What is looked for.

    ``guard`` names a problem (text and choices, joined by line breaks) that is being solved for a measurement:
    experiences whose problem is the same or a near duplicate are left out (memory/leak_guard.py). ``subject`` and
    ``strategy`` "" and ``model`` "" mean any. ``diversity`` in [0, 1] is the weight of not repeating what other hits
    say (maximal marginal relevance; 0: relevance alone).
    """

    text: str
    kinds: tuple[ExperienceKind, ...] = EXPERIENCE_KINDS
    limit: int = Field(default=5, ge=1, le=1000)
    subject: str = ""
    strategy: str = ""
    model: str = ""
    least_trust: Trust = "unchecked"
    guard: str | None = None
    diversity: float = Field(default=0.3, ge=0, le=1)


class Hit(Value):
    """One experience found. ``score`` is the fused score (higher is better); ranks count from 1, None: not found that
    way. ``similarity`` is the cosine of the vectors (None where there are none); ``alike``: it is more than chance
    gives unrelated problems (True where there are no vectors to tell by)."""

    experience: Experience
    score: float
    lexical_rank: int | None = None
    dense_rank: int | None = None
    similarity: float | None = None
    alike: bool = True


class Added(Value):
    """What became of experiences that were to be stored: ``new`` were written, ``merged`` were there already (exactly
    or nearly: their counts and the better trust were kept). ``ids`` are, in order, where each now lives."""

    new: int = 0
    merged: int = 0
    ids: tuple[str, ...] = ()


class StoreStatistics(Value):
    """A store in numbers. Sizes in bytes; ``fingerprint`` changes with any change of what could be found;
    ``identity`` is made with the store and stays (two stores never share one)."""

    experiences: int
    by_kind: dict[ExperienceKind, int]
    by_trust: dict[Trust, int]
    by_dataset: dict[str, int]
    database_bytes: int
    index_bytes: int
    indexed: int
    embedder: str
    identity: str
    fingerprint: str


class ExperienceStore(Protocol):
    """Where experiences are kept. Usable from many processes and from concurrent tasks.

    All methods raise StorageError where the store cannot be read or written. A write is one transaction: after a
    crash all of it is there, or nothing.
    """

    name: str

    async def add(
        self, experiences: Sequence[Experience], *, used: Sequence[str] = (), success: bool | None = None
    ) -> Added:
        """Stores ``experiences``, merging what is there already, in one transaction.

        The same transaction notes that ``used`` were shown in a solve, and whether it came out right (None: nobody
        knows, so nothing is noted).
        """
        ...

    async def get(self, ids: Sequence[str]) -> list[Experience]:
        """The experiences of ``ids``, in order; unknown ones are left out."""
        ...

    async def ids_beginning(self, start: str, limit: int = 3) -> list[str]:
        """At most ``limit`` ids that begin with ``start`` (hex digits), in order."""
        ...

    async def search(self, query: Query) -> list[Hit]:
        """The best hits for ``query``, best first."""
        ...

    def scan(
        self, kinds: Sequence[ExperienceKind] = EXPERIENCE_KINDS, *, newest_first: bool = False
    ) -> AsyncIterator[Experience]:
        """All experiences of ``kinds``, in the order in which they came, or the other way round."""
        ...

    async def forget(self, ids: Sequence[str]) -> int:
        """Deletes ``ids``; returns how many there were."""
        ...

    async def statistics(self) -> StoreStatistics:
        """The store in numbers."""
        ...

    async def aclose(self) -> None:
        """Closes files; safe to call twice."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1 (of a text without any known word: of length 0).

    ``name`` names model and version: vectors of another name are of no use. ``chance_similarity`` is the cosine that
    99 of 100 pairs of unrelated problems stay below: it differs so much between embedders that no one number could
    say what is alike.
    """

    name: str
    dimensions: int
    chance_similarity: float

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimensions), float32, rows of Euclidean length 1 or 0. CPU-bound: call it in a thread."""
        ...
