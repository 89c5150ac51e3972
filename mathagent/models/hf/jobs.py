"""What the engines are given to do: a job is a request, its samples are drawn side by side."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mathagent.errors import MathagentError
from mathagent.models.hf.constraints import Constraint
from mathagent.models.hf.replies import Ended, ReplyText
from mathagent.models.hf.sampling import Chosen, Draw
from mathagent.models.hf.settings import Adapters

_NUMBERS = itertools.count()

OnText = Callable[[int, str], None]
OnEnd = Callable[[int, "Sample"], None]


@dataclass(eq=False)
class Sample:
    """One reply in the making. ``tokens`` is the prompt and what has been drawn; ``most`` how many may be drawn.

    ``stored``: how many of the tokens have their keys and values in the engine's cache; 0 while it waits.
    ``closing``: the tokens that end the thinking section, forced once it has ``thinking_tokens`` tokens (0: as soon as
    it has begun).
    """

    index: int
    tokens: list[int]
    prompt_length: int
    most: int
    draw: Draw
    text: ReplyText
    constraint: Constraint | None = None
    thinking_tokens: int | None = None
    closing: tuple[int, ...] = ()
    chosen: list[Chosen] = field(default_factory=list)
    ended: Ended | None = None
    stored: int = 0
    number: int = field(default_factory=lambda: next(_NUMBERS))
    _forced: deque[int] = field(default_factory=deque)
    _thought: int = 0

    @property
    def drawn(self) -> int:
        """Tokens drawn so far."""
        return len(self.tokens) - self.prompt_length

    def forced(self) -> int | None:
        """The token that must come next, whatever is drawn."""
        return self._forced[0] if self._forced else None

    def take(self, chosen: Chosen, stop_ids: frozenset[int]) -> None:
        """Goes on with a token; ``ended`` says whether, and why, it was the last."""
        self.tokens.append(chosen.token)
        self.draw.spent()
        if self._forced:
            self._forced.popleft()
        if chosen.token in stop_ids:
            self.ended = "stop"
        else:
            if chosen.logprob is not None:
                self.chosen.append(chosen)
            if self.constraint is not None:
                self.constraint.take(chosen.token)
            self.text.add(chosen.token)
            if self.text.stopped or (self.constraint is not None and self.constraint.complete):
                self.ended = "stop"
            elif self.drawn >= self.most:
                self.ended = "length"
        if self.ended is not None:
            self.text.end()
        elif self.text.thinking:
            self._thought += 1
            if self.thinking_tokens is not None and self._thought == max(1, self.thinking_tokens):
                self._forced.extend(self.closing)


@dataclass(eq=False)
class Job:
    """The samples of one request, and who hears of them: the callbacks run in ``loop``, in the order of events.

    ``on_end`` gets each sample as it ends; ``finished`` is set once all have, or once the job has failed.
    """

    samples: list[Sample]
    adapters: Adapters
    loop: asyncio.AbstractEventLoop
    finished: asyncio.Future[None]
    on_end: OnEnd
    on_text: OnText | None = None
    cancelled: bool = False
    left: int = 0

    def __post_init__(self) -> None:
        self.left = len(self.samples)


class Outbox:
    """What happened in one step, handed over to each event loop in one go: a call for each token would cost more than
    the tokens."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.AbstractEventLoop, list[Callable[[], Any]]] = {}

    def progressed(self, job: Job, sample: Sample) -> None:
        """Tells of new text, and of the end where it has come."""
        job.cancelled = job.cancelled or job.loop.is_closed()
        text = sample.text.news() if job.on_text is not None else ""
        if text and job.on_text is not None:
            on_text, index = job.on_text, sample.index
            self._add(job, lambda: on_text(index, text))
        if sample.ended is not None:
            job.left -= 1
            self._add(job, lambda: job.on_end(sample.index, sample))
            if job.left == 0:
                self._add(job, lambda: _settle(job.finished, None))

    def failed(self, job: Job, error: MathagentError) -> None:
        """Tells that nothing more will come of a job."""
        job.cancelled = True
        self._add(job, lambda: _settle(job.finished, error))

    def send(self) -> None:
        """Hands over what has gathered."""
        for loop, calls in self._calls.items():
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(_run, calls)
        self._calls = {}

    def _add(self, job: Job, call: Callable[[], Any]) -> None:
        self._calls.setdefault(job.loop, []).append(lambda: _tell(job, call))


def _run(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def _tell(job: Job, call: Callable[[], Any]) -> None:
    """A listener that raises ends its own job with what it raised: the others' news are in the same list."""
    if job.finished.done():
        return
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whose it is, hears of it
        job.cancelled = True
        job.finished.set_exception(error)


def _settle(future: asyncio.Future[None], error: MathagentError | None) -> None:
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
