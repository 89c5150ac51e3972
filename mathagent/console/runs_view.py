"""What a person sees of the runs of bench: a table of all, and one with its numbers, costs and failures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mathagent.console.bench_view import ArmLine, show_summaries
from mathagent.console.bench_words import clock_words, count_words, dollar_words
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.evals.costs import Costs
from mathagent.evals.failures import FailureCount
from mathagent.evals.records import Record
from mathagent.evals.run_tables import RunInfo
from mathagent.types import Value


class RunRow(Value):
    """One run in a line: ``done`` of ``planned`` attempts are recorded; ``accuracy`` is over those that are graded."""

    id: str
    created: str
    updated: str
    status: str
    data: str
    arms: str
    done: int
    planned: int
    errors: int
    accuracy: float | None


def run_row(run: RunInfo) -> RunRow:
    """The row of ``run``. Pure."""
    right, wrong = run.counts.get("correct", 0), run.counts.get("incorrect", 0)
    return RunRow(
        id=run.id,
        created=run.created,
        updated=run.updated,
        status=run.status,
        data=_data(run.spec),
        arms=_arms(run.spec),
        done=sum(run.counts.values()),
        planned=run.planned,
        errors=run.counts.get("error", 0),
        accuracy=right / (right + wrong) if right + wrong else None,
    )


def show_runs(console: Console, rows: Sequence[RunRow]) -> None:
    """Prints one line a run."""
    if not rows:
        console.print("no runs yet; `mathagent bench` makes them", markup=False, highlight=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    names = ("run", "when", "data", "arms", "done", "right", "status")
    for name in names:
        justify: Literal["right", "left"] = "right" if name in ("done", "right") else "left"
        table.add_column(name, justify=justify, no_wrap=name not in ("data", "arms"), overflow="fold")
    for row in rows:
        share = "–" if row.accuracy is None else f"{row.accuracy:.1%}"
        cells = (row.id, _when(row.created), row.data, row.arms, f"{row.done}/{row.planned}", share, row.status)
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(table)


def show_run(
    console: Console,
    name: str,
    run: RunInfo | None,
    lines: Sequence[ArmLine],
    costs: Costs,
    failures: Sequence[FailureCount],
) -> None:
    """Prints one run: what was asked (None: it is a file), numbers, costs, failures."""
    page = Page(console)
    if run is None:
        page.field("file", name)
    else:
        row = run_row(run)
        page.field("run", f"{run.id}, {run.status}, {row.done} of {row.planned} attempts")
        page.field("when", f"{_when(run.created)} to {_when(run.updated)}")
        for key, value in _asked(run.spec).items():
            page.field(key, value)
    page.field("costs", _costs(costs))
    page.line()
    show_summaries(console, lines)
    for failure in failures:
        page.line()
        page.line(f"{failure.kind}: {failure.count} ({failure.meaning})", style="bold")
        for record in failure.examples:
            page.line(_example(record), indent=2)


def _example(record: Record) -> str:
    attempt = f" (attempt {record.attempt})" if record.attempt else ""
    given = record.error or ("no answer" if record.answer is None else f"{record.answer!r}")
    return f"{record.problem_id}{attempt}, {record.strategy}: {one_line(given)[:100]}, wanted {record.reference[:60]!r}"


def _costs(costs: Costs) -> str:
    cached = f" ({costs.cached_calls} from the cache)" if costs.cached_calls else ""
    money = dollar_words(costs.dollars)
    if costs.list_dollars > costs.dollars:
        money += f" ({dollar_words(costs.list_dollars)} without the cache)"
    if costs.unpriced == costs.records:
        money = "no price is known"
    elif costs.unpriced:
        money += f" and {costs.unpriced} attempts without a known price"
    return (
        f"{costs.calls} calls{cached}, {count_words(costs.completion_tokens)} tokens out,"
        f" {count_words(costs.prompt_tokens)} in, {clock_words(costs.seconds)} of solving; {money}"
    )


def _data(spec: Mapping[str, JsonValue]) -> str:
    datasets = spec.get("datasets")
    names = [Path(str(one)).name for one in datasets] if isinstance(datasets, list) else []
    limit = spec.get("limit")
    return ", ".join(names) + (f" (first {limit})" if names and limit else "")


def _arms(spec: Mapping[str, Any]) -> str:
    """The strategies by the models, and how often, as short as they tell the arms apart."""
    asked = spec.get("roles" if spec.get("command") == "judge-bench" else "strategies") or ()
    strategies = [str(one) for one in asked]
    strategies += [str(one.get("strategy", "")) for one in spec.get("arms") or () if isinstance(one, Mapping)]
    named = [one.get("name") if isinstance(one, Mapping) else one for one in spec.get("models") or ()]
    models = [str(one or "default").removeprefix("openai:") for one in named]
    attempts = spec.get("attempts")
    parts = [
        ", ".join(strategies or ["pal"]),
        ", ".join(models),
        f"×{attempts}" if attempts not in (None, 1) else "",
    ]
    return " · ".join(part for part in parts if part)


def _asked(spec: Mapping[str, JsonValue]) -> dict[str, str]:
    """The settings that were given, as people wrote them."""
    given = {key: _given(value) for key, value in spec.items()}
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in given.items()
        if value not in (None, [], {}, False, "")
    }


def _given(value: JsonValue) -> JsonValue:
    """``value`` without what was left out: limits that are not set."""
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if inner is not None}
    return value


def _when(text: str) -> str:
    """A time of the store as a clock on the wall shows it."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
