"""Examples of a typed function: programming by example, and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import JsonValue

from mathagent.errors import UsageError
from mathagent.functions.reply_types import as_json, validated
from mathagent.functions.signature import Signature


@dataclass(frozen=True)
class Example:
    """What the function returns for ``inputs`` (its arguments by name): ``output``; ``reasoning`` says how."""

    inputs: Mapping[str, Any]
    output: Any
    reasoning: str = ""


GivenExample: TypeAlias = Example | tuple[Mapping[str, Any], Any]
"""An Example, or a pair of inputs and output."""


@dataclass(frozen=True)
class CheckedExample:
    """An example that fits its function: inputs and output as JSON, and the output as a value of its type."""

    inputs: Mapping[str, JsonValue]
    output: JsonValue
    value: Any
    reasoning: str = ""


def checked_examples(signature: Signature, given: Sequence[GivenExample], what: str) -> tuple[CheckedExample, ...]:
    """``given`` as they fit ``signature``. Raises UsageError, which says which one of ``what`` is wrong."""
    return tuple(_checked(signature, one, f"{what} {number}") for number, one in enumerate(given, 1))


def _checked(signature: Signature, given: GivenExample, what: str) -> CheckedExample:
    one = given if isinstance(given, Example) else _of_pair(given, what)
    try:
        inputs = signature.bind((), dict(one.inputs))
    except (UsageError, TypeError) as error:
        raise UsageError(f"{what} of {signature.name} does not fit: {error}") from error
    value = validated(signature.returned, one.output, f"the output of {what} of {signature.name}")
    output = as_json(signature.returned, value, f"the output of {what} of {signature.name}")
    return CheckedExample(signature.as_json(inputs), output, value, one.reasoning)


def _of_pair(given: Any, what: str) -> Example:
    match given:
        case (Mapping() as inputs, output):
            return Example(inputs, output)
        case _:
            raise UsageError(f"{what} is no example; give Example({{'x': 5}}, 25), or the pair ({{'x': 5}}, 25)")
