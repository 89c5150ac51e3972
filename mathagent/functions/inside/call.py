"""Inside the sandbox: calls the written function with its arguments and reports what came of it, as files of JSON."""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False  # type checkers know the name; importing typing costs milliseconds of each call
if TYPE_CHECKING:
    from typing import Any

MAX_PROBLEM = 2_000


def main(name: str) -> None:
    """Calls function ``name`` of the module ``written`` with the arguments in arguments.json; writes result.json."""
    sys.set_int_max_str_digits(0)
    with open("arguments.json", encoding="utf-8") as file:  # noqa: PTH123
        arguments = json.load(file)
    text = json.dumps(_report(name, arguments))
    with open("result.json", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


def _report(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        import written  # type: ignore[import-not-found]
    except BaseException as error:  # noqa: BLE001 - whatever the module raises is its outcome
        return {"stage": "load", "problem": _told(error), "error": type(error).__name__}
    function = getattr(written, name, None)
    if not callable(function):
        return {"stage": "function", "problem": f"the code defines no function {name}"}
    try:
        value = json.loads(json.dumps(function(**arguments), default=_plain))
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is its outcome
        return {"stage": "call", "problem": _told(error), "error": type(error).__name__}
    return {"stage": "returned", "value": value}


def _told(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error, limit=-2)).strip()[-MAX_PROBLEM:]


def _plain(value: Any) -> Any:
    """A value that JSON does not know, as the nearest one that it does."""
    if isinstance(value, set | frozenset | range):
        return list(value)
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "__dataclass_fields__"):
        return {field: getattr(value, field) for field in value.__dataclass_fields__}
    if hasattr(value, "__index__"):
        return value.__index__()
    if type(value).__module__ == "decimal":
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__float__"):
        return float(value)
    return str(value)
