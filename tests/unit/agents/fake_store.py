"""An experience store in memory, for what only reads and adds: found is what shares words with the query."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from mathagent.errors import StorageError
from mathagent.memory.base import Added, ExperienceStore, Hit, Query, StoreStatistics
from mathagent.memory.experience import EXPERIENCE_KINDS, TRUST_ORDER, Experience, ExperienceKind

_WORD = re.compile(r"\w+")


class FakeStore:
    """Keeps what it is given, in order; ``queries`` are all searches so far. ``broken``: every search fails with it.

    ``guard`` excludes the very same problem only; ``diversity`` is not looked at.
    """

    name = "fake"

    def __init__(self, experiences: Sequence[Experience] = (), *, broken: str | None = None) -> None:
        self.kept = {one.id: one for one in experiences}
        self.queries: list[Query] = []
        self.broken = broken

    async def add(
        self, experiences: Sequence[Experience], *, used: Sequence[str] = (), success: bool | None = None
    ) -> Added:
        new = {one.id: one for one in experiences if one.id not in self.kept}
        self.kept |= new
        for one in await self.get(used):
            if success is not None:
                counts = {"uses": one.uses + 1, "successes": one.successes + success}
                self.kept[one.id] = one.model_copy(update=counts)
        ids = tuple(one.id for one in experiences)
        return Added(new=len(new), merged=len(experiences) - len(new), ids=ids)

    async def get(self, ids: Sequence[str]) -> list[Experience]:
        return [self.kept[one] for one in ids if one in self.kept]

    async def ids_beginning(self, start: str, limit: int = 3) -> list[str]:
        return sorted(one for one in self.kept if one.startswith(start))[:limit]

    async def search(self, query: Query) -> list[Hit]:
        self.queries.append(query)
        if self.broken is not None:
            raise StorageError(self.broken)
        wanted = _words(query.text)
        shared = {one.id: len(wanted & _words(one.key_text)) for one in self.kept.values() if _fits(one, query)}
        best = sorted((one for one in shared if shared[one]), key=lambda one: -shared[one])[: query.limit]
        return [
            Hit(experience=self.kept[one], score=float(shared[one]), lexical_rank=rank)
            for rank, one in enumerate(best, start=1)
        ]

    async def scan(
        self, kinds: Sequence[ExperienceKind] = EXPERIENCE_KINDS, *, newest_first: bool = False
    ) -> AsyncIterator[Experience]:
        kept = list(self.kept.values())
        for one in reversed(kept) if newest_first else kept:
            if one.kind in kinds:
                yield one

    async def forget(self, ids: Sequence[str]) -> int:
        return sum(self.kept.pop(one, None) is not None for one in ids)

    async def statistics(self) -> StoreStatistics:
        kept = self.kept.values()
        return StoreStatistics(
            experiences=len(kept),
            by_kind=dict(Counter(one.kind for one in kept)),
            by_trust=dict(Counter(one.trust for one in kept)),
            by_dataset=dict(Counter(one.provenance.dataset for one in kept)),
            database_bytes=0,
            index_bytes=0,
            indexed=0,
            embedder="none",
            identity="fake",
            fingerprint=" ".join(self.kept),
        )

    async def aclose(self) -> None:
        """Nothing to close."""


_protocol: type[ExperienceStore] = FakeStore


def _fits(one: Experience, query: Query) -> bool:
    trusted = TRUST_ORDER.index(one.trust) >= TRUST_ORDER.index(query.least_trust)
    subject = query.subject in ("", one.subject)
    strategy = query.strategy in ("", one.provenance.strategy)
    model = query.model in ("", one.provenance.model)
    leaks = query.guard is not None and _words(query.guard) == _words(one.key_text)
    return one.kind in query.kinds and trusted and subject and strategy and model and not leaks


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
