"""mathagent calibrate: fits confidence to the graded records of benchmarks, and stores what it fitted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from mathagent.config import settings
from mathagent.console.calibration_view import CalibrationRow, show_calibrations
from mathagent.console.page import Page
from mathagent.errors import UsageError
from mathagent.evals.calibrate import Combination, calibrate, combinations, too_few
from mathagent.evals.runs import load_runs
from mathagent.scorers.confidence import store_calibration

EXIT_DONE, EXIT_PARTIAL = 0, 3


def calibrate_command(
    runs: Sequence[str], *, strategies: Sequence[str], out: Path | None, dry_run: bool, as_json: bool
) -> int:
    """Fits and stores; exit code 0, or 3 where a combination has too few answers.

    ``strategies`` empty: all that are there; ``out`` None: the user's folder. Raises UsageError where there is nothing
    to fit at all.
    """
    if dry_run and out is not None:
        raise UsageError("--dry-run stores nothing; leave out --out")
    found, left_out = combinations([record for records in load_runs(runs).values() for record in records])
    chosen = _chosen(found, strategies, left_out)
    folder = None if dry_run else out or settings().calibrations_dir
    rows = [_row(one, folder) for one in chosen]
    if left_out:
        Page(Console(stderr=True)).line(f"left out: {_told(left_out)}", style="magenta")
    if as_json:
        shown = [row.model_dump(mode="json") for row in rows]
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        show_calibrations(Console(), rows)
    return EXIT_PARTIAL if any(row.calibration is None for row in rows) else EXIT_DONE


def _chosen(
    found: Sequence[Combination], strategies: Sequence[str], left_out: Mapping[str, int]
) -> list[Combination]:
    """The combinations of the named strategies. Raises UsageError where one has none, or there are none at all."""
    there = sorted({one.strategy for one in found})
    if not there:
        why = f" ({_told(left_out)})" if left_out else ""
        raise UsageError(
            f"there is no graded record to calibrate with{why}; run `mathagent bench … --output FILE`"
        )
    for name in strategies:
        if name not in there:
            raise UsageError(f"no record is of strategy '{name}'; there are: {', '.join(there)}")
    return [one for one in found if not strategies or one.strategy in strategies]


def _told(left_out: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {'record' if count == 1 else 'records'} {why}" for why, count in left_out.items())


def _row(combination: Combination, folder: Path | None) -> CalibrationRow:
    row = CalibrationRow(
        strategy=combination.strategy,
        model=combination.model,
        answers=len(combination.graded),
        unanswered=combination.unanswered,
        right=sum(combination.right),
        skipped=too_few(combination) or "",
    )
    if row.skipped:
        return row
    calibration = calibrate(combination, datetime.now(UTC).date())
    stored = "" if folder is None else str(store_calibration(calibration, folder))
    return row.model_copy(update={"calibration": calibration, "stored": stored})
