"""mathagent robustness: what accuracy loses from originals to their variants."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mathagent.console.robustness_view import show_robustness
from mathagent.errors import UsageError
from mathagent.evals.dataset import read_objects
from mathagent.evals.records import Record
from mathagent.evals.robustness import robustness
from mathagent.evals.runs import load_records
from mathagent.evals.templates import instances, shipped_templates

_OWN_NOOP = re.compile(r"^templates/(?P<id>[\w-]+)/noop/(?P<seed>-?\d+)-(?P<number>\d+)$")


def robustness_command(
    runs: Sequence[str], *, original: str | None, problems: Sequence[Path], seed: int, as_json: bool
) -> int:
    """Shows the report; exit code 0. Raises UsageError where there is nothing to pair."""
    records = [record for run in dict.fromkeys(runs) for record in load_records(run)]
    distractors = {**_own_distractors(records), **_stated_distractors(problems)}
    report = robustness(records, original=original, distractors=distractors, seed=seed)
    if all(one.drop is None for one in report.variants):
        raise UsageError(
            f"no item stems from an item of {report.original}; name the set of originals with --original, and give"
            " runs of the same strategy and model"
        )
    if as_json:
        sys.stdout.write(json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    else:
        show_robustness(Console(), report)
    return 0


def _stated_distractors(files: Sequence[Path]) -> dict[str, list[str]]:
    return {
        str(item["id"]): [str(number) for number in item["distractors"]]
        for path in files
        for _, item in read_objects(path)
        if "id" in item and isinstance(item.get("distractors"), list)
    }


def _own_distractors(records: Sequence[Record]) -> dict[str, list[str]]:
    """Those of our own templates: their instances are drawn again by what their ids say."""
    wanted: dict[tuple[str, int], int] = {}
    for record in records:
        found = _OWN_NOOP.match(record.problem_id)
        if found:
            key = found["id"], int(found["seed"])
            wanted[key] = max(wanted.get(key, 0), int(found["number"]) + 1)
    known = {template.id: template for template in shipped_templates()} if wanted else {}
    return {
        f"templates/{one.id}": list(one.distractors)
        for (name, seed), count in wanted.items()
        if name in known
        for one in instances(known[name], count, seed, variant="noop")
    }
