"""What our grader says about the test tables of public graders, item by item: writes docs/grading-tables.md.

usage: python benchmarks/grader_tables.py [--check]
The tables are tests/unit/evals/grader_cases/*.toml; that each of our verdicts in them is true is a test
(tests/unit/evals/test_grader_cases.py), which also holds the page against them. --check only compares.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "unit" / "evals" / "grader_cases"
PAGE = ROOT / "docs" / "grading-tables.md"
HEAD = """\
# The grader on the test tables of others

Written by `benchmarks/grader_tables.py`; a test holds it true. See [grading.md](grading.md) for what the verdicts mean.
"Theirs" is what the source says or expects (=: equal, ≠: different), "ours" our verdict: = correct, ≠ incorrect, ?
undecided. A verdict that differs from theirs says why.
"""
OURS = {"correct": "=", "incorrect": "≠", "undecided": "?"}


def tables() -> dict[str, dict[str, Any]]:
    """The tables by file name."""
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.toml"))}


def verdict(case: dict[str, Any]) -> str:
    """Our verdict on a case: theirs, where the table does not say otherwise."""
    return str(case.get("ours", "correct" if case["equal"] else "incorrect"))


def page() -> str:
    """The Markdown page."""
    loaded = tables()
    lines = [HEAD, "| table | items | as theirs | undecided | different |", "|---|---:|---:|---:|---:|"]
    for table in loaded.values():
        undecided = sum(verdict(case) == "undecided" for case in table["case"])
        others = sum("ours" in case for case in table["case"]) - undecided
        same = len(table["case"]) - undecided - others
        lines.append(f"| {table['title']} | {len(table['case'])} | {same} | {undecided} | {others} |")
    for table in loaded.values():
        lines += ["", f"## {table['title']}", "", f"Source: {table['source']}", ""]
        lines += ["| reference | answer | theirs | ours | |", "|---|---|:-:|:-:|---|"]
        for case in table["case"]:
            theirs = "=" if case["equal"] else "≠"
            cells = [_code(case["reference"]), _code(case["answer"]), theirs, OURS[verdict(case)]]
            lines.append(f"| {' | '.join(cells)} | {case.get('why', '')} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    shown = text.replace("\n", "⏎").replace("|", "\\|")
    mark = "``" if "`" in shown else "`"
    return f"{mark}{shown}{mark}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    text = page()
    if parser.parse_args().check:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
