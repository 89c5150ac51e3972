"""Block equal states: steps that say the same in other words become one state, so that nothing is written twice.

Source: "Don't Get Lost in the Trees" (FETCH, arXiv 2502.11183), whose encoder was tuned for steps. Ours was not and
hardly looks at numbers, which are what sets one step apart from the next; so beside the nearness of the texts there is
the comparison of what their arithmetic comes to, computed here and not as the model states it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from mathagent.agents.search_tree import SearchTree
from mathagent.answers.latex import untext
from mathagent.answers.rational import exact_value
from mathagent.memory.base import Embedder
from mathagent.registry import Registry

if TYPE_CHECKING:
    from mathagent.memory.base import Vectors

MergeBy = Literal["both", "embedding", "values", "none"]

EMBEDDERS = Registry(
    "embedder",
    "mathagent.embedders",
    {
        "hashed": "mathagent.memory.hashed_embedder:HashedEmbedder",
        "static": "mathagent.agents.blocks.equal_states:static_embedder",
    },
)
"""Each row makes an Embedder: the one without weights, or the model folder's (the former where that is empty)."""

APART = 4.0
"""Beyond any cosine distance."""
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_SENTENCE = re.compile(r"[\n;]|[.,](?=\s|$)")
_EQUATION = re.compile(r"[=≈]")
_NO_ARITHMETIC = re.compile(r"[^\d.,()\s+\-*/×÷·^%$€£]")
_OPERATION = re.compile(r"\d\s*[)%]?\s*[-+*/^×÷·]\s*[($€£]?\s*\d")
_MARKS = str.maketrans({"×": "*", "÷": "/", "·": "*", "$": "", "€": "", "£": "", "−": "-"})


def static_embedder() -> Embedder:
    """The embedder of the memory package for this machine's model folder."""
    from mathagent.config import settings
    from mathagent.memory.static_embedder import default_embedder

    return default_embedder(settings().models_dir)


@cache
def load_embedder(name: str) -> Embedder:
    """The embedder ``name``, loaded once. Raises UnknownName, UsageError or ModelFileError."""
    made: Embedder = EMBEDDERS.load(name)()
    return made


def merged(
    tree: SearchTree, new: Sequence[int], by: MergeBy, embedder: Embedder, max_distance: float
) -> SearchTree:
    """The tree with equal states among ``new`` in one group each: CPU-bound, for a thread where there are many.

    Open and finished steps are never merged with each other, nor is one with a step of another depth.
    """
    if by == "none":
        return tree
    changes: dict[int, dict[str, Any]] = {}
    kinds: dict[tuple[str, int], list[int]] = {}
    for one in new:
        node = tree.nodes[one]
        if node.state in ("open", "finished") and not node.rest:
            kinds.setdefault((node.state, node.depth), []).append(one)
    for alike in kinds.values():
        texts = [tree.nodes[one].text for one in alike]
        for cluster in clusters(texts, by, embedder, max_distance):
            first = alike[cluster[0]]
            share = len(cluster) / len(alike)
            changes[first] = {"prior": 0.8 + 0.2 * share}
            changes |= {alike[place]: {"group": first} for place in cluster[1:]}
    return tree.changed(changes)


def clusters(texts: Sequence[str], by: MergeBy, embedder: Embedder, max_distance: float) -> list[list[int]]:
    """The places of ``texts`` that say the same, in order of their first.

    "embedding": agglomerative clustering by average cosine distance, up to ``max_distance``. "values": what is computed
    comes to the same, whatever the words; where nothing is, the texts are equal. "both": by values where something is
    computed, else by embedding among those that name the same numbers.
    """
    computed = [values_in(text) for text in texts]
    if by == "values":
        alike: dict[Any, list[int]] = {}
        for place, values in enumerate(computed):
            alike.setdefault(values or texts[place], []).append(place)
        return list(alike.values())
    distances = _distances(embedder.embed(list(texts)))
    if by == "both":
        named = [numbers_in(text) for text in texts]
        for one, other in combinations(range(len(texts)), 2):
            if computed[one] != computed[other] or (not computed[one] and named[one] != named[other]):
                distances[one][other] = distances[other][one] = APART
            elif computed[one]:
                distances[one][other] = distances[other][one] = 0.0
    return average_linkage(distances, max_distance)


def average_linkage(distances: Sequence[Sequence[float]], max_distance: float) -> list[list[int]]:
    """Clusters by joining the two nearest again and again,
    while their mean distance is ``max_distance`` at most. Pure."""
    found = [[place] for place in range(len(distances))]

    def apart(one: list[int], other: list[int]) -> float:
        return sum(distances[i][j] for i in one for j in other) / (len(one) * len(other))

    while len(found) > 1:
        pairs = [(i, j) for i in range(len(found)) for j in range(i + 1, len(found))]
        i, j = min(pairs, key=lambda pair: apart(found[pair[0]], found[pair[1]]))
        if apart(found[i], found[j]) > max_distance + 1e-9:
            break
        found[i] = sorted([*found[i], *found.pop(j)])
    return sorted(found)


def _distances(vectors: Vectors) -> list[list[float]]:
    """Cosine distances of all pairs."""
    rows: list[list[float]] = (1.0 - vectors @ vectors.T).tolist()
    return rows


def values_in(text: str) -> tuple[Fraction, ...]:
    """What the equations in ``text`` come to, sorted: their left sides, where those are arithmetic, computed. Pure;
    nothing of the text is executed."""
    results: set[Fraction] = set()
    for sentence in _SENTENCE.split(_plain(text)):
        for side in _EQUATION.split(sentence)[:-1]:
            written = side[max((one.end() for one in _NO_ARITHMETIC.finditer(side)), default=0) :]
            if _OPERATION.search(written):
                value = exact_value(written.replace("*", r"\cdot ").replace(",", "").strip())
                if value is not None:
                    results.add(value)
    return tuple(sorted(results))


def numbers_in(text: str) -> tuple[Fraction, ...]:
    """The numbers that stand in ``text``, sorted, each once. Pure."""
    found = (exact_value(one.replace(",", "")) for one in _NUMBER.findall(_plain(text)))
    return tuple(sorted({one for one in found if one is not None}))


def _plain(text: str) -> str:
    signs = text.replace("\\times", "*").replace("\\div", "/").replace("\\cdot", "*")
    return untext(signs).translate(_MARKS)
