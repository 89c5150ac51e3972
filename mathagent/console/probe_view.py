"""A capability record as a table for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mathagent.console.solution_view import counted
from mathagent.models.capability_record import CapabilityRecord, Finding

_MARKS = {
    "yes": "[green]yes[/green]",
    "no": "[yellow]no[/yellow]",
    "measured": "[cyan]measured[/cyan]",
    "failed": "[red]failed[/red]",
    "skipped": "[dim]skipped[/dim]",
}


def show_record(console: Console, record: CapabilityRecord) -> None:
    """Prints the findings, one a line, and what they cost."""
    console.print(f"[bold]{escape(record.model)}[/bold]", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in range(3):
        table.add_column(overflow="fold", no_wrap=column < 2)
    for finding in record.findings:
        table.add_row(finding.test, _MARKS[finding.state], escape(_why(finding)))
    console.print(table)
    usage = record.usage
    cost = f"{counted(usage.calls, 'call')}, {usage.total_tokens} tokens, {record.seconds:.0f} s"
    console.print(f"{cost}; {record.probed_at}, mathagent {record.mathagent}", style="dim", highlight=False)


def finding_line(finding: Finding) -> str:
    """One finding, while the probe runs."""
    return f"{finding.test}: {finding.state} ({finding.detail}; {finding.seconds:.1f} s)"


def _why(finding: Finding) -> str:
    return f"why: {finding.detail}" if finding.state == "failed" else finding.detail
