"""How far a run is: counts, rate, time left, running accuracy, tokens, money and failures, record by record. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from mathagent.evals.failures import failure_of
from mathagent.evals.metrics import wilson_interval
from mathagent.evals.metrics.items import is_graded
from mathagent.evals.records import Record


class Tally:
    """Counts the records of ``total`` planned attempts. Rates are of new records only, not of those that were known.

    ``dollars`` is the sum of the known prices; ``priced`` says whether there was any. ``clock`` gives seconds.
    """

    def __init__(self, label: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.label, self.total, self._clock = label, total, clock
        self.done = self.known = self.right = self.graded = self.tokens = 0
        self.dollars, self.priced = 0.0, False
        self.failures: Counter[str] = Counter()
        self._began: float | None = None
        self._last = 0.0

    def begin(self) -> None:
        """Starts the clock, which the first record does otherwise."""
        self._began = self._clock() if self._began is None else self._began

    def add(self, record: Record, known: bool) -> None:
        """Counts one record; ``known``: it stems from an earlier run."""
        self.done += 1
        self.known += known
        self.right += record.outcome == "correct"
        self.graded += is_graded(record)
        self.tokens += record.usage.completion_tokens
        if record.dollars is not None:
            self.dollars += record.dollars
            self.priced |= record.dollars > 0
        if (kind := failure_of(record)) is not None:
            self.failures[kind] += 1
        if not known:
            self._last = self._clock()
            if self._began is None:  # how long the first took is not known: it took what it says itself
                self._began = self._last - record.seconds

    @property
    def left(self) -> int:
        return max(0, self.total - self.done)

    @property
    def rate(self) -> float | None:
        """New records a second; None before the first."""
        fresh, began = self.done - self.known, self._began
        if not fresh or began is None:
            return None
        until = self._clock() if self.left else self._last
        return fresh / max(until - began, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        """How long what is left will take at this rate; None where that is not known."""
        if not self.left:
            return 0.0
        return None if self.rate is None else self.left / self.rate

    @property
    def accuracy(self) -> tuple[float, float, float] | None:
        """Share right of what is graded, and the ends of its 95% Wilson interval; None before the first grade."""
        if not self.graded:
            return None
        return (self.right / self.graded, *wilson_interval(self.right, self.graded))
