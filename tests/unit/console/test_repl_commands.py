from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from mathagent.budget import Budget
from mathagent.console.repl_commands import (
    COMMANDS,
    Command,
    CommandCompleter,
    changed_budget,
    changed_settings,
    describe_budget,
    is_unfinished,
    parse_command,
)
from mathagent.errors import UnknownName, UsageError


def test_a_line_without_a_slash_is_a_problem() -> None:
    assert parse_command("What is 1/2?") is None
    assert parse_command("") is None


def test_commands_are_read_whatever_their_case() -> None:
    assert parse_command("  /Strategy  pal ") == Command("/strategy", ("pal",), "pal")
    assert parse_command("/exit") == Command("/quit")
    assert parse_command("/hint two  words").text == "two  words"  # type: ignore[union-attr]


def test_a_command_that_takes_nothing_says_so() -> None:
    with pytest.raises(UsageError, match="/why takes nothing"):
        parse_command("/why not")


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean /strategy"):
        parse_command("/stratgy pal")
    with pytest.raises(UnknownName, match="/budget, /candidates"):
        parse_command("/xyzzy")


def test_a_budget_is_changed_limit_by_limit() -> None:
    budget = changed_budget(Budget(max_calls=3), ("seconds=1.5", "tokens=200"))
    assert budget == Budget(max_calls=3, max_seconds=1.5, max_tokens=200)
    assert changed_budget(budget, ("seconds=none", "calls=")) == Budget(max_tokens=200)
    assert describe_budget(budget) == "tokens=200 seconds=1.5 calls=3"
    assert describe_budget(Budget()) == "no limit"
    assert changed_budget(budget, ("none",)) == Budget()


@pytest.mark.parametrize("word", ["tokens=abc", "tokens=0", "seconds=-1", "calls=1.5", "money=3", "tokens", "=3"])
def test_a_wrong_limit_is_named(word: str) -> None:
    with pytest.raises(UsageError, match=word.partition("=")[0] or "limit"):
        changed_budget(Budget(), (word,))


def test_settings_are_set_and_restored() -> None:
    assert changed_settings({"n": 4}, ("over=cot", "stdout_fallback=false")) == {
        "n": 4,
        "over": "cot",
        "stdout_fallback": False,
    }
    assert changed_settings({"n": 4, "over": "cot"}, ("n=",)) == {"over": "cot"}
    with pytest.raises(UsageError, match="key=value"):
        changed_settings({}, ("n",))


@pytest.mark.parametrize(
    "text",
    ["$$x", "a\n\\[ x = 1", "\\begin{cases} 1", "more\\", "$$a$$ and $$b", "\\[1\\] \\[2", ">>> if 1:", "!f(1,"],
)
def test_what_is_unfinished(text: str) -> None:
    assert is_unfinished(text)
    assert not is_unfinished(text.rstrip("\\") + "\n"), "an empty line must always be able to end it"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2+2",
        "it costs $5",
        "$$x$$",
        "\\[x\\]",
        "\\begin{cases}1\\end{cases}",
        "a \\\\[2pt] b",
        "end \\\\",
        "/set $$",
        ">>> x = 1",
        "!x",
        "!)(",
    ],
)
def test_what_is_finished(text: str) -> None:
    assert not is_unfinished(text)


@given(st.text(alphabet="$\\[]{}begin x\n", max_size=40))
def test_at_most_two_more_returns_end_any_text(text: str) -> None:
    if is_unfinished(text):
        text = text.removesuffix("\\") + "\n"
    assert not is_unfinished(text)


def completions(text: str) -> list[str]:
    completer = CommandCompleter(lambda name: {"n=": "", "over=": ""} if name != "pal" else {"answer_from=": ""})
    return [one.text for one in completer.get_completions(Document(text), CompleteEvent())]


def test_commands_strategies_models_limits_and_settings_are_completed() -> None:
    assert completions("/str") == ["/strategy "]
    assert completions("/q") == ["/quit"]
    assert [one.strip() for one in completions("/")] == list(COMMANDS)
    assert completions("/strategy self") == ["self-consistency"]
    assert completions("/strategy sh") == ["show"]
    assert completions("/strategy show self") == ["self-consistency"]
    assert completions("/strategy pal n=3 ans") == ["answer_from="]
    assert completions("/retry n") == ["n="]
    assert completions("/debug o") == ["on", "off"]
    assert "embedded:qwen2.5-coder-0.5b" in completions("/model emb")
    assert completions("/budget tokens=3 se") == ["seconds="]
    assert completions("/set o") == ["over="]


def test_files_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text("")
    assert completions("/save no") == ["tes.md"]


def test_a_problem_is_left_alone() -> None:
    assert completions("what is /str") == []
    assert completions("line\n/str") == []
