"""Which run is meant: by its id, the beginning of one, ``last``, or a file of records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mathagent.config import settings
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.records import Record, RecordStore, read_records
from mathagent.evals.run_tables import RunInfo

LAST = "last"


def load_records(spec: str) -> list[Record]:
    """The records of a run (its id, the beginning of one, or ``last``), or of a file that ``bench --output`` wrote.

    A run in the store wins over a file of that name. Raises UsageError where there is neither, where several runs are
    meant, or where there are no records; StorageError.
    """
    with closing(RecordStore(settings().runs_path)) as store:
        path = Path(spec)
        if path.exists() and not path.is_dir() and not _meant(store.runs(), spec):
            records = read_records(path)
        elif not path.exists() and (path.suffix == ".jsonl" or len(path.parts) > 1):
            raise UsageError(
                f"there is no file {spec}; give one that `mathagent bench --output` wrote, or a run's id"
            )
        else:
            records = store.run_records(find_run(store, spec).id)
    if not records:
        raise UsageError(f"'{spec}' holds no records; let `mathagent bench` run first")
    return records


def load_runs(specs: Sequence[str]) -> dict[str, list[Record]]:
    """The records of several runs, by what was given for each. Raises as ``load_records``, and UsageError where one is
    given twice."""
    found: dict[str, list[Record]] = {}
    for spec in specs:
        if spec in found:
            raise UsageError(f"the run '{spec}' is given twice; give each once")
        found[spec] = load_records(spec)
    return found


def find_run(store: RecordStore, spec: str) -> RunInfo:
    """The one run that ``spec`` means. Raises UsageError: none, or several."""
    runs = store.runs()
    if not runs:
        raise UsageError(
            f"there is no run '{spec}': {store.path} holds none; `mathagent bench` makes one, and a file of records"
            " is given by its path"
        )
    meant = _meant(runs, spec)
    if len(meant) > 1:
        shown = ", ".join(one.id for one in meant[:5]) + (", …" if len(meant) > 5 else "")
        raise UsageError(f"'{spec}' may be {len(meant)} runs ({shown}); write more of the id")
    if not meant:
        raise UnknownName("run", spec, [*(one.id for one in runs), LAST])
    return meant[0]


def _meant(runs: list[RunInfo], spec: str) -> list[RunInfo]:
    """The runs that ``spec`` may mean; an exact id means only its own, ``last`` the one written to last."""
    exact = [one for one in runs if one.id == spec]
    if exact or not spec:
        return exact
    if spec == LAST:
        return [max(reversed(runs), key=lambda one: one.updated)]  # of equal ones the later
    return [one for one in runs if one.id.startswith(spec)]
