"""The options of ``mathagent report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[str],
        typer.Argument(help="Runs (an id, its beginning, or last) or files that `bench --output` wrote."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write; its ending says the format: .html, .md, .json, .csv, .tex, .eval, .jsonl."
            " For inspect and nemo also a folder. (Default: report.html, and standard output for text.)",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="html, md, json, csv, latex, inspect (its log) or nemo (its JSONL)."),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            help="For md, csv, latex: summary, comparison, groups, failures, confidence, coverage or items; may be"
            " repeated. (Default: all but items; for csv, summary.)"
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
) -> int:
    """Write a report on runs: one page with everything, or tables, or another tool's files."""
    from mathagent.cli.report import ReportArguments, report_command

    return report_command(
        ReportArguments(runs=tuple(runs), output=output, form=form, tables=tuple(table or ()), title=title)
    )
