import io
import re

import pytest
from rich.console import Console

from mathagent.console.page import Page
from mathagent.console.repl_commands import parse_command
from mathagent.console.repl_session import ReplOptions, Session
from mathagent.errors import UnknownName, UsageError


class Typed:
    """A session with what it printed."""

    def __init__(self, **options: object) -> None:
        self.out = io.StringIO()
        first = ReplOptions.model_validate({"model": "script:x", "strategy": "pal", **options})
        self.session = Session(first, Page(Console(file=self.out)))

    def type(self, line: str) -> str:
        self.out.truncate(self.out.seek(0))
        command = parse_command(line)
        assert command is not None
        self.session.run(command)
        return re.sub("  +", "\t", self.out.getvalue())


def test_strategies_are_listed_with_summary_and_paper() -> None:
    text = Typed().type("/strategy")
    assert "* pal\tWrite a program" in text
    assert "arXiv 2205.11916" in text


def test_choosing_a_strategy_keeps_the_settings_it_has() -> None:
    typed = Typed(strategy="self-consistency", config={"n": 8, "over": "cot"})
    assert typed.type("/strategy pal") == "strategy pal; it has no over: dropped\n"
    assert typed.session.options.strategy == "pal"
    assert typed.session.options.config == {"n": 8}


def test_an_unknown_strategy_or_model_changes_nothing() -> None:
    typed = Typed()
    before = typed.session.options
    with pytest.raises(UnknownName, match="did you mean pal"):
        typed.type("/strategy pall")
    with pytest.raises(UnknownName, match=r"did you mean embedded:qwen2\.5-coder"):
        typed.type("/model embeded:qwen2.5-coder-1.5b")
    with pytest.raises(UsageError, match="key=value"):
        typed.type("/strategy pal cot")
    with pytest.raises(UsageError, match="no setting 'over'"):
        typed.type("/strategy pal over=cot")
    with pytest.raises(UsageError, match="one name"):
        typed.type("/model a b")
    assert typed.session.options == before
    assert not typed.session.solver_is_stale


def test_another_model_asks_for_another_solver_and_forgets_a_foreign_address() -> None:
    typed = Typed(model="openai:gpt", base_url="http://localhost:1/v1")
    typed.type("/model script:y")
    assert typed.session.solver_is_stale
    assert typed.session.options.base_url is None
    typed.type("/model openai:other")
    assert typed.session.options.base_url == "http://localhost:1/v1"


def test_the_session_refuses_to_start_with_unknown_names() -> None:
    with pytest.raises(UnknownName):
        Typed(strategy="nope")
    with pytest.raises(UnknownName):
        Typed(model="nope:x")


def test_settings_are_checked_shown_and_marked() -> None:
    typed = Typed()
    text = typed.type("/set n=4 answer_from=stdout")
    assert "* n=4\tSamples" in text
    assert "\ttop_p=1.0\t" in text
    assert "* answer_from=stdout\t" in text
    with pytest.raises(UsageError, match="no setting 'depth'"):
        typed.type("/set depth=3")
    assert typed.session.options.config == {"n": 4, "answer_from": "stdout"}


def test_budget_help_and_models_are_told() -> None:
    typed = Typed()
    assert typed.type("/budget calls=8") == "budget of each solve: calls=8\n"
    assert "/strategy [NAME [key=value ...]]\t" in typed.type("/help")
    assert "* script:x\tanswers now" in typed.type("/model")


def test_a_strategy_is_chosen_with_settings_or_only_shown() -> None:
    typed = Typed()
    assert "* n=8\t" in typed.type("/strategy self-consistency n=8")
    assert typed.session.options.config == {"n": 8}
    shown = typed.type("/strategy show cot")
    assert "arXiv 2205.11916" in shown
    assert "end" in shown
    assert typed.session.options.strategy == "self-consistency"


def test_tools_and_debug_are_told() -> None:
    typed = Typed()
    assert "python" in typed.type("/tools")
    assert typed.type("/debug on") == "debug on\n"
    assert typed.session.debug
    assert typed.type("/debug") == "debug off\n"
    with pytest.raises(UsageError, match="on or off"):
        typed.type("/debug maybe")


def test_a_command_about_solutions_is_not_the_sessions() -> None:
    command = parse_command("/why")
    assert command is not None
    assert not Typed().session.run(command)


def test_setting_names_come_without_loading_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = Typed()
    typed.type("/strategy pal")  # loads it
    assert "answer_from=" in typed.session.setting_names()
    monkeypatch.delitem(__import__("sys").modules, "mathagent.strategies.pal")
    assert typed.session.setting_names() == {}


def test_a_composition_is_chosen_shown_and_set() -> None:
    typed = Typed()
    assert typed.type("/strategy pal|vote(cot, tir)") == "strategy pal | vote(cot, tir)\n"
    assert typed.session.options.strategy == "pal | vote(cot, tir)"
    assert "* threshold=0.7\t" in typed.type("/strategy (pal | cot) threshold=0.7")
    assert typed.session.options.config == {"threshold": 0.7}
    assert "* n=2\t" in typed.type("/set n=2")
    shown = typed.type("/strategy show")
    assert "pal; where it is unsure, cot." in shown
    assert "1 pal" in shown
    assert "1 cot" in typed.type("/strategy show cot & pal")
    for wrong, message in (
        ("pal |", "at its end"),
        ("pal | coot", "no strategy is named"),
        ("pal(m=1)", "no setting"),
    ):
        with pytest.raises(UsageError, match=message):
            typed.type(f"/strategy {wrong}")
    assert typed.session.options.strategy == "pal | cot"
