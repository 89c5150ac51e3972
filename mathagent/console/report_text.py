"""A report as Markdown, CSV and LaTeX. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

from mathagent.console.clean_text import one_line
from mathagent.console.report_words import NONE, dollars, p_value, percent, points
from mathagent.evals.metrics.arms import copies_words
from mathagent.evals.report import Report
from mathagent.evals.report_tables import Cell, Column, Table

LONGEST_CELL = 200
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$])")
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "-": r"{-}",  # two in a row would become a dash
    "–": "--",
    "`": r"\textasciigrave{}",
}
# What pdfLaTeX knows in formulas only.
_LATEX_FORMULA = dict(
    re.findall(
        r"(.)=(\S+)",
        "≤=le ≥=ge ≠=neq ≈=approx ±=pm ×=times ÷=div ·=cdot →=to ←=leftarrow ⇒=Rightarrow ↔=leftrightarrow"
        " −=mathord{-} ∞=infty √=surd ∑=sum ∏=prod ∫=int ∈=in ∪=cup ∩=cap °=relax^\\circ α=alpha β=beta γ=gamma"
        " δ=delta ε=varepsilon θ=theta λ=lambda μ=mu µ=mu π=pi σ=sigma τ=tau φ=varphi ω=omega Δ=Delta",
    )
)
LONGEST_FLOAT = 40
"""Rows of a LaTeX table, which cannot be broken between pages; a longer one goes on in another."""
# A formula injection: spreadsheets run a cell that begins with one of these.
_SPREADSHEET_RUNS = ("=", "+", "-", "@", "\t", "\r")


def report_markdown(report: Report, tables: Sequence[Table]) -> str:
    """The tables under headings, as GitHub's Markdown has them; what was written by others is escaped."""
    sources = f" from {', '.join(report.sources)}" if report.sources else ""
    made = f"Made {report.made} by mathagent {report.version}{sources}."
    blocks = [f"# {_markdown(report.title)}", _markdown(made)]
    blocks += [f"## {table.title}\n\n{_markdown_table(table)}" for table in tables]
    blocks += [_markdown(note) for note in _notes(report)]
    return "\n\n".join(blocks) + "\n"


def _notes(report: Report) -> list[str]:
    """What must be known beside the tables."""
    return [
        one_line(f"{dataset.name}: {copies_words(dataset.copies)}.")
        for dataset in report.datasets
        if dataset.copies
    ]


def _markdown_table(table: Table) -> str:
    rows = [
        [column.title for column in table.columns],
        ["---" if column.kind == "text" else "---:" for column in table.columns],
        *([_markdown(cell) for cell in _cells(table.columns, row)] for row in table.rows),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text)


def report_csv(table: Table) -> str:
    """One table, values unrounded, an empty cell for none (RFC 4180, with the names of the columns).

    A text that a spreadsheet would run as a formula stands behind an apostrophe, as their own import writes it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow([_csv_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)])
    return buffer.getvalue()


def _csv_cell(column: Column, cell: Cell) -> Cell:
    """Numbers stay numbers, also those that an answer is: -3 is no formula."""
    if column.kind != "text" or not isinstance(cell, str):
        return "" if cell is None else cell
    text = cell.replace("\x00", "")
    return f"'{text}" if text.startswith(_SPREADSHEET_RUNS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+([.,/][0-9]+)?%?", text) is not None


def report_latex(report: Report, tables: Sequence[Table]) -> str:
    """The tables for a paper: needs the package booktabs, and graphicx for tables wider than a line."""
    blocks = [r"% \usepackage{booktabs,graphicx}; names in other scripts need XeLaTeX or LuaLaTeX"]
    blocks += [f"% {note}" for note in _notes(report)]
    return "\n\n".join([*blocks, *(part for table in tables for part in _latex_parts(table))]) + "\n"


def _latex_parts(table: Table) -> list[str]:
    """A table without the columns that say the same, or nothing, in every row: one float, or as many as it takes."""
    starts = range(0, len(table.rows), LONGEST_FLOAT)
    return [
        _latex_table(table, table.rows[start : start + LONGEST_FLOAT], part, len(starts))
        for part, start in enumerate(starts, start=1)
    ]


def _latex_table(table: Table, rows: Sequence[Sequence[Cell]], part: int, parts: int) -> str:
    kept = [place for place in range(len(table.columns)) if _says_something(table, place)]
    columns = [table.columns[place] for place in kept]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.title)}{f' ({part} of {parts})' if parts > 1 else ''}}}",
        rf"\label{{tab:{table.name}{f'-{part}' if part > 1 else ''}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('l' if column.kind == 'text' else 'r' for column in columns)}}}",
        r"\toprule",
        " & ".join(_latex(column.title) for column in columns) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        cells = _cells(columns, [row[place] for place in kept])
        lines.append(
            " & ".join(_latex_value(column, cell) for column, cell in zip(columns, cells, strict=True)) + r" \\"
        )
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table}"]
    return "\n".join(lines)


def _says_something(table: Table, place: int) -> bool:
    values = {row[place] for row in table.rows}
    if table.columns[place].name in ("dataset", "by", "test"):
        return len(values) > 1
    return values != {None} and not (table.columns[place].name in ("undecided", "errors") and values == {0})


def _latex_value(column: Column, cell: str) -> str:
    """Numbers with a true minus sign."""
    if column.kind != "text" and re.match(r"[-+<]", cell):
        return f"${cell.replace('%', chr(92) + '%')}$"
    return _latex(cell)


def _latex(text: str) -> str:
    """Escaped. A row that begins with a bracket or an asterisk would be read as an option of the line before."""
    formula = {char: rf"\ensuremath{{\{name}}}" for char, name in _LATEX_FORMULA.items()}
    written = "".join(_LATEX_SPECIAL.get(char) or formula.get(char, char) for char in text)
    return f"{{}}{written}" if written.startswith(("[", "*")) else written


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> list[str]:
    """The cells of a row as people read them."""
    return [_words(column, cell) for column, cell in zip(columns, row, strict=True)]


def _words(column: Column, cell: Cell) -> str:
    if cell is None:
        return NONE
    if isinstance(cell, str):
        return one_line(cell, LONGEST_CELL)
    if column.kind == "count":
        return f"{cell:,}"
    if column.kind == "amount":
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.1f}" if cell >= 10 else f"{cell:.2f}"
    words: dict[str, Callable[[float], str]] = {
        "share": percent,
        "points": points,
        "p": p_value,
        "dollars": dollars,
    }
    return words[column.kind](cell) if column.kind in words else f"{cell:.3f}"
