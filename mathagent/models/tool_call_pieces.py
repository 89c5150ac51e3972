"""The tool calls of one reply, whole or put together from the pieces of a stream. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mathagent.models.openai_reply_form import ToolCallForm


@dataclass
class _Call:
    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallPieces:
    """Takes the pieces in order. A piece goes on with the call of its index, but where it begins another one: some
    servers give all calls the same index, or none."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._last: dict[int, _Call] = {}

    def add(self, pieces: Sequence[ToolCallForm], *, whole: bool) -> None:
        """``whole``: each of ``pieces`` is a call."""
        for place, piece in enumerate(pieces):
            index = place if piece.index is None else piece.index
            call = self._last.get(index)
            if call is None or whole or _begins_another(piece, call):
                call = self._last[index] = _Call(index)
                self._calls.append(call)
            call.id = call.id or piece.id or ""
            if piece.function is not None:
                call.name = call.name or piece.function.name or ""
                call.arguments += _arguments(piece)

    def calls(self) -> list[dict[str, str]]:
        """Each as its ``id``, ``name`` and ``arguments``, by index."""
        ordered = sorted(self._calls, key=lambda call: call.index)
        return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in ordered]


def _arguments(piece: ToolCallForm) -> str:
    given = None if piece.function is None else piece.function.arguments
    if given is None or isinstance(given, str):
        return given or ""
    return json.dumps(given, ensure_ascii=False)


def _begins_another(piece: ToolCallForm, call: _Call) -> bool:
    """A name comes with the beginning of a call, or with each of its pieces; the id alone tells nothing, since older
    versions of vLLM give each piece a new one."""
    if piece.function is None or not piece.function.name or not call.name:
        return False
    if piece.id and call.id:
        return piece.id != call.id
    return bool(_arguments(piece)) and _is_object(call.arguments)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
