"""The table of strategies is filled in, and the pages that are made from the code are as the code is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from mathagent.agents.strategy import KINDS, NEEDS, Strategy
from mathagent.strategies import STRATEGIES

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "generate.py"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", GENERATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STRATEGIES.table)
def test_every_strategy_fills_in_its_row_of_the_table(name: str) -> None:
    strategy: Strategy = STRATEGIES.load(name)
    assert strategy.kind in KINDS, f"{name}: give Strategy(kind=…), one of {KINDS}"
    assert strategy.calls is not None, f"{name}: give Strategy(calls=(least, most))"
    least, most = strategy.calls
    assert 1 <= least <= most
    assert strategy.needs is not None, f"{name}: give Strategy(needs=…), () for nothing"
    assert set(strategy.needs) <= set(NEEDS)
    assert len(set(strategy.needs)) == len(strategy.needs)


def test_every_kind_has_a_strategy() -> None:
    assert {STRATEGIES.load(name).kind for name in STRATEGIES.table} == set(KINDS)


def test_the_pages_are_up_to_date() -> None:
    module = generator()
    stale = [path.name for path in module.stale(module.pages())]
    assert stale == [], "run: python docs/generate.py"


def test_papers_names_every_paper_that_the_code_names() -> None:
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    data_sets = ROOT / "mathagent" / "evals" / "datasets"  # their papers stand in docs/datasets.md
    missing = {
        (path.name, number)
        for path in (ROOT / "mathagent").rglob("*.py")
        if data_sets not in path.parents
        for number in re.findall(r"arXiv\s+(\d{4}\.\d{4,5})", path.read_text(encoding="utf-8"))
        if f"[{number}]" not in text
    }
    assert missing == set()


def test_papers_names_every_paper_of_every_strategy_and_its_title() -> None:
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    for name in STRATEGIES.table:
        for number in re.findall(r"arXiv (\d{4}\.\d{4,5})", STRATEGIES.load(name).paper):
            assert re.search(rf"^\| \S.* \| \[{number}\].* \| \[{name}\]", text, re.MULTILINE), (name, number)
