"""What typed functions work with: a sandbox and a model, on the event loop where these live.

Without a Solver of one's own, all functions of a process share one for each model, opened when first needed and kept
until the process ends.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mathagent import _sync
from mathagent.agents.context import RunContext
from mathagent.budget import Budget, Meter
from mathagent.config import settings
from mathagent.functions.options import Options
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver

T = TypeVar("T")


class Workshop:
    """A sandbox, and a Solver that is not opened before a model is needed: written code runs without."""

    def __init__(self, model: str | None = None, solver: Solver | None = None) -> None:
        self._model, self._solver = model, solver
        self.sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)() if solver is None else solver.sandbox

    def context(self, budget: Budget | None) -> RunContext:
        """What one call may use. Raises UsageError where there is no such model."""
        if self._solver is None:
            self._solver = Solver(self._model, sandbox=self.sandbox)
            self._solver.home.settle(asyncio.get_running_loop())
        return self._solver.beside.context(Meter(budget))

    async def aclose(self) -> None:
        """Ends processes and closes connections: the sandbox, too, where closing the solver fails."""
        try:
            if self._solver is not None:
                await self._solver.aclose()
        finally:
            await self.sandbox.aclose()


Work = Callable[[Workshop], Coroutine[Any, Any, T]]

# By loop: after a fork there is a new one, and what the parent opened is not the child's.
_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Workshop]] = WeakKeyDictionary()


def run(options: Options, work: Work[T]) -> T:
    """Does ``work`` in the workshop of ``options``, for synchronous code; any thread but that of its loop."""
    if options.solver is not None:
        return options.solver.home.run(work(Workshop(solver=options.solver)))
    return _sync.run(_in_shared(options.model, work))


async def call(options: Options, work: Work[T]) -> T:
    """Does ``work`` in the workshop of ``options``, from any event loop."""
    if options.solver is not None:
        return await options.solver.home.call(work(Workshop(solver=options.solver)))
    return await _sync.run_on(_sync.shared_loop(), _in_shared(options.model, work))


async def _in_shared(model: str | None, work: Work[T]) -> T:
    mine = _SHARED.setdefault(asyncio.get_running_loop(), {})
    key = (model or settings().model, str(settings().home_dir))
    if key not in mine:
        mine[key] = Workshop(model)
    return await work(mine[key])


def close_shared() -> None:
    """Closes what the functions of this process have opened; what is called later opens anew."""
    for loop, workshops in list(_SHARED.items()):
        if loop.is_running() and loop is _sync.shared_loop():
            with ExitStack() as closing:  # all of them, whatever one of them raises
                for workshop in workshops.values():
                    closing.callback(_close, workshop)
                workshops.clear()


def _close(workshop: Workshop) -> None:
    _sync.run(workshop.aclose())


def _close_at_exit() -> None:
    # At ``atexit`` it is too late: threads can no longer be started then, which closing needs. What ``threading`` calls
    # comes before, the latest registration first: so behind that of concurrent.futures, which ends all thread pools.
    importlib.import_module("concurrent.futures.thread")
    getattr(threading, "_register_atexit", atexit.register)(close_shared)


_close_at_exit()
