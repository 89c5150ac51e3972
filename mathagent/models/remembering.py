"""Wrappers that answer from what was drawn before: Cached from the completion cache, Journaled from the solve's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mathagent.budget import Meter
from mathagent.errors import BackendError, StorageError
from mathagent.events import Event, Warned
from mathagent.models.base import Backend, ChatRequest, OnDelta, PartialReply, on_sample, require_capabilities
from mathagent.models.cache import CompletionCache, sample_keys
from mathagent.models.wrapper import Wrapper, current_reservation
from mathagent.types import Completion


class Remembering(Wrapper):
    """Answers what it remembers, sample by sample, and asks ``inner`` only for the rest, which it then keeps.

    Each sample is kept as soon as the backend tells of it. Remembered ones are noted on the meter as the calls that
    they were, so that a budget stops a replay where it stopped the run. A request with samples that arrived before
    another failed may be sent again: what has arrived is not asked, nor counted, twice.
    """

    def __init__(self, inner: Backend, meter: Meter) -> None:
        super().__init__(inner)
        self.meter = meter
        self._paid: dict[str, Completion] = {}  # by key: arrived before others failed, counted, not yet returned

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        require_capabilities(self, request)
        keys = sample_keys(self.identity, request)
        remembered = self._lookup(keys)
        found = [self._paid.get(key, completion) for key, completion in zip(keys, remembered, strict=True)]
        hits = [index for index, completion in enumerate(found) if completion is not None]
        drawn: list[Any] = list(found)
        for start, count in _gaps(found):
            those = keys[start : start + count]
            new = await self._draw(request.samples(start, count), those, start, on_delta)
            drawn[start : start + count] = new
            self._paid |= zip(those, new, strict=True)  # a later gap may fail
        paid = {key for key in keys if self._paid.pop(key, None) is not None}
        for index in hits:
            completion = drawn[index]
            if keys[index] not in paid:
                self.meter.count(completion, current_reservation.get(), model=self.identity)
            if on_delta is not None:
                on_delta(index, completion.text)
        return drawn

    async def _draw(
        self, request: ChatRequest, keys: Sequence[str], start: int, on_delta: OnDelta | None
    ) -> list[Completion]:
        shifted = None if on_delta is None else lambda index, text: on_delta(start + index, text)
        outer, early = on_sample.get(), dict[int, Completion]()

        def arrived(index: int, completion: Completion) -> None:
            (early[index],) = self._store([keys[index]], [completion])
            if outer is not None:
                outer(start + index, early[index])

        token = on_sample.set(arrived)
        try:
            drawn = await self.inner.complete(request, shifted)
        except BackendError as error:
            come = error.arrived if isinstance(error, PartialReply) else {}
            for offset, completion in {**early, **come}.items():
                self._paid[keys[offset]] = completion
                if offset not in early:
                    self._store([keys[offset]], [completion])
            if not come:
                raise
            # Who asked counts from the first sample of the whole request.
            shifted_arrived = {start + offset: completion for offset, completion in come.items()}
            raise PartialReply(error, shifted_arrived) from error
        finally:
            on_sample.reset(token)
        if not early:
            return self._store(keys, drawn)
        return [
            early.get(index) or self._store([keys[index]], [completion])[0]
            for index, completion in enumerate(drawn)
        ]

    def _lookup(self, keys: Sequence[str]) -> list[Completion | None]:
        """What is remembered of each sample, by its key."""
        raise NotImplementedError

    def _store(self, keys: Sequence[str], completions: list[Completion]) -> list[Completion]:
        """Keeps samples by their keys; returns those to go on with."""
        raise NotImplementedError


class Cached(Remembering):
    """Remembers by the completion cache: its hits are noted as cached calls, which cost nothing.

    A cache that fails costs no reply: the solve is warned once and goes on without it.
    """

    def __init__(
        self, inner: Backend, cache: CompletionCache, meter: Meter, emit: Callable[[Event], None]
    ) -> None:
        super().__init__(inner, meter)
        self.cache, self._emit = cache, emit
        self._works = True

    def _lookup(self, keys: Sequence[str]) -> list[Completion | None]:
        if self._works:
            try:
                return self.cache.lookup(keys)
            except StorageError as error:
                self._give_up(error)
        return [None] * len(keys)

    def _store(self, keys: Sequence[str], completions: list[Completion]) -> list[Completion]:
        if self._works:
            try:
                return self.cache.store(keys, completions)
            except StorageError as error:
                self._give_up(error)
        return completions

    def _give_up(self, error: StorageError) -> None:
        self._works = False
        self._emit(Warned(message=f"{error}; going on without the cache"))


class Journal(Protocol):
    """What one solve has drawn since its last checkpoint, kept where a killed process leaves it."""

    def replay(self, key: str) -> Completion | None:
        """The sample that the killed process drew under ``key``, once; None where there is none."""
        ...

    def record(self, key: str, completion: Completion) -> None:
        """Keeps a sample, soon and without an error: a journal that fails is the solve's own matter."""
        ...

    async def flush(self) -> None:
        """Returns once all that was recorded is kept."""
        ...


class Journaled(Remembering):
    """Remembers by the solve's own journal: a resumed solve gets what it had paid for, counted as it was then."""

    def __init__(self, inner: Backend, journal: Journal, meter: Meter) -> None:
        super().__init__(inner, meter)
        self._journal = journal

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. What it returns is kept: a process may be killed from then on."""
        done = await super().complete(request, on_delta)
        await self._journal.flush()
        return done

    def _lookup(self, keys: Sequence[str]) -> list[Completion | None]:
        return [self._journal.replay(f"{key} {self.identity}") for key in keys]

    def _store(self, keys: Sequence[str], completions: list[Completion]) -> list[Completion]:
        for key, completion in zip(keys, completions, strict=True):
            self._journal.record(
                f"{key} {self.identity}", completion
            )  # whose it is counts as, once its node has ended
        return completions


def _gaps(found: Sequence[Completion | None]) -> list[tuple[int, int]]:
    """The runs of samples that are missing, as (first, count)."""
    missing = [index for index, completion in enumerate(found) if completion is None]
    starts = [index for index in missing if index - 1 not in missing]
    ends = [index for index in missing if index + 1 not in missing]
    return [(start, end - start + 1) for start, end in zip(starts, ends, strict=True)]
