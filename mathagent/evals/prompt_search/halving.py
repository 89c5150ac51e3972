"""Successive halving: all texts on few problems, the better half on twice as many, and so on. Pure.

Source: Karnin, Koren and Somekh, "Almost Optimal Exploration in Multi-Armed Bandits" (ICML 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mathagent.evals.prompt_search.spec import Wording


def rounds(first: int, total: int) -> list[int]:
    """How many problems each round has: ``first``, twice as many, …, and ``total`` last. ValueError below 1."""
    if first < 1 or total < 1:
        raise ValueError("a round has one problem at least")
    sizes = []
    while first < total:
        sizes.append(first)
        first *= 2
    return [*sizes, total]


def ranked(wordings: Sequence[Wording], right: Mapping[str, int]) -> list[Wording]:
    """The wordings by how many problems they got ``right`` (by text), most first; of equal ones the shortest, then the
    earlier: words that buy nothing are left out."""
    return sorted(wordings, key=lambda one: (-right[one.text], len(one.text)))


def survivors(order: Sequence[Wording], pinned: Sequence[str], least: int = 1) -> list[Wording]:
    """The better half of ``order`` (best first), ``least`` at least, and the ``pinned`` texts wherever they stand."""
    kept = order[: max(least, (len(order) + 1) // 2)]
    return [*kept, *(one for one in order[len(kept) :] if one.text in pinned)]
