"""mathagent report: runs as a page for people, as tables for papers, as files for other tools."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mathagent import __version__
from mathagent.console.trace_file import TraceFile
from mathagent.errors import UsageError
from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.evals.metrics import ArmRecords
    from mathagent.evals.report import Report
    from mathagent.evals.report_coverage import ArmCoverage
    from mathagent.evals.report_search import ArmSearch

SUFFIXES = {
    ".html": "html",
    ".htm": "html",
    ".md": "md",
    ".json": "json",
    ".csv": "csv",
    ".tex": "latex",
    ".eval": "inspect",
    ".jsonl": "nemo",
}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
DEFAULT_PAGE = Path("report.html")
IN_TEXT = ("summary", "comparison", "groups", "failures", "confidence", "coverage", "search")


class ReportArguments(Value):
    """The parsed arguments: ``tables`` are names of tables, none: those that the format shows by itself."""

    runs: tuple[str, ...]
    output: Path | None = None
    form: str | None = None
    tables: tuple[str, ...] = ()
    title: str | None = None


def report_command(arguments: ReportArguments) -> int:
    """Writes the report; exit code 0. Raises UsageError for what cannot be read or written, StorageError."""
    from mathagent.evals.metrics.arms import arms_of_runs
    from mathagent.evals.runs import load_runs

    form = _format(arguments)
    _check_tables(form, arguments.tables)
    groups = arms_of_runs(load_runs(arguments.runs))
    if not groups:
        raise UsageError("these runs hold no records yet; `mathagent bench` makes some")
    if form in ("inspect", "nemo"):
        return _export(form, groups, arguments.output)
    output = arguments.output or (DEFAULT_PAGE if form == "html" else None)
    file = None if output is None else TraceFile(output, wanted_by="--output", what="the report")
    text = _render(form, arguments, groups)
    if file is None:
        sys.stdout.write(text)
    else:
        file.write(text)
        Console(stderr=True).print(f"wrote {output}", markup=False, highlight=False)
    return 0


def _format(arguments: ReportArguments) -> str:
    """The format that was asked for, or the one that the file's name says; a page otherwise."""
    if arguments.form is not None:
        if arguments.form not in FORMATS:
            raise UsageError(f"--format {arguments.form}: there is no such format; there are {', '.join(FORMATS)}")
        return arguments.form
    if arguments.output is None:
        return "html"
    form = SUFFIXES.get(arguments.output.suffix.lower())
    if form is None:
        raise UsageError(
            f"--output {arguments.output}: which format? give --format ({', '.join(FORMATS)}), or a name that ends in"
            f" {', '.join(SUFFIXES)}"
        )
    return form


def _check_tables(form: str, tables: Sequence[str]) -> None:
    from mathagent.evals.report_tables import TABLES

    unknown = [name for name in tables if name not in TABLES]
    if unknown:
        raise UsageError(f"--table {unknown[0]}: a report has no such table; it has {', '.join(TABLES)}")
    if tables and form not in ("md", "csv", "latex"):
        raise UsageError(f"--table is for md, csv and latex; {form} has everything")
    if form == "csv" and len(tables) > 1:
        raise UsageError("a CSV file holds one table; give --table once")


def _render(form: str, arguments: ReportArguments, groups: Sequence[ArmRecords]) -> str:
    report = _assemble(arguments, groups)
    if form == "html":
        return _page(report, groups)
    if form == "json":
        return json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
    from mathagent.console.report_text import report_csv, report_latex, report_markdown
    from mathagent.evals.report_tables import report_tables

    names = arguments.tables or (("summary",) if form == "csv" else IN_TEXT)
    tables = report_tables(report, groups, names)
    if form == "md":
        return report_markdown(report, tables)
    if form == "latex":
        return report_latex(report, tables)
    if not tables:
        raise UsageError(f"the table '{names[0]}' is empty: these records hold nothing for it")
    return report_csv(tables[0])


def _assemble(arguments: ReportArguments, groups: Sequence[ArmRecords]) -> Report:
    from mathagent.evals.report import make_report

    coverage, search = _of_answers(groups)
    return make_report(
        groups,
        title=arguments.title or default_title(groups),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        sources=[Path(run).name for run in arguments.runs],
        coverage=coverage,
        search=search,
    )


def default_title(groups: Sequence[ArmRecords]) -> str:
    """``gsm8k, math500: cot, pal``."""
    datasets = ", ".join(dict.fromkeys(group.dataset for group in groups))
    strategies = ", ".join(dict.fromkeys(group.strategy for group in groups))
    return f"{datasets}: {strategies}"


def _of_answers(groups: Sequence[ArmRecords]) -> tuple[dict[int, ArmCoverage], dict[int, ArmSearch]]:
    """What needs answers to be compared, some of them in a worker process."""
    from mathagent.evals.report_coverage import coverages, is_sampled
    from mathagent.evals.report_search import is_search, searches

    if not any(is_sampled(group) or is_search(group) for group in groups):
        return {}, {}
    from mathagent.answers.compare import AnswerComparer
    from mathagent.sandbox.confined_calls import ConfinedCalls

    async def compute() -> tuple[dict[int, ArmCoverage], dict[int, ArmSearch]]:
        calls = ConfinedCalls()
        comparer = AnswerComparer(calls.call)
        try:
            return await coverages(groups, comparer), await searches(groups, comparer)
        finally:
            await calls.aclose()

    return asyncio.run(compute())


def _page(report: Report, groups: Sequence[ArmRecords]) -> str:
    from rich.progress import Progress

    from mathagent.console.report_page import report_page

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("drawing traces", total=sum(dataset.items for dataset in report.datasets))
        return report_page(
            report,
            groups,
            processes=os.cpu_count() or 1,
            on_drawn=lambda items: progress.advance(task, items),
        )


def _export(form: str, groups: Sequence[ArmRecords], output: Path | None) -> int:
    """Writes one file for all, or, into a folder, files for each arm."""
    console = Console(stderr=True)
    if output is None:
        raise UsageError(f"--format {form} needs --output: a file, or a folder for the files of each arm")
    files = _export_files(form, groups, output)
    try:
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {output}: cannot make the folder ({error.strerror}); name another") from error
    for path, content in files.items():
        TraceFile(path, wanted_by="--output", what="the export").write(content)
        console.print(f"wrote {path}", markup=False, highlight=False)
    return 0


def _export_files(form: str, groups: Sequence[ArmRecords], output: Path) -> dict[Path, str | bytes]:
    from mathagent.evals.exports import file_name
    from mathagent.evals.exports.inspect_log import inspect_log, log_name
    from mathagent.evals.exports.nemo_lines import nemo_files, nemo_jsonl

    into_folder = output.is_dir() or not output.suffix
    if form == "inspect":
        if into_folder:
            return {output / log_name(group, number): inspect_log(group) for number, group in enumerate(groups)}
        if len(groups) > 1:
            raise UsageError(
                f"--output {output}: inspect's logs hold one arm each, and here are {len(groups)}; name a folder"
            )
        return {output: inspect_log(groups[0])}
    if not into_folder:
        return {output: nemo_jsonl([record for group in groups for record in group.records])}
    return {
        output / file_name(group.name) / file_name(group.dataset) / name: content
        for group in groups
        for name, content in nemo_files(group.records).items()
    }
