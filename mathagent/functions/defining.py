"""``ask`` and ``define``: a model as a function with a type.

Source: "AskIt: Unified Programming Interface for Programming with Large Language Models" (arXiv 2308.15645).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from mathagent.errors import UsageError
from mathagent.functions.examples import GivenExample
from mathagent.functions.function import AsyncTypedFunction, TypedFunction
from mathagent.functions.options import Options
from mathagent.functions.signature import Signature, signature_of, signature_of_template

P = ParamSpec("P")
T = TypeVar("T")


class Definer(Protocol):
    """What ``define`` gives where it is called with settings alone: the decorator."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> AsyncTypedFunction[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> TypedFunction[P, T]: ...


@overload
def ask(kind: type[T], template: str, options: Options | None = None, /, **variables: Any) -> T: ...
@overload
def ask(kind: Any, template: str, options: Options | None = None, /, **variables: Any) -> Any: ...
def ask(kind: Any, template: str, options: Options | None = None, /, **variables: Any) -> Any:
    """A value of ``kind``, any pydantic type, from a model: ``ask(int, "What is {{a}} times {{b}}?", a=6, b=7) == 42``.

    ``variables`` are those of the template, all of them and no others. Raises UsageError where they do not fit,
    FunctionError where no reply was a value of that type, LimitReached, BackendError.
    """
    signature = _asked(kind, template, variables)
    return TypedFunction[..., Any](signature, options=options)(**variables)


@overload
async def ask_async(kind: type[T], template: str, options: Options | None = None, /, **variables: Any) -> T: ...
@overload
async def ask_async(kind: Any, template: str, options: Options | None = None, /, **variables: Any) -> Any: ...
async def ask_async(kind: Any, template: str, options: Options | None = None, /, **variables: Any) -> Any:
    """``ask`` for async code, from any event loop."""
    signature = _asked(kind, template, variables)
    return await AsyncTypedFunction[..., Any](signature, options=options)(**variables)


def _asked(kind: Any, template: str, variables: Mapping[str, Any]) -> Signature:
    signature = signature_of_template(kind, template)
    signature.template.check(tuple(variables))
    return signature


@overload
def define(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[Any, Any, T]], /
) -> AsyncTypedFunction[P, T]: ...
@overload
def define(
    kind: type[T],
    template: str,
    /,
    *,
    types: Mapping[str, Any] | None = None,
    name: str | None = None,
    examples: Sequence[GivenExample] = (),
    tests: Sequence[GivenExample] = (),
    codable: bool = False,
    options: Options | None = None,
) -> TypedFunction[..., T]: ...
@overload
def define(
    kind: Any,
    template: str,
    /,
    *,
    types: Mapping[str, Any] | None = None,
    name: str | None = None,
    examples: Sequence[GivenExample] = (),
    tests: Sequence[GivenExample] = (),
    codable: bool = False,
    options: Options | None = None,
) -> TypedFunction[..., Any]: ...
@overload
def define(function: Callable[P, T], /) -> TypedFunction[P, T]: ...
@overload
def define(
    *,
    examples: Sequence[GivenExample] = (),
    tests: Sequence[GivenExample] = (),
    codable: bool = False,
    options: Options | None = None,
) -> Definer: ...
def define(
    first: Any = None,
    template: str | None = None,
    /,
    *,
    types: Mapping[str, Any] | None = None,
    name: str | None = None,
    **settings: Any,
) -> Any:
    """Makes a typed function of a signature with a docstring (as a decorator), or of a type and a template.

    The decorated function's body is never run: its annotations are the types, its docstring says what it returns, with
    parameters as ``{{name}}``. An ``async def`` stays async. A template's variables are the parameters, in the order
    of their first appearance; ``types`` says what they are, ``name`` what the function is called.
    ``examples`` (pairs of inputs and output, or Example) are shown to the model; ``tests`` are not. ``codable``: the
    function is written once as code that passes both, and runs in the sandbox from then on.
    Raises UsageError where any of this is wrong.
    """
    if template is not None:
        return TypedFunction[..., Any](signature_of_template(first, template, types, name), **settings)
    if types is not None or name is not None:
        raise UsageError("types and name are for templates; a decorated function has both in its signature")

    def decorate(function: Callable[..., Any]) -> Any:
        if not inspect.isfunction(function):
            raise UsageError(f"{function!r} is no function; decorate one, or give a type and a template")
        made: type[Any] = AsyncTypedFunction if inspect.iscoroutinefunction(function) else TypedFunction
        return made(signature_of(function), function=function, **settings)

    return decorate if first is None else decorate(first)
