"""ConfinedCalls: runs pure functions of ours that may hang or be misled (SymPy on untrusted text) in the sandbox.

As CallPool, but each call runs in a clone of its own of a zygote that has our answer code loaded: what untrusted text
does to the process, should it get that far, ends with the call and has the walls of every program around it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

from pydantic import JsonValue

from mathagent.errors import SandboxError, WorkerError
from mathagent.sandbox.base import Limits
from mathagent.sandbox.call_worker import MAX_FRAME
from mathagent.sandbox.calls import FUNCTION_NAME, MEMORY_MB, WARM_UP, CallPool
from mathagent.sandbox.process import ProcessSandbox
from mathagent.types import Execution

_PROGRAM = """\
import importlib, json
module, _, name = {function!r}.partition(":")
function = getattr(importlib.import_module(module), name)
assert function.__module__ == module, f"{{name}} is not a function of {{module}}"
json.dumps(function(*json.loads({arguments!r})))
"""


class ConfinedCalls:
    """Runs named functions of this package on JSON arguments, each in a process of its own; for one event loop.

    Where this machine cannot confine, the worker processes of CallPool do it: killable, but not walled in.
    """

    def __init__(self) -> None:
        self._sandbox = ProcessSandbox(preload=(WARM_UP,))
        self._pool: CallPool | None = None if sys.platform == "linux" else CallPool()
        self._starting: asyncio.Task[None] | None = None

    async def call(self, function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
        """The result of ``function`` ("module:function"); see ``CallPool.call`` for what it raises."""
        if self._pool is not None:
            return await self._pool.call(function, *args, timeout_s=timeout_s)
        if not FUNCTION_NAME.match(function):
            raise WorkerError(f"'{function}' is not a public function of mathagent; name it module:function")
        arguments = json.dumps(args, allow_nan=False)
        if len(arguments) > MAX_FRAME:
            raise WorkerError(f"the arguments take {len(arguments)} bytes; at most {MAX_FRAME} fit a call")
        if not await self._confines():
            return await self.call(function, *args, timeout_s=timeout_s)
        limits = Limits(timeout_s=timeout_s, cpu_s=timeout_s, memory_mb=MEMORY_MB, output_bytes=MAX_FRAME)
        program = _PROGRAM.format(function=function, arguments=arguments)
        try:
            execution = await self._sandbox.run(program, limits)
        except SandboxError as error:
            raise WorkerError(f"{function} could not run: {error}") from error
        return _result(function, execution, timeout_s)

    async def _confines(self) -> bool:
        """Whether this machine confines calls, found out once; where it does not, the pool is there afterwards."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._sandbox.start())
        try:
            await asyncio.shield(self._starting)
        except SandboxError:
            self._pool = self._pool or CallPool()
        return self._pool is None

    async def aclose(self) -> None:
        """Ends every process; safe to call twice."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        await self._sandbox.aclose()
        if self._pool is not None:
            await self._pool.aclose()


def _result(function: str, execution: Execution, timeout_s: float) -> JsonValue:
    if execution.status == "timeout":
        raise WorkerError(f"{function} ran past {timeout_s:g} s", timed_out=True)
    if execution.status == "memory":
        raise WorkerError(f"{function} failed: out of memory")
    if not execution.ok or execution.value is None:
        raise WorkerError(f"{function} failed: {execution.error or 'no result'}")
    try:
        return cast("JsonValue", json.loads(execution.value))
    except ValueError as error:
        raise WorkerError(f"{function} failed: its result is no JSON") from error
