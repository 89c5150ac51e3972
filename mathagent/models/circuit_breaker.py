"""CircuitBreaker: an endpoint that fails is left alone for a while, then tried with one request. Pure.

The three states of the pattern (Nygard, "Release It!", 2007): closed, open, half open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Admission:
    """The leave to send a request. Who tells how it ended tells which one it was: only the probe's own end ends it."""


class CircuitBreaker:
    """``most_failures`` in a row open it for ``pause_s``; each failed probe doubles that, up to ``longest_s``.

    Whoever gets an Admission must tell how the request ended: ``succeeded``, ``failed`` or ``left`` (neither).
    """

    def __init__(
        self,
        *,
        most_failures: int = 3,
        pause_s: float = 5.0,
        longest_s: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_failures, self._first_pause_s, self._longest_s = most_failures, pause_s, longest_s
        self._clock = clock
        self._pause_s = pause_s
        self._failures = 0
        self._open_until: float | None = None
        self._probe: Admission | None = None

    @property
    def state(self) -> State:
        """Half open: the pause is over, and one request at a time may find out."""
        if self._open_until is None:
            return "closed"
        return "half-open" if self._clock() >= self._open_until else "open"

    @property
    def ready(self) -> bool:
        """Whether ``admit`` would let a request through."""
        return self.state == "closed" or (self.state == "half-open" and self._probe is None)

    def admit(self) -> Admission | None:
        """The leave to send a request now, None where it must not be; in the half-open state it is the probe."""
        if not self.ready:
            return None
        admission = Admission()
        if self.state == "half-open":
            self._probe = admission
        return admission

    def wait_s(self) -> float:
        """Seconds until it can be tried again; 0 where it can be now, or is being tried."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def succeeded(self) -> None:
        """A request came back whole: closed."""
        self._failures, self._open_until, self._probe = 0, None, None
        self._pause_s = self._first_pause_s

    def failed(self, admission: Admission, *, fatal: bool = False) -> None:
        """A request failed by the endpoint's fault; ``fatal``: every other would fail alike, it opens at once."""
        self._failures += 1
        if self._open_until is not None:
            if admission is not self._probe:  # one that was sent before it opened
                return
            self._pause_s = min(self._longest_s, 2 * self._pause_s)
        elif self._failures < self._most_failures and not fatal:
            return
        self._probe = None
        self._open_until = self._clock() + self._pause_s

    def left(self, admission: Admission) -> None:
        """The request ended without telling anything of the endpoint: it was cancelled, or it was wrong."""
        if admission is self._probe:
            self._probe = None
