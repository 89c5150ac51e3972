"""What a tool is: an async function with typed parameters, described to a model by its signature and docstring."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, create_model

from mathagent.models.base import ToolSpec
from mathagent.types import Execution, Value

MAX_PROBLEMS = 5
"""Problems with the arguments that one error text lists."""


class ToolResult(Value):
    """What a call gave: ``text`` for the model, ``ok`` False if the call failed, ``execution`` if a program ran."""

    text: str
    ok: bool = True
    execution: Execution | None = None


class Tool:
    """An async function as a tool.

    ``parameters`` (a JSON schema) come from the function's signature, where ``Annotated[…, Field(description=…)]``
    says what an argument means; ``description`` is its docstring. Raises TypeError where the signature leaves a
    parameter without a type or has * or ** parameters.
    """

    def __init__(self, function: Callable[..., Awaitable[ToolResult]], name: str | None = None) -> None:
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.description = inspect.getdoc(function) or ""
        self._arguments = _arguments_model(self.name, function)
        self.parameters: dict[str, JsonValue] = self._arguments.model_json_schema()

    def spec(self) -> ToolSpec:
        """The tool as it is sent to a model."""
        return ToolSpec(name=self.name, description=self.description, parameters=self.parameters)

    async def call(self, arguments: str | Mapping[str, JsonValue]) -> ToolResult:
        """Calls the tool with ``arguments`` as a model wrote them: JSON text, or an object.

        Arguments that do not fit are a result that says so to the model, never an exception. Failures of the
        tool's own means (SandboxError, …) do raise.
        """
        try:
            # strict=False: models write line breaks into JSON strings
            given = json.loads(arguments, strict=False) if isinstance(arguments, str) else dict(arguments)
        except (ValueError, RecursionError) as error:
            return self._refusal(f"not valid JSON: {error}")
        if not isinstance(given, dict):
            return self._refusal("not a JSON object with the parameters as keys")
        try:
            checked = self._arguments.model_validate(given)
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            return self._refusal("; ".join(problems[:MAX_PROBLEMS]))
        return await self.function(**{name: getattr(checked, name) for name in type(checked).model_fields})

    def _refusal(self, problem: str) -> ToolResult:
        known = ", ".join(self._arguments.model_fields) or "none"
        return ToolResult(text=f"Bad arguments for {self.name}: {problem} (parameters: {known})", ok=False)


def _arguments_model(name: str, function: Callable[..., Awaitable[ToolResult]]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"tool {name}: parameter {parameter.name} must be one that has a name to call it by")
        if parameter.name not in hints:
            raise TypeError(f"tool {name}: parameter {parameter.name} needs a type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
