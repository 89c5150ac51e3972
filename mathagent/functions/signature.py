"""What a typed function takes and returns: read from a function's annotations, or from a template and a type."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import JsonValue, TypeAdapter

from mathagent.errors import UsageError
from mathagent.functions.reply_types import adapter_of, as_json, reply_type, validated
from mathagent.functions.template import Template, parse_template
from mathagent.types import Value

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Signature:
    """``parameters`` maps each name to its type (Any: whatever JSON can hold), ``returns`` is the type of the value.

    ``call`` is the Python signature, which binds arguments.
    """

    name: str
    template: Template
    parameters: Mapping[str, Any]
    returns: Any
    call: inspect.Signature

    @cached_property
    def adapters(self) -> dict[str, TypeAdapter[Any]]:
        """What validates each argument."""
        return {name: adapter_of(kind, f"parameter {name}") for name, kind in self.parameters.items()}

    @cached_property
    def returned(self) -> TypeAdapter[Any]:
        """What validates the value."""
        return adapter_of(self.returns, "the answer")

    @cached_property
    def reply(self) -> type[Value]:
        """What a model fills in."""
        return reply_type(self.returns)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, validated, defaults included. Raises TypeError as any call does where their number or
        names are wrong, UsageError for wrong values."""
        try:
            bound = self.call.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from error
        bound.apply_defaults()
        return {
            name: validated(self.adapters[name], value, f"argument {name} of {self.name}")
            for name, value in bound.arguments.items()
        }

    def as_json(self, values: Mapping[str, Any]) -> dict[str, JsonValue]:
        """Bound arguments as JSON has them. Raises UsageError for what it cannot hold."""
        return {
            name: as_json(self.adapters[name], value, f"argument {name} of {self.name}")
            for name, value in values.items()
        }


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of a decorated function: its docstring is the template, its annotations are the types.

    A docstring without any variable is about all parameters. Raises UsageError where one is missing, or they do not fit
    each other.
    """
    name = function.__name__
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise UsageError(
            f"the types of {name} cannot be read: {error}; they must be known at module level"
        ) from error
    call = inspect.signature(function)
    for parameter in call.parameters.values():
        if parameter.kind not in _NAMED:
            raise UsageError(f"{name}: parameter {parameter.name} must be one that has a name to call it by")
        if parameter.name not in hints:
            raise UsageError(f"{name}: parameter {parameter.name} needs a type")
    if "return" not in hints:
        raise UsageError(f"{name} needs a return type: def {name}(…) -> int")
    template = parse_template(inspect.getdoc(function) or "") if function.__doc__ else None
    if template is None:
        raise UsageError(
            f"{name} needs a docstring that says what it returns, with its parameters as {{{{name}}}}"
        )
    if template.names:
        template.check(tuple(call.parameters), what=f"docstring of {name}")
    return _usable(Signature(name, template, {one: hints[one] for one in call.parameters}, hints["return"], call))


def signature_of_template(
    returns: Any, text: str, types: Mapping[str, Any] | None = None, name: str | None = None
) -> Signature:
    """The signature of a template that gives a value of ``returns``: its parameters are the variables, in the order of
    their first appearance. ``types`` says what some of them are. Raises UsageError."""
    template = parse_template(text)
    given = dict(types or {})
    surplus = sorted(given.keys() - set(template.names))
    if surplus:
        raise UsageError(f"types are given for {', '.join(surplus)}, which the template does not have")
    parameters = [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in template.names]
    kinds = {one: given.get(one, Any) for one in template.names}
    chosen = name or _name_from(template.plain)
    if not chosen.isidentifier() or keyword.iskeyword(chosen):
        raise UsageError(f"'{chosen}' cannot be a function's name; give a Python identifier")
    return _usable(Signature(chosen, template, kinds, returns, inspect.Signature(parameters)))


def _name_from(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())[:6]
    name = "_".join(words)[:40].rstrip("_") or "function"
    return f"f_{name}" if name[0].isdecimal() or keyword.iskeyword(name) else name


def _usable(signature: Signature) -> Signature:
    """``signature``, whose types have all been looked at. Raises UsageError."""
    assert signature.adapters is not None
    assert signature.returned is not None
    assert signature.reply is not None
    return signature
