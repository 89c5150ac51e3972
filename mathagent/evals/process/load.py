"""Where the items of process evaluations come from: data sets by name, as all others, or files of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mathagent.errors import UnknownName, UsageError
from mathagent.evals.datasets import read_rows
from mathagent.evals.process.items import ItemSet, read_items, select_items

PROCESSBENCH = ("gsm8k", "math", "olympiadbench", "omnimath")
PROCESS_DATASETS = (
    *("processbench", *(f"processbench:{one}" for one in PROCESSBENCH)),
    "mr-gsm8k",
    "mathcheck-gsm",
)


def load_sets(
    names: Sequence[str],
    *,
    data_dir: Path | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    limit: int | None = None,
) -> list[ItemSet]:
    """The items of each of ``names``, data sets or files; "processbench" means its four subsets.

    ``shuffle``, ``seed`` and ``limit``: see ``select_items``. Raises UsageError where one cannot be found or read, or
    holds no solutions to be judged; ResourceError where the hub cannot be reached.
    """
    sets: list[ItemSet] = []
    for name in names:
        if name.strip().lower() in ("processbench", "processbench:all"):
            sets += [_load(f"processbench:{subset}", data_dir) for subset in PROCESSBENCH]
        else:
            sets.append(_load(name, data_dir))
    labels = [one.name for one in sets]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice; name each data set once, and give files names of their own")
    return [select_items(one, shuffle=shuffle, seed=seed, limit=limit) for one in sets]


def _load(name: str, data_dir: Path | None) -> ItemSet:
    try:
        label, rows = read_rows(name, data_dir=data_dir)
    except UnknownName as error:
        raise UnknownName("process data set", name, PROCESS_DATASETS) from error
    return read_items(label, rows)
