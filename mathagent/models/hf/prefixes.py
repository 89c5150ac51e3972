"""What earlier samples leave behind: keys and values of their tokens, for prompts that begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mathagent.models.hf.kv import KeptLayers
from mathagent.models.hf.settings import Adapters

SHORTEST = 16
"""Fewer tokens in common are not worth a copy."""


@dataclass(frozen=True)
class Kept:
    """The tokens of a sample that has ended, and their keys and values under some adapters."""

    tokens: Sequence[int]
    layers: KeptLayers
    adapters: Adapters


class PrefixStore:
    """Holds at most ``most_tokens`` in all; what was not used for longest goes first."""

    def __init__(self, most_tokens: int) -> None:
        self.most_tokens = most_tokens
        self._kept: list[Kept] = []  # the last used at the end

    def find(self, tokens: Sequence[int], adapters: Adapters) -> tuple[int, Kept | None]:
        """(tokens in common, who has them) of what begins most like ``tokens``; (0, None) where that is too little."""
        best = place = 0
        for index, kept in enumerate(self._kept):
            if kept.adapters == adapters and (common := common_prefix(tokens, kept.tokens)) > best:
                best, place = common, index
        if best < SHORTEST:
            return 0, None
        # By its place: two may have the same tokens, under other adapters, and tensors have no one truth to compare by.
        found = self._kept.pop(place)
        self._kept.append(found)
        return best, found

    def has(self, tokens: Sequence[int], adapters: Adapters) -> bool:
        """Whether all of ``tokens`` are the beginning of something kept."""
        return any(
            kept.adapters == adapters and common_prefix(tokens, kept.tokens) == len(tokens) for kept in self._kept
        )

    def add(self, kept: Kept) -> None:
        """Keeps ``kept``, where it is not longer than all that may be kept."""
        if len(kept.tokens) > self.most_tokens:
            return
        self._kept.append(kept)
        while sum(len(one.tokens) for one in self._kept) > self.most_tokens:
            del self._kept[0]

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens at the beginning of both are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # slices are compared in C: a search by halves beats a loop over the tokens
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
