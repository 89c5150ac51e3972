"""The bridge from synchronous callers, and from other event loops, to our async code.

Nothing is written twice: a synchronous form is made of the async one by ``twin`` or ``iterating_twin``.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

CLEANUP_S = 10.0
"""How long an interrupted call waits for its coroutine to close what it opened."""

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def shared_loop() -> asyncio.AbstractEventLoop:
    """Our own loop, which runs in a daemon thread."""
    global _loop, _thread
    with _lock:
        # A fork leaves the loop behind without its thread.
        if _loop is None or _thread is None or not _thread.is_alive():
            _loop, running = asyncio.new_event_loop(), threading.Event()
            _loop.call_soon(running.set)
            _thread = threading.Thread(target=_loop.run_forever, name="mathagent-loop", daemon=True)
            _thread.start()
            running.wait()  # who is given a loop that does not run yet takes it for one that stands still
        return _loop


def run(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None) -> T:
    """Runs ``coroutine`` on ``loop`` (None: the shared one) and returns its result.

    Works in Jupyter and in any thread but the loop's own, where it raises RuntimeError. An exception here (Ctrl-C
    included) cancels the coroutine and waits for its cleanup, at most ``CLEANUP_S`` seconds.
    """
    loop = loop or shared_loop()
    if _running_here() is loop:
        coroutine.close()
        raise RuntimeError(
            "the work of this call is done by the event loop of this very thread (mathagent's own event loop, or the"
            " one that the solver was first used on); await the async function instead of its sync form"
        )
    ended = threading.Event()
    handed = _HandedOver(coroutine, loop, ended.set)
    try:
        ended.wait()
    except BaseException:
        handed.cancel()
        ended.wait(CLEANUP_S)
        raise
    return handed.task.result()


async def run_on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Awaits ``coroutine``, which runs on ``loop``: the present one, or another that is running in its thread.

    A cancellation here cancels it there, and waits for its cleanup as ``run`` does.
    """
    here = asyncio.get_running_loop()
    if loop is here:
        return await coroutine
    ended = here.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    handed = _HandedOver(coroutine, loop, lambda: _call_in(here, end))
    try:
        await asyncio.shield(ended)
    except BaseException:
        handed.cancel()
        await asyncio.wait({ended}, timeout=CLEANUP_S)
        raise
    return handed.task.result()


class _HandedOver(Generic[T]):
    """A coroutine as a task of another thread's loop, in the caller's context; ``on_end`` is called over there."""

    task: asyncio.Task[T]

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]
    ) -> None:
        self._loop = loop

        def begin() -> None:
            if loop is _loop:
                _let_it_block()
            self.task = loop.create_task(coroutine)
            self.task.add_done_callback(lambda _: on_end())

        loop.call_soon_threadsafe(begin)

    def cancel(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self.task.cancel())  # after begin, which was scheduled before


def iterate(source: AsyncIterator[T], loop: asyncio.AbstractEventLoop | None = None) -> Iterator[T]:
    """Yields what ``source`` yields, one item at a time, from ``loop`` (None: the shared one); closes it when the
    caller stops."""

    async def step() -> tuple[bool, T | None]:
        try:
            return True, await anext(source)
        except StopAsyncIteration:
            return False, None

    try:
        while True:
            more, item = run(step(), loop)
            if not more:
                return
            yield item  # type: ignore[misc]
    finally:
        if isinstance(source, AsyncGenerator):
            run(source.aclose(), loop)


class HomeLoop:
    """The event loop that an object's connections and processes live on: the one it is first used from.

    In IPython, Jupyter included, it is the shared one: a cell that waits for a synchronous form holds its loop up.

    Work that is asked for elsewhere, by other threads, other loops or synchronous code, is done there. Methods raise
    RuntimeError where that loop has ended or stands still.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settling = threading.Lock()

    @property
    def has_ended(self) -> bool:
        """Whether that loop is closed: what lived on it is gone."""
        return self._loop is not None and self._loop.is_closed()

    def settle(self, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.AbstractEventLoop:
        """The loop, which from now on is ``loop`` (None: the shared one) where there was none yet."""
        with self._settling:
            if self._loop is None:
                self._loop = shared_loop() if loop is None or _in_ipython() else loop
        if self._loop.is_closed():
            raise RuntimeError(
                "the event loop that this was first used on has ended, and its connections and processes with it;"
                " open one in each asyncio.run, or use the synchronous methods"
            )
        if not self._loop.is_running():
            raise RuntimeError(
                "the event loop that this was first used on stands still; use it from there, or open another one"
            )
        return self._loop

    async def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Awaits ``coroutine`` at home."""
        return await run_on(self._settled_for(coroutine, asyncio.get_running_loop()), coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs ``coroutine`` at home, for synchronous code; see ``run``."""
        return run(coroutine, self._settled_for(coroutine, None))

    def _settled_for(
        self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None
    ) -> asyncio.AbstractEventLoop:
        try:
            return self.settle(loop)
        except RuntimeError:
            coroutine.close()
            raise


class Housed(Protocol):
    """What has synchronous twins of its methods."""

    @property
    def home(self) -> HomeLoop:
        """Where its work is done."""
        ...


S = TypeVar("S", bound=Housed)


def at_home(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """``method``, done on the event loop that its object lives on, whichever it is called from."""

    @wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.home.call(method(self, *args, **kwargs))

    return call


def twin(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """``method`` for synchronous code: same parameters, from any thread."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.home.run(method(self, *args, **kwargs))

    return call


def iterating_twin(
    method: Callable[Concatenate[S, P], AsyncIterator[T]],
) -> Callable[Concatenate[S, P], Iterator[T]]:
    """``method``, an async generator, for synchronous code: same parameters, from any thread."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return iterate(method(self, *args, **kwargs), self.home.settle())

    return call


def _let_it_block() -> None:
    """Tells BlockBuster, which ``langgraph dev`` loads, that the loop of this thread serves nobody but us.

    It raises an error where a file is read on a thread that runs a loop, since a server would stand still meanwhile; it
    cannot tell that ours is no server's. Where this does not reach it, ``langgraph dev --allow-blocking`` does.
    """
    skip = getattr(sys.modules.get("blockbuster.blockbuster"), "_skip", None)
    if skip is not None:
        skip.value = True  # of this thread


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _running_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _call_in(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Has ``loop`` make the call; where it has ended meanwhile, nobody is left to hear it."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        if not loop.is_closed():
            raise
