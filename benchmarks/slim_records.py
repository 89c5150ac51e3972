"""Records small enough to be kept in the repository, without the benchmark's texts.

usage: python benchmarks/slim_records.py RUN… --out FOLDER

RUN is a run's id or name, or a file that `mathagent bench --output` wrote. Writes DATASET-N-STRATEGY.jsonl.gz for each
data set and strategy, N being its problems. Problems, references and longer texts of a solution are left out; answers,
grades, checks, usage and times stay, so that `mathagent compare`, `calibrate` and `report` and the scripts beside this
one read them (after gunzip) as any records. `benchmarks/checks.py --data DIR` puts problems and references back.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from mathagent.errors import MathagentError, UsageError
from mathagent.evals.records import Record
from mathagent.evals.runs import load_runs

LONGEST_TEXT = 48  # characters; answers are shorter, programs and reasoning longer


def shortened(value: Any) -> Any:
    """``value`` with long texts emptied."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else ""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value]
    return value


def slim(record: Record) -> Record:
    """The record without texts of its problem or its solution."""
    plain = record.model_dump(mode="json")
    plain["reference"] = "-"
    if plain["solution"] is not None:
        basis = plain["solution"]["confidence_basis"]
        plain["solution"] = shortened(plain["solution"]) | {"confidence_basis": basis}
        name = f"{record.dataset} {record.problem_id}"
        plain["solution"]["problem"] |= {"text": name, "reference": None, "choices": [], "metadata": {}}
    return Record.model_validate(plain)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arms: dict[tuple[str, str], list[Record]] = defaultdict(list)
    try:
        for records in load_runs(arguments.runs).values():
            for record in records:
                arms[record.dataset, record.strategy].append(record)
        for (dataset, strategy), records in arms.items():
            if any(one.config != records[0].config for one in records):
                raise UsageError(f"{strategy} on {dataset} has several settings; give runs with one")
    except MathagentError as error:
        print(f"slim_records.py: {error}", file=sys.stderr)
        return error.exit_code
    arguments.out.mkdir(parents=True, exist_ok=True)
    for (dataset, strategy), records in arms.items():
        file = arguments.out / f"{dataset}-{len(records)}-{strategy}.jsonl.gz"
        lines = [json.dumps(slim(one).model_dump(mode="json"), ensure_ascii=False) + "\n" for one in records]
        with gzip.GzipFile(file, "wb", mtime=0) as written:
            written.write("".join(lines).encode())
        print(file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
