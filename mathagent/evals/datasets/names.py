"""Which data set is meant? ``mgsm``, ``mgsm:de``, ``mgsm-de``, or the name of its local file."""

from __future__ import annotations

from typing import NamedTuple

from mathagent.errors import UnknownName
from mathagent.evals.datasets.source import Source, Subset
from mathagent.evals.datasets.table import DATASETS


class Chosen(NamedTuple):
    """A subset of a data set."""

    source: Source
    name: str

    @property
    def subset(self) -> Subset:
        return self.source.subset(self.name)

    @property
    def label(self) -> str:
        """As records name it."""
        return self.source.label(self.name)


def resolve(name: str) -> Chosen:
    """The subset that ``name`` stands for. Raises UnknownName, or UsageError for an unknown subset.

    ``NAME:SUBSET`` is the form that we write; ``NAME-SUBSET``, other letter case, other dashes and the name of a
    subset's local file are understood, too. ``module:object`` names a Source of another package.
    """
    if "." in name.partition(":")[0] and ":" in name:
        path, _, subset = name.partition(":")
        attribute, _, subset = subset.partition(":")
        return _chosen(DATASETS.load(f"{path}:{attribute}"), subset)
    known = DATASETS.names()
    plain = _plain(name)
    base, colon, subset = plain.partition(":")
    base = {one.replace("-", ""): one for one in known}.get(base.replace("-", ""), base)  # math-500, bigbench
    if base in known:
        return _chosen(DATASETS.load(base), subset)
    if not colon:
        for cut in (place for place, letter in enumerate(plain) if letter == "-"):
            if plain[:cut] in known:
                source: Source = DATASETS.load(plain[:cut])
                if plain[cut + 1 :] in {*source.subsets, *source.aliases}:
                    return _chosen(source, plain[cut + 1 :])
        by_file = _by_file(plain)
        if by_file is not None:
            return by_file
    raise UnknownName("data set", name, known)


def _chosen(source: Source, subset: str) -> Chosen:
    chosen = Chosen(source, source.aliases.get(subset, subset) or source.default)
    source.subset(chosen.name)
    return chosen


def _by_file(plain: str) -> Chosen | None:
    """The subset that consists of the local file of that name, with or without its split."""
    for name in DATASETS.table:
        source: Source = DATASETS.load(name)
        for subset, about in source.subsets.items():
            file = _plain(about.files[0]) if len(about.files) == 1 and not about.where else ""
            if file and plain in (file, file.removesuffix(".test"), file.replace(".", "-")):
                return Chosen(source, subset)
    return None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")
