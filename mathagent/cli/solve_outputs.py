"""What ``mathagent solve`` gives out besides the view and the answer: ``--events`` and ``--trace``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mathagent.console.event_lines import EventLines
from mathagent.console.event_log import EventLog
from mathagent.console.trace_file import TraceFile
from mathagent.errors import MathagentError, UsageError
from mathagent.events import Event
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.types import Problem, Stopped


class SolveOutputs:
    """The outputs that were asked for; makes sure, before the solve, that they can be had. Raises UsageError."""

    def __init__(self, *, events: bool, pieces: bool, trace: Path | None) -> None:
        self.lines = EventLines(sys.stdout.buffer, pieces=pieces) if events or pieces else None
        self._file = None if trace is None else TraceFile(trace)
        self._log = EventLog()

    @property
    def reader_gone(self) -> bool:
        """Who read the events has closed the pipe."""
        return self.lines is not None and self.lines.gone

    def listener(
        self, view: Callable[[Event], None] | None, give_up: Callable[[], object]
    ) -> Callable[[Event], None] | None:
        """What hears the solve's events: ``view`` and the outputs; None where nothing does.

        ``give_up`` is called when nobody reads the events any more.
        """
        listeners = [] if view is None else [view]
        if self._file is not None:
            listeners.append(self._log.on_event)
        if self.lines is not None:
            self.lines.on_gone = give_up
            listeners.append(self.lines.on_event)

        def hear(event: Event) -> None:
            for listener in listeners:
                listener(event)

        return hear if listeners else None

    @contextmanager
    def tracing(self, problem: str, strategy: str | None, config: Mapping[str, Any]) -> Iterator[None]:
        """Writes the trace, where one was asked for, of the solve within the block, however that ends.

        Nothing is written after a UsageError, for then nothing was solved. ``strategy`` is the name, or the
        ``module:object`` path, by which the strategy was asked for (None: the one that the solve was begun with).
        Raises StorageError where the page cannot be written.
        """
        try:
            yield
        except UsageError:
            raise
        except (MathagentError, KeyboardInterrupt, BrokenPipeError) as error:
            if isinstance(error, MathagentError):
                self._write_trace(problem, strategy, config, stopped="error", detail=str(error))
            else:
                why = "nobody read the events any more" if self.reader_gone else "given up before the end"
                self._write_trace(problem, strategy, config, stopped="interrupted", detail=why)
            raise
        self._write_trace(problem, strategy, config, stopped="finished", detail="")

    def _write_trace(
        self, problem: str, strategy: str | None, config: Mapping[str, Any], *, stopped: Stopped, detail: str
    ) -> None:
        if self._file is None:
            return
        with _uninterrupted():
            from mathagent.console.graph_view import graph_of
            from mathagent.console.trace_page import trace_page

            solution = self._log.solution_so_far(Problem(text=problem), config, stopped=stopped, detail=detail)
            chosen = STRATEGIES.load(strategy or solution.strategy or DEFAULT_STRATEGY)
            graph = graph_of(chosen, chosen.configure(solution.config))
            self._file.write(trace_page(solution, self._log.events, graph))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Lets no Ctrl-C through for the half second that a page takes: who gave a solve up still wants its trace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
