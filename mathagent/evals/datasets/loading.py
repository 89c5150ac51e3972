"""Loads data sets by name, from a local folder or the hub, and files by their path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mathagent.config import settings
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.dataset import (
    Dataset,
    Task,
    dataset_name,
    first_items,
    numbered_problems,
    problem_of,
    read_objects,
)
from mathagent.evals.datasets.hub import hub_rows, library_is_here
from mathagent.evals.datasets.names import Chosen, resolve
from mathagent.evals.datasets.source import Row, Source, Subset
from mathagent.types import Problem

SUFFIXES = (".jsonl", ".jsonl.gz", ".json")


class Place(NamedTuple):
    """A row's place: where it stands, for messages, and the id that it has where it names none."""

    where: str
    default_id: str
    number: int


def load_dataset(name_or_path: str | Path, *, data_dir: Path | None = None, limit: int | None = None) -> Dataset:
    """The data set of that name (see ``resolve``), or in the file of that path; at most ``limit`` problems.

    A name is looked for in ``data_dir`` (None: MATHAGENT_DATA), then on the hub where the ``datasets`` library is
    installed. Raises UsageError saying what to do where it is found nowhere, and naming the item that is wrong;
    ResourceError where the hub cannot be reached.
    """
    loaded = load_items(name_or_path, data_dir=data_dir, limit=limit)
    return Dataset(name=loaded.name, problems=tuple(problem for problem, _ in loaded.items), task=loaded.task)


class Loaded(NamedTuple):
    """A data set's problems, each with all fields of its item ({} for one that was made from a template)."""

    name: str
    task: Task
    items: tuple[tuple[Problem, Row], ...]


def load_items(name_or_path: str | Path, *, data_dir: Path | None = None, limit: int | None = None) -> Loaded:
    """As ``load_dataset``, with the items' own fields."""
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} leaves no problem; give at least 1")
    folder = _folder(data_dir)
    path = _file_named(name_or_path, folder)
    if path is not None:
        return Loaded(dataset_name(path), "solve", first_items(numbered_problems(path), limit, str(path)))
    chosen = resolve(str(name_or_path))
    items = first_items(_problems(chosen, folder, limit), limit, f"data set {chosen.label}")
    return Loaded(chosen.label, chosen.subset.task, items)


def read_rows(name_or_path: str | Path, *, data_dir: Path | None = None) -> tuple[str, Iterator[tuple[str, Row]]]:
    """The name of a data set and its rows as they lie there, each with where it stands. Raises as ``load_dataset``."""
    folder = _folder(data_dir)
    path = _file_named(name_or_path, folder)
    if path is not None:
        return dataset_name(path), ((f"{path.name}:{number}", item) for number, item in read_objects(path))
    chosen = resolve(str(name_or_path))
    return chosen.label, ((place.where, row) for place, row in _rows(chosen, folder))


def found_locally(source: Source, folder: Path | None) -> dict[str, int]:
    """How many rows of each subset lie in ``folder``; subsets that are not there are left out."""
    counts: dict[Path, list[Row]] = {}
    found: dict[str, int] = {}
    for name, subset in source.subsets.items():
        files = _local_files(source, subset, folder)
        if files is None:
            continue
        for file in files:
            if file not in counts:
                counts[file] = [row for _, row in read_objects(file)]
        found[name] = sum(_kept(row, subset) for file in files for row in counts[file])
    return found


def file_of(name: str, data_dir: Path | None = None) -> Path | None:
    """The file that ``load_dataset`` reads where ``name`` is that of a file, not of a data set. Raises UsageError."""
    return _file_named(name, _folder(data_dir))


def _folder(data_dir: Path | None) -> Path | None:
    folder = data_dir if data_dir is not None else settings().data
    if folder is not None and not folder.expanduser().is_dir():
        named = "--data" if data_dir is not None else "MATHAGENT_DATA"
        raise UsageError(f"there is no folder {folder}; {named} names the folder that the data sets lie in")
    return None if folder is None else folder.expanduser()


def _file_named(name: str | Path, folder: Path | None) -> Path | None:
    """The file that is meant, if one is: a path, or a file of ``folder`` that no data set claims."""
    text = str(name)
    path = Path(text).expanduser()
    if isinstance(name, Path) or text.endswith((*SUFFIXES, ".gz")) or "/" in text or "\\" in text:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name the data set, and the folder with --data {path}")
        return path
    try:
        resolve(text)
    except UnknownName:
        own = None if folder is None else _with_suffix(folder, text)
        if own is None and not path.is_file():
            raise
        return own or path
    return None


def _with_suffix(folder: Path, stem: str) -> Path | None:
    return next((file for suffix in SUFFIXES if (file := folder / f"{stem}{suffix}").is_file()), None)


def _local_files(source: Source, subset: Subset, folder: Path | None) -> list[Path] | None:
    """The subset's files in ``folder``; None unless all are there.

    A folder of one's own may hold the default subset as ``<name>.jsonl``.
    """
    if folder is None or not subset.files:
        return None
    names = [subset.files]
    if subset is source.subsets[source.default]:
        names += [(name,) for name in dict.fromkeys((source.name.replace("-", "_"), source.name))]
    return next((found for stems in names if (found := _present(folder, stems))), None)


def _present(folder: Path, stems: Sequence[str]) -> list[Path] | None:
    """The files of those names; None unless all are there."""
    files = [file for stem in stems if (file := _with_suffix(folder, stem)) is not None]
    return files if len(files) == len(stems) else None


def _rows(chosen: Chosen, folder: Path | None) -> Iterator[tuple[Place, Row]]:
    """The subset's rows from the folder, else from the hub. Raises UsageError where neither can give them."""
    source, subset = chosen.source, chosen.subset
    files = _local_files(source, subset, folder)
    stem = source.name.replace("-", "_")
    if files is not None:
        for file in files:
            for number, row in read_objects(file):
                place = Place(f"{file.name}:{number}", f"{stem}/{chosen.name}/{number - 1}", number - 1)
                if _kept(row, subset):
                    yield place, row
        return
    if not subset.files and not subset.hub:  # made, not read
        return
    if not subset.hub or not library_is_here():
        raise UsageError(_nowhere(chosen, folder))
    several = len(subset.hub) > 1
    for one in subset.hub:
        part = f"/{one.config}" if several and one.config else ""
        for number, row in enumerate(hub_rows(one)):
            place = Place(f"{one.repo}{part} row {number}", f"{stem}/{chosen.name}{part}/{number}", number)
            if _kept(row, subset):
                yield place, row


def _kept(row: Row, subset: Subset) -> bool:
    return all(str(row.get(field)) == value for field, value in subset.where.items())


def _problems(chosen: Chosen, folder: Path | None, limit: int | None) -> Iterator[tuple[str, Problem, Row]]:
    source = chosen.source
    rows = _rows(chosen, folder)
    if source.build is not None:
        made = source.build(chosen.name, ((place.where, row) for place, row in rows), limit)
        yield from ((chosen.label, problem, {}) for problem in made)
        return
    for place, row in rows:
        item = dict(row) if source.adapt is None else source.adapt(dict(row), place.number)
        yield place.where, _problem(chosen, place, item), item


def _problem(chosen: Chosen, place: Place, item: Row) -> Problem:
    source = chosen.source
    problem = problem_of(item, place.where, default_id=place.default_id)
    metadata = dict(problem.metadata)
    if source.answer_type:
        metadata.setdefault("answer_type", source.answer_type)
    if source.family and item.get(source.family) is not None:
        metadata["family"] = str(item[source.family])
    kept = [name for name in item if name not in _READ] if chosen.subset.task == "judge" else source.keep
    metadata |= {name: item[name] for name in kept if item.get(name) is not None}
    language = problem.language or (source.languages[0] if len(source.languages) == 1 else None)
    return problem.model_copy(update={"metadata": metadata, "language": language})


_READ = frozenset(("id", "question", "language", "choices"))


def _nowhere(chosen: Chosen, folder: Path | None) -> str:
    names = " and ".join(f"{stem}.jsonl" for stem in chosen.subset.files)
    looked = "no folder of data sets is named" if folder is None else f"{folder} does not hold {names}"
    local = f"put {names} (or .jsonl.gz; docs/datasets.md) into a folder and name it with --data or MATHAGENT_DATA"
    if not chosen.subset.hub:
        return f"data set {chosen.label}: {looked}; it is not on the hub: {local}"
    return (
        f"data set {chosen.label}: {looked}, and the library that reads the hub is not installed; {local}, or"
        " pip install 'mathagent[data]'"
    )
