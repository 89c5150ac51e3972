"""The thread that runs a model: takes jobs from event loops, and hands over what comes of them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import torch

from mathagent.errors import BackendError, MathagentError
from mathagent.models.hf.contrast import SelfContrast
from mathagent.models.hf.jobs import Job, Outbox, Sample
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.machine import is_out_of_memory, release_memory
from mathagent.models.hf.steering import Steering


class Engine(ABC):
    """One model on one thread. ``submit``, ``cancel`` and ``close`` may be called from any thread.

    Subclasses do the work in ``_step``: they take samples from ``_waiting`` and tell ``_outbox`` what came of them.
    Whatever a step raises ends the jobs that it was about, by ``_fail``; the next jobs are served all the same.
    """

    kind = ""

    def __init__(
        self, loaded: Loaded, steering: Steering | None = None, contrast: SelfContrast | None = None
    ) -> None:
        self.loaded, self.steering, self.contrast = loaded, steering, contrast
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._waiting: deque[tuple[Job, Sample]] = deque()
        self._outbox = Outbox()
        self._thread = threading.Thread(target=self._run, name=f"mathagent-{self.kind}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Takes a job in. Raises BackendError where the engine has ended."""
        with self._wake:
            if self._closing:
                raise self._closed()
            self._jobs.append(job)
            self._wake.notify()

    def cancel(self, job: Job) -> None:
        """Nobody wants ``job`` any more: its rows are free after the step that runs now."""
        job.cancelled = True
        with self._wake:
            self._wake.notify()

    def close(self) -> None:
        """Ends the thread after its step, and frees the model; jobs that are left fail. Blocks; safe to call twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def facts(self) -> dict[str, Any]:
        """How it runs, and what it has done, for people and records."""
        found = {"engine": self.kind, "loaded": self.loaded.summary, "context": self.loaded.context}
        if self.steering is not None:
            found["steered"] = True
        if self.contrast is not None:
            found["contrasted with rank"] = self.contrast.rank
        return found

    @property
    @abstractmethod
    def longest(self) -> int:
        """Tokens of prompt and reply that one sample may have, by the memory there is."""

    @property
    @abstractmethod
    def _running(self) -> list[tuple[Job, Sample]]:
        """What is being drawn now."""

    @abstractmethod
    def _step(self) -> None:
        """A short piece of work: it is only between two of them that jobs come in and go. May raise anything."""

    @abstractmethod
    def _drop(self) -> None:
        """Forgets what is being drawn."""

    def _run(self) -> None:
        with torch.inference_mode():
            while self._collect():
                try:
                    self._step()
                except Exception as error:  # noqa: BLE001 - a model's code may raise anything; nobody else hears of it
                    self._fail(error)
                self._outbox.send()
        self._fail(self._closed(), and_waiting=True)
        self._outbox.send()
        for changed in (self.steering, self.contrast):
            if changed is not None:
                changed.remove()
        release_memory()

    def _collect(self) -> bool:
        """Waits until there is work; False once the engine is to end."""
        with self._wake:
            while not (self._closing or self._jobs or self._waiting or self._running):
                self._wake.wait()
            jobs, self._jobs = list(self._jobs), deque()
            closing = self._closing
        self._waiting.extend((job, sample) for job in jobs for sample in job.samples)
        return not closing

    def _fail(self, error: Exception, *, and_waiting: bool = False) -> None:
        """Ends what is being drawn (and all that waits) with an error that says what happened."""
        named = error if isinstance(error, MathagentError) else self._named(error)
        concerned = [*self._running, *(self._waiting if and_waiting else ())]
        if not concerned and self._waiting:
            concerned = [self._waiting.popleft()]  # it is what the step was about: else it would fail for ever
        self._drop()
        for job in {id(job): job for job, _ in concerned}.values():
            self._outbox.failed(job, named)

    def _closed(self) -> BackendError:
        return BackendError(f"{self.loaded.name} was closed while it was asked")

    def _named(self, error: Exception) -> BackendError:
        if is_out_of_memory(error):
            release_memory()
            advice = "ask for fewer tokens (max_tokens, context), or add quantize=4bit"
            # Without its cause, whose frames hold what has filled the memory.
            return BackendError(f"{self.loaded.name}: memory ran out; {advice}")
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        failure = BackendError(f"{self.loaded.name}: the model failed: {reason}")
        failure.__cause__ = error
        return failure
