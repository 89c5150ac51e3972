"""Typed functions: called like any function, answered by a model or by code that a model wrote once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

from mathagent.config import settings
from mathagent.errors import FunctionError, UsageError
from mathagent.functions import workshop
from mathagent.functions.answering import Called, answer
from mathagent.functions.coding import Written, write_code
from mathagent.functions.examples import GivenExample, checked_examples
from mathagent.functions.options import DEFAULTS, NO_FALLBACK, Options
from mathagent.functions.plain_types import stub
from mathagent.functions.running import run_code
from mathagent.functions.signature import Signature
from mathagent.functions.store import FunctionStore
from mathagent.functions.workshop import Workshop
from mathagent.sandbox.base import Limits
from mathagent.types import Usage

P = ParamSpec("P")
T = TypeVar("T")


class BaseFunction(Generic[P, T]):
    """What synchronous and async typed functions have in common.

    ``examples`` are shown to the model, ``tests`` never are: code must pass both. ``codable``: the first call, or
    ``compile``, has the function written as code, which is stored and runs from then on, without a model.
    Raises UsageError where they do not fit the signature, or nothing could test the code.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        examples: Sequence[GivenExample] = (),
        tests: Sequence[GivenExample] = (),
        codable: bool = False,
        options: Options | None = None,
        function: Callable[..., Any] | None = None,
    ) -> None:
        self.signature = signature
        self.examples = checked_examples(signature, examples, "example")
        self.tests = checked_examples(signature, tests, "test")
        self.codable = codable
        self.options = options or DEFAULTS
        self._written: dict[str, Written] = {}
        if codable and not (examples or tests):
            raise UsageError(
                f"{signature.name} is codable, so it needs an example or a test that its code must pass"
            )
        if function is not None:
            update_wrapper(cast("Any", self), function)
        else:
            self.__name__ = self.__qualname__ = signature.name
            self.__doc__ = signature.template.text
            self.__signature__ = signature.call

    @cached_property
    def key(self) -> str:
        """What stored code is for (hex): signature, docstring or template, examples and tests; never the model."""
        shown = [[dict(one.inputs), one.output] for one in self.examples]
        hidden = [[dict(one.inputs), one.output] for one in self.tests]
        told = json.dumps([stub(self.signature), shown, hidden], sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    def __repr__(self) -> str:
        return f"<typed function {self.signature.name}{self.signature.call}>"

    def _work(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> workshop.Work[Called[T]]:
        """A call, its arguments bound here and now. Raises TypeError and UsageError as ``Signature.bind`` does."""
        values = self.signature.bind(args, kwargs)

        async def called(place: Workshop) -> Called[T]:
            try:
                if self.codable:
                    return await self._by_code(place, values)
                context = place.context(self.options.budget)
                return await answer(context, self.signature, values, self.examples, self.options)
            except FunctionError as error:
                if self.options.fallback is NO_FALLBACK:
                    raise
                return Called(cast("T", self.options.fallback), problems=error.problems, fell_back=True)

        return called

    async def _by_code(self, place: Workshop, values: Mapping[str, Any]) -> Called[T]:
        written, usage = await self._code(place)
        inputs = self.signature.as_json(values)
        ran = await run_code(place.sandbox, self.signature, written.code, inputs, self._limits)
        if ran.stage != "returned":
            last_line = ran.problem.strip().rpartition("\n")[2]  # of a traceback: what it was
            raise FunctionError(f"the code of {self.signature.name} gives no value: {last_line}", (ran.problem,))
        return Called(cast("T", ran.value), by_code=True, usage=usage)

    @property
    def _limits(self) -> Limits:
        return Limits(timeout_s=self.options.timeout_s, cpu_s=self.options.timeout_s)

    async def _code(self, place: Workshop, *, anew: bool = False) -> tuple[Written, Usage]:
        """The code, as this process knows it, as it is stored, or written now, by one process at a time; and what that
        took."""
        store, name, key = FunctionStore(settings().functions_dir), self.signature.name, self.key
        known, usage = str(store.path(name, key)), Usage()
        if anew:
            self._written.pop(known, None)
        elif known not in self._written:
            stored = store.read(name, key)
            if stored is not None:
                self._written[known] = stored
        if known not in self._written:
            async with store.locked(name, key):
                stored = None if anew else store.read(name, key)  # another may have written it meanwhile
                if stored is None:
                    context = place.context(self.options.budget)
                    stored = await write_code(context, self.signature, self.examples, self.tests, self.options)
                    store.write(name, key, stored)
                    usage = context.meter.usage
            self._written[known] = stored
        return self._written[known], usage


class TypedFunction(BaseFunction[P, T]):
    """A typed function for synchronous code. Works in Jupyter and in any thread."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The value. Raises FunctionError, LimitReached, UsageError, BackendError, SandboxError, StorageError."""
        return self.call(*args, **kwargs).value

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Called[T]:
        """The value and how it came about; raises as the call does."""
        return workshop.run(self.options, self._work(args, kwargs))

    def compile(self, *, anew: bool = False) -> Written:
        """The code of a codable function, written now where there is none, or where it is wanted ``anew``."""
        return workshop.run(self.options, _compiling(self, anew))


class AsyncTypedFunction(BaseFunction[P, T]):
    """A typed function that is awaited, from any event loop."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The value. Raises FunctionError, LimitReached, UsageError, BackendError, SandboxError, StorageError."""
        return (await self.call(*args, **kwargs)).value

    async def call(self, *args: P.args, **kwargs: P.kwargs) -> Called[T]:
        """The value and how it came about; raises as the call does."""
        return await workshop.call(self.options, self._work(args, kwargs))

    async def compile(self, *, anew: bool = False) -> Written:
        """The code of a codable function, written now where there is none, or where it is wanted ``anew``."""
        return await workshop.call(self.options, _compiling(self, anew))


def _compiling(function: BaseFunction[P, T], anew: bool) -> workshop.Work[Written]:
    if not function.codable:
        raise UsageError(f"{function.signature.name} is not codable; define it with codable=True")

    async def work(place: Workshop) -> Written:
        written, _ = await function._code(place, anew=anew)
        return written

    return work
