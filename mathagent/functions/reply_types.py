"""Any pydantic type as the type of a reply: how values of it are validated, and the object that a model fills in."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, cast

from pydantic import Field, JsonValue, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError

from mathagent.agents.reply_schema import wire_schema
from mathagent.errors import UsageError
from mathagent.types import Value

ANSWER = "answer"
MAX_PROBLEMS = 5
_NO_TYPE = (PydanticUserError, PydanticUndefinedAnnotation, TypeError, NameError)


def adapter_of(kind: Any, what: str) -> TypeAdapter[Any]:
    """Validates and writes values of ``kind``. Raises UsageError where that is no type of JSON values."""
    try:
        return cast("TypeAdapter[Any]", _once(_adapter, kind))
    except _NO_TYPE as error:
        raise _unusable(kind, what, error) from error


def reply_type(kind: Any) -> type[Value]:
    """What a model fills in: an object with an ``answer`` of ``kind``. Raises UsageError as ``adapter_of`` does."""
    try:
        return cast("type[Value]", _once(_reply_type, kind))
    except _NO_TYPE as error:
        raise _unusable(kind, "the answer", error) from error


def type_name(kind: Any) -> str:
    """How a person writes ``kind``."""
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)


def validated(adapter: TypeAdapter[Any], value: Any, what: str) -> Any:
    """``value`` as one of the adapter's type. Raises UsageError, which says of ``what`` it is wrong."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{what} is wrong: {problems_of(error)}") from error


def as_json(adapter: TypeAdapter[Any], value: Any, what: str) -> JsonValue:
    """``value`` as JSON has it. Raises UsageError where it cannot be written so."""
    try:
        return cast("JsonValue", adapter.dump_python(value, mode="json", warnings="error"))
    except (PydanticSerializationError, ValueError) as error:
        raise UsageError(f"{what} cannot be written as JSON: {str(error).splitlines()[0]}") from error


def problems_of(error: ValidationError) -> str:
    """What is wrong, in one line."""
    problems = [
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else one["msg"]
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(problems[:MAX_PROBLEMS])


def _once(make: Any, kind: Any) -> Any:
    """What ``make`` makes of ``kind``, made once where types can be told apart."""
    try:
        hash(kind)
    except TypeError:
        return make.__wrapped__(kind)
    return make(kind)


@lru_cache(maxsize=512)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    adapter.json_schema(mode="serialization")  # says now what cannot be written as JSON
    return adapter


@lru_cache(maxsize=512)
def _reply_type(kind: Any) -> type[Value]:
    alone = Annotated[kind, Field(description="the answer alone, with no other text")] if kind is str else kind
    model: type[Value] = create_model("Reply", __base__=Value, **cast("Any", {ANSWER: (alone, ...)}))
    wire_schema(model)  # says now what no model could be told
    return model


def _unusable(kind: Any, what: str, error: Exception) -> UsageError:
    said = str(error).splitlines()[0]
    return UsageError(
        f"{type_name(kind)} cannot be the type of {what}: {said}; give one that pydantic has a schema for"
    )
