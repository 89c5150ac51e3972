import json
import webbrowser
from pathlib import Path

import pytest

from mathagent.console.conversation import Conversation, Turn
from mathagent.console.event_log import EventLog
from mathagent.console.repl_files import SolutionFiles, open_page
from mathagent.console.solution_markdown import solution_markdown
from mathagent.errors import UsageError
from mathagent.types import Answer, Candidate, Check, Failure, Problem, Solution, Step

SOLUTION = Solution(
    problem=Problem(text="What is $6 \\cdot 7$?", choices=("41", "42")),
    answer="42",
    confidence=0.8,
    confidence_basis="uncalibrated",
    certificate=(Check(kind="execution", program="6 * 7", expected="42", outcome="holds", claim="it gives 42"),),
    candidates=(
        Candidate(
            steps=(Step(kind="thought", text="See\x1b[2J:"), Step(kind="code", text="s = '```'\n6 * 7")),
            answer=Answer(raw="42", normal="42"),
        ),
        Candidate(failure=Failure(kind="truncated", message="cut")),
    ),
    strategy="pal",
    model="script:x",
    solve_id="abc",
)
TURN = Turn("What is 6*7?", SOLUTION, EventLog(), "pal")


def test_markdown_holds_what_a_reader_needs_and_no_fence_is_broken() -> None:
    page = solution_markdown(SOLUTION)
    assert page.startswith("# Problem\n\nWhat is $6 \\cdot 7$?\n\n- (A) 41\n- (B) 42\n\n## Answer\n\n**42**\n")
    assert "✓ **execution** (weak) it gives 42\n\n```python\n6 * 7\n```" in page
    assert "````python\ns = '```'\n6 * 7\n````" in page
    assert "No answer: truncated: cut" in page
    assert "\x1b" not in page
    assert page.endswith("pal on script:x: 0 calls, 0 + 0 tokens, 0.0 s.\n")
    recalled = solution_markdown(SOLUTION.model_copy(update={"recalled": ("a", "b")}))
    assert recalled.endswith("0.0 s; 2 experiences shown to the model.\n")


def test_the_suffix_says_the_form(tmp_path: Path) -> None:
    files = SolutionFiles()
    for name in ("a.json", "a.md", "a.html", "B.JSON"):
        assert files.save(TURN, str(tmp_path / name)) == tmp_path / name
    assert Solution.model_validate_json((tmp_path / "a.json").read_text()) == SOLUTION
    assert json.loads((tmp_path / "B.JSON").read_text())["answer"] == "42"
    assert "<svg" in (tmp_path / "a.html").read_text()
    with pytest.raises(UsageError, match=r"\.json, \.md or \.html"):
        files.save(TURN, str(tmp_path / "a.txt"))
    with pytest.raises(UsageError, match=r"/save .*cannot write there"):
        files.save(TURN, str(tmp_path / "no" / "a.md"))


def test_only_its_own_files_are_replaced(tmp_path: Path) -> None:
    files, path = SolutionFiles(), tmp_path / "notes.md"
    path.write_text("precious")
    with pytest.raises(UsageError, match="there is such a file already"):
        files.save(TURN, str(path))
    assert path.read_text() == "precious"
    path.unlink()
    files.save(TURN, str(path))
    files.save(TURN, str(path))


def test_a_page_without_a_name_goes_into_a_private_folder(tmp_path: Path) -> None:
    files = SolutionFiles()
    path = files.save_page(TURN, tmp_path / "traces")
    assert path == tmp_path / "traces" / "abc.html"
    assert files.save_page(TURN, tmp_path / "traces") == path
    assert path.parent.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make"):
        files.save_page(TURN, tmp_path / "file")


def test_a_browser_that_would_take_the_terminal_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    assert not open_page(tmp_path / "x.html")

    def none() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert not open_page(tmp_path / "x.html")

    class Window(webbrowser.BackgroundBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
            return url == (tmp_path / "x.html").as_uri()

    monkeypatch.setattr(webbrowser, "get", lambda: Window("firefox"))
    assert open_page(tmp_path / "x.html")


def test_a_conversation_knows_its_last_turn_and_forgets() -> None:
    conversation = Conversation()
    with pytest.raises(UsageError, match="nothing has been solved yet"):
        _ = conversation.last
    conversation.turns.append(TURN)
    conversation.hints.append("x")
    assert conversation.last is TURN
    assert TURN.is_rewritten
    (earlier,) = conversation.earlier()
    assert (earlier.question, earlier.answer) == ("What is $6 \\cdot 7$?", "42")
    conversation.forget()
    assert conversation.earlier() == []
    assert conversation.hints == []
