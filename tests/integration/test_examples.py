"""Every example runs, as its reader would run it, with a scripted model."""

from __future__ import annotations

import ast
import asyncio
import csv
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"
BOXED = "So it is \\boxed{42}."


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes MATHAGENT_MODEL a script of these replies; gives its name."""

    def write(*replies: str) -> str:
        path = tmp_path / "script.json"
        path.write_text(json.dumps(replies), encoding="utf-8")
        monkeypatch.setenv("MATHAGENT_MODEL", f"script:{path}")
        return f"script:{path}"

    return write


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_script(model: Any) -> None:
    done = run(str(EXAMPLES / "solve_script.py"), "What is 6*7?", "-s", "pal", "-m", model(PROGRAM))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "  a program ran: ok, value 42" in lines
    assert "  a candidate: 42" in lines
    assert lines[-1].startswith("42  (confidence ")


def test_batch_over_a_csv(model: Any, tmp_path: Path) -> None:
    problems, answers = tmp_path / "problems.csv", tmp_path / "answers.csv"
    problems.write_text("id,problem\na,What is 6*7?\nb,\nc,What is 42?\n", encoding="utf-8")
    arguments = (str(problems), str(answers), "-s", "cot", "--concurrency", "1")
    done = run(str(EXAMPLES / "batch_csv.py"), *arguments, "-m", model(BOXED, BOXED))
    assert done.returncode == 3, done.stderr
    with answers.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["answer"]) for row in rows] == [("a", "42"), ("b", ""), ("c", "42")]
    assert rows[1]["error"].startswith("UsageError: the problem is empty")
    assert not rows[0]["error"]


def test_langgraph_app(model: Any) -> None:
    """The app by itself, and by the rules by which ``langgraph dev`` finds graphs: file and name in langgraph.json."""
    folder = EXAMPLES / "langgraph-app"
    model(PROGRAM)
    done = run("app.py", "Please: What is 6*7?", cwd=folder)
    assert done.stdout == "The answer is 42; checks that hold: 1.\n", done.stderr
    config = json.loads((folder / "langgraph.json").read_text(encoding="utf-8"))
    file, _, name = config["graphs"]["math-app"].partition(":")
    probe = (
        f"import {Path(file).stem} as app; graph = app.{name};"
        " print(type(graph).__name__, *sorted(graph.get_input_jsonschema()['properties']))"  # Studio's form
    )
    done = run("-c", probe, cwd=folder)
    assert done.stdout == "CompiledStateGraph problem question reply solution\n", done.stderr


def test_notebook(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in order, as IPython runs them: on a loop that runs already, with await at the top level."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    model(PROGRAM, "Because \\boxed{42}.", "\\boxed{4}")  # the second 6*7 comes from the cache
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = asyncio.run(run_cells(cells))
    assert "<msqrt>" in shown[1]._repr_html_()
    assert shown[1].answer == "42"
    assert shown[2] == "42"  # from the cache
    assert shown[4] == [("42", None), ("4", None), (None, "UsageError")]


async def run_cells(cells: list[str]) -> list[Any]:
    """What the last expression of each cell is (None: it ends with none)."""
    names: dict[str, Any] = {"__name__": "__main__"}
    values: list[Any] = []
    for cell in cells:
        tree = ast.parse(cell)
        if isinstance(last := tree.body[-1], ast.Expr):
            target = ast.Name("_shown", ast.Store())
            tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        code = compile(ast.fix_missing_locations(tree), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names.pop("_shown", None)
        value = eval(code, names)
        if inspect.isawaitable(value):
            await value
        values.append(names.get("_shown"))
    return values
