from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mathagent.console.report_text import LONGEST_FLOAT, report_csv, report_latex, report_markdown
from mathagent.console.report_words import dollars, p_value, percent, points, seconds
from mathagent.evals.metrics import arms
from mathagent.evals.report import Report, make_report
from mathagent.evals.report_tables import TABLES, Column, Table, report_tables
from tests.unit.evals.report_records import record

SPECIAL = 'a_b & 50% $x$ #1 {y} ~ ^ \\ | <b> "q" `c`'


def tables(names: tuple[str, ...] = TABLES, **fields: str) -> tuple[Report, list[Table]]:
    groups = arms([record(0, **fields), record(1, "incorrect", **fields), record(0, strategy="pal")])
    report = make_report(groups, title="T_1", made="now", version="0", sources=["run_1"])
    return report, report_tables(report, groups, names)


def test_markdown_tables_have_one_row_a_line_and_escaped_text() -> None:
    text = report_markdown(*tables(dataset=SPECIAL + "\nnext"))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert all(line.endswith("|") for line in rows)
    assert r"a\_b & 50% \$x\$" in text
    assert r"\| \<b\>" in text
    assert "# T\\_1" in text
    summary = rows[0]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"\|", summary)) for row in rows[1:4])


def test_csv_reads_back_as_it_was() -> None:
    _, [table] = tables(("items",), dataset=SPECIAL + '\n"next"')
    rows = list(csv.DictReader(io.StringIO(report_csv(table))))
    assert rows[0]["dataset"] == SPECIAL + '\n"next"'
    assert (rows[0]["outcome"], rows[0]["answer"], rows[0]["confidence"]) == ("correct", "7", "")
    assert float(rows[0]["seconds"]) == 2.0


@pytest.mark.parametrize(
    ("text", "written"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-3", "-3"), ("-3/4", "-3/4"), ("+2+cmd", "'+2+cmd"), ("50%", "50%")],
)
def test_a_spreadsheet_runs_no_answer(text: str, written: str) -> None:
    table = Table(name="t", title="T", columns=(Column(name="a", title="A", kind="text"),), rows=((text,),))
    assert next(csv.DictReader(io.StringIO(report_csv(table))))["a"] == written


def test_latex_escapes_every_special_character() -> None:
    text = report_latex(*tables(dataset=SPECIAL))
    body = re.sub(r"\\resizebox.*", "", text)
    assert r"a\_b \& 50\% \$x\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{} \textbar{}" in body
    assert r"\textless{}b\textgreater{}" in body
    for special in "#$%&_":
        bare = re.sub(r"(?m)^%.*$", "", body).replace(" & ", " ")
        bare = re.sub(r"\$[-+<][^$&]*\$", "", bare)  # numbers in math mode
        assert not re.search(rf"(?<!\\){re.escape(special)}", bare)


def test_latex_rows_have_as_many_cells_as_columns() -> None:
    for table in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", report_latex(*tables()), re.DOTALL):
        columns = re.match(r"\\begin\{tabular\}\{([lr]+)\}", table)
        assert columns is not None
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert rows
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(columns[1]) - 1 for row in rows)
        assert table.count("{") == table.count("}")
        assert [table.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


NASTY = (
    '[1] "a"',
    "*",
    "x — “y” … é ß ≤ π × 90° → µ",
    SPECIAL,
    "\\",
    "{",
    "}",
    "%",
    "a\\\\b",
    "--",
    "-1",
    "^",
    "~",
)


def test_latex_of_many_rows_and_of_rows_that_look_like_options() -> None:
    columns = (Column(name="a", title="A", kind="text"), Column(name="b", title="B", kind="points"))
    rows = tuple((text, 0.1) for text in NASTY) + tuple((f"row {n}", -0.1) for n in range(LONGEST_FLOAT))
    text = report_latex(tables()[0], [Table(name="t", title="T", columns=columns, rows=rows)])
    assert r"{}[1] ''a''" in text
    assert r"\ensuremath{\le} \ensuremath{\pi} \ensuremath{\times}" in text
    assert re.findall(r"\\caption\{(.*?)\}", text) == ["T (1 of 2)", "T (2 of 2)"]
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:t", "tab:t-2"]
    assert len(re.findall(r"(?m)\\\\$", text)) == len(rows) + 2
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    for line in text.splitlines():
        assert not re.match(r"\s*[\[*]", line)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_as_it_is(tmp_path: Path) -> None:
    columns = (Column(name="a", title="A_1", kind="text"), Column(name="b", title="B - A", kind="points"))
    long = Table(name="t", title="T & U", columns=columns, rows=tuple((text, 0.1) for text in NASTY * 4))
    report, some = tables(dataset=SPECIAL)
    (tmp_path / "tables.tex").write_text(report_latex(report, [*some, long]), encoding="utf-8")
    document = [r"\documentclass{article}\usepackage{booktabs,graphicx}", r"\begin{document}"]
    document += [r"\input{tables.tex}", r"\end{document}"]
    (tmp_path / "paper.tex").write_text("\n".join(document), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert (tmp_path / "paper.pdf").exists()
    assert "Float too large" not in ended.stdout
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")


def test_numbers_as_people_write_them() -> None:
    assert [percent(0.5), percent(None), percent(0.123, 0)] == ["50.0%", "–", "12%"]
    assert [points(0.031), points(-0.2)] == ["+3.1", "-20.0"]
    assert [dollars(None), dollars(0), dollars(0.0000975), dollars(1234.5)] == [
        "–",
        "$0",
        "$0.0000975",
        "$1,234.50",
    ]
    assert [p_value(1e-9), p_value(0.00214), p_value(0.0104), p_value(0.5)] == [
        "< 0.0001",
        "0.0021",
        "0.010",
        "0.50",
    ]
    assert [seconds(None), seconds(1.234), seconds(12.34), seconds(1234.5)] == ["cached", "1.23", "12.3", "1,234"]
