"""A report as Markdown, CSV and LaTeX. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

from mathagent.console.clean_text import one_line
from mathagent.console.report_words import NONE, dollars, p_value, percent, points
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
# A formula injection: spreadsheets run a cell that begins with one of these.
_SPREADSHEET_RUNS = ("=", "+", "-", "@", "\t", "\r")


def report_markdown(report: Report, tables: Sequence[Table]) -> str:
    """The tables under headings, as GitHub's Markdown has them; what was written by others is escaped."""
    sources = f" from {', '.join(report.sources)}" if report.sources else ""
    made = f"Made {report.made} by mathagent {report.version}{sources}."
    blocks = [f"# {_markdown(report.title)}", _markdown(made)]
    blocks += [f"## {table.title}\n\n{_markdown_table(table)}" for table in tables]
    return "\n\n".join(blocks) + "\n"


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


def report_latex(tables: Sequence[Table]) -> str:
    """The tables for a paper: needs the package booktabs, and graphicx for tables wider than a line."""
    blocks = [r"% \usepackage{booktabs,graphicx}; names in other scripts need XeLaTeX or LuaLaTeX"]
    return "\n\n".join([*blocks, *map(_latex_table, tables)]) + "\n"


def _latex_table(table: Table) -> str:
    """A table without the columns that say the same, or nothing, in every row."""
    kept = [place for place in range(len(table.columns)) if _says_something(table, place)]
    columns = [table.columns[place] for place in kept]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('l' if column.kind == 'text' else 'r' for column in columns)}}}",
        r"\toprule",
        " & ".join(_latex(column.title) for column in columns) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
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
    return "".join(_LATEX_SPECIAL.get(char, char) for char in text)


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
