"""mathagent replay: a run made again from the cache, without a model, and compared record by record."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from rich.console import Console

from mathagent.cli.runs import write_file
from mathagent.config import settings
from mathagent.console.replay_view import ReplayProgress, show_replayed
from mathagent.errors import UsageError
from mathagent.evals.records import RecordStore, as_jsonl
from mathagent.evals.replay import Replay, Replayed
from mathagent.evals.runs import find_run

EXIT_SAME, EXIT_DIFFERENT = 0, 1


def replay_command(run: str, *, output: Path | None, concurrency: int, as_json: bool) -> int:
    """Replays a run; exit code 0 where all records came out the same, 1 where one differs or lacks a completion."""
    with closing(RecordStore(settings().runs_path)) as store:
        info = find_run(store, run)
        records = store.run_records(info.id)
    if not records:
        raise UsageError(f"run '{info.id}' holds no records to replay")

    async def work() -> list[Replayed]:
        with ReplayProgress(Console(stderr=True), len(records)) as progress:
            async with Replay(info, records) as replay:
                return await replay.run(progress.on_replayed, at_once=concurrency)

    found = asyncio.run(work())
    if output is not None:
        write_file(output, as_jsonl([one.record for one in found]))
    if as_json:
        shown = {
            "run": info.id,
            "counts": dict(Counter(one.status for one in found)),
            "records": [one.model_dump(mode="json", exclude={"record"}) for one in found if one.status != "same"],
        }
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")
    else:
        show_replayed(Console(), info.id, found)
    failed = any(one.status in ("different", "missing") for one in found)
    return EXIT_DIFFERENT if failed else EXIT_SAME
