from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from mathagent.agents.strategy import StrategyConfig
from mathagent.cli import run
from mathagent.cli.strategies import described_settings
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES

PLUGIN = """
'''Guess: says what comes to mind.

It has no paper; this is a test.
'''
from dataclasses import replace

from mathagent.strategies.cot import STRATEGY as COT

STRATEGY = replace(COT, name="guess", summary="Say what comes to mind.", paper="none (arXiv 0000.00000)")
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings one strategy that works, and one that does not import."""
    (tmp_path / "guessing.py").write_text(PLUGIN)
    info = tmp_path / "guessing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guessing\nVersion: 1.0\n")
    points = "[mathagent.strategies]\nguess = guessing:STRATEGY\nbroken = no_such_module:STRATEGY\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "guessing", raising=False)


def test_list_names_every_strategy_its_summary_and_its_paper(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(STRATEGIES.table)
    for name in STRATEGIES.table:
        strategy = STRATEGIES.load(name)
        (line,) = [line for line in shown if line.split()[0] == name]
        assert strategy.summary in line
        assert strategy.paper in line
        assert ("(the default)" in line) == (name == DEFAULT_STRATEGY)


def test_list_has_plugins_and_survives_a_broken_one(plugins: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "list", "--json"]) == 0
    captured = capsys.readouterr()
    rows = {row["name"]: row for row in json.loads(captured.out)}
    assert rows.keys() == {*STRATEGIES.table, "guess"}
    assert rows["guess"]["object"] == "guessing:STRATEGY"
    assert [name for name, row in rows.items() if row["default"]] == [DEFAULT_STRATEGY]
    (warning,) = captured.err.strip().splitlines()
    assert "strategy 'broken' cannot be loaded" in warning


def test_show_a_plugin(plugins: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", "guess"]) == 0
    shown = capsys.readouterr().out
    assert "Say what comes to mind." in shown
    assert "It has no paper; this is a test." in shown


@pytest.mark.parametrize("name", STRATEGIES.table)
def test_show_says_what_it_is_its_paper_settings_and_graph(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", name]) == 0
    shown = capsys.readouterr().out
    strategy = STRATEGIES.load(name)
    assert strategy.summary in shown
    assert f"paper: {strategy.paper}" in shown
    assert "\x1b" not in shown
    for field, about in strategy.config.model_fields.items():
        assert f"\n{field} " in shown
        assert (about.description or "?") in shown
    graph = shown.split("Graph:")[1]
    for node in strategy.build(strategy.configure({})).nodes:
        assert node in graph
    assert "start" in graph


def test_show_mermaid_is_the_graph_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", "pal", "--format", "mermaid"]) == 0
    strategy = STRATEGIES.load("pal")
    assert capsys.readouterr().out == strategy.build(strategy.configure({})).compile().get_graph().draw_mermaid()


def test_show_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", "self-consistency", "--format", "json", "--set", "n=4"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "self-consistency"
    assert "arXiv 2203.11171" in shown["paper"]
    settings = {one["name"]: one for one in shown["settings"]}
    assert settings["n"]["default"] == 4
    assert settings["n"]["type"] == "integer from 1 to 256"
    edges = {(edge["source"], edge["target"], edge["conditional"]) for edge in shown["graph"]["edges"]}
    assert ("vote", "sample", True) in edges
    assert shown["mermaid"].count("-.->") == 4  # and two at the start: with a memory, and without


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["self-consistancy"], "did you mean self-consistency"),
        (["pal", "--format", "png"], "it is one of text, mermaid, json"),
        (["pal", "--set", "nn=3"], "has no setting 'nn'"),
        (["pal", "--set", "n=0"], "n = 0 is wrong"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert words in line


def test_settings_in_words() -> None:
    class Config(StrategyConfig):
        share: float = Field(default=0.5, gt=0, lt=1, description="A share.")
        least: int | None = Field(default=None, ge=1, description="Least.")
        kind: Literal["a", "b"] = Field(default="a", description="Kind.")
        names: tuple[str, ...] = Field(default=("x",), description="Names.")
        on: bool = Field(default=True, description="On.")

    words = {one.name: (one.type, one.default) for one in described_settings(Config(share=0.25))}
    assert words["share"] == ("number above 0 and below 1", 0.25)
    assert words["least"] == ("integer at least 1 or null", None)
    assert words["kind"] == ('"a" or "b"', "a")
    assert words["names"] == ("list of text", ["x"])
    assert words["on"] == ("true or false", True)
    assert words["top_p"] == ("number above 0 and at most 1", 1.0)


def test_ascii_terminals_get_an_ascii_graph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mathagent.console.page._encodes", lambda encoding, sample: False)
    assert run(["strategies", "show", "pal"]) == 0
    graph = capsys.readouterr().out.split("Graph:")[1]
    assert graph.isascii()
    assert "+---" in graph
