from pathlib import Path

from prompt_toolkit.history import InMemoryHistory

from mathagent.console.repl_input import open_history


def test_history_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history"
    history, trouble = open_history(path)
    assert trouble == ""
    history.append_string("two\nlines \ud800")
    again, _ = open_history(path)
    assert list(again.load_history_strings()) == ["two\nlines ?"]
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_place_for_it_history_is_only_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history, trouble = open_history(tmp_path / "file" / "history")
    assert isinstance(history, InMemoryHistory)
    assert "no history is kept" in trouble


def test_a_history_that_can_no_longer_be_written_does_not_end_the_session(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history, _ = open_history(path)
    path.unlink()
    path.mkdir()
    history.append_string("still here")
    assert "still here" in history.get_strings()
