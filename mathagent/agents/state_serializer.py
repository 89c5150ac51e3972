"""How a state becomes bytes and back: only types of ours are ever made from what a file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from mathagent.agents.blobs import put_back
from mathagent.agents.state import SolveState
from mathagent.types import Value


class StateSerializer(JsonPlusSerializer):
    """LangGraph's serializer, for our own types only; it puts the long texts of ``blobs`` back."""

    def __init__(self, blobs: Callable[[], Mapping[str, bytes]]) -> None:
        super().__init__(allowed_msgpack_modules=[(one.__module__, one.__name__) for one in _state_types()])
        self._blobs = blobs

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """See SerializerProtocol."""
        return put_back(super().loads_typed(data), self._blobs())


def _state_types() -> list[type]:
    """All that may stand in a checkpoint: the state, and each of our immutable values that is loaded."""
    found: list[type] = [SolveState]
    waiting: list[type] = [Value]
    while waiting:
        subclasses: list[type] = waiting.pop().__subclasses__()
        found += subclasses
        waiting += subclasses
    return found
