"""The line editor of the interactive session: history, keys, several lines. prompt_toolkit lives here."""

from __future__ import annotations

from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer
from prompt_toolkit.filters import completion_is_selected, has_completions
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style

from mathagent.console.repl_commands import is_unfinished

_STYLE = Style.from_dict(
    {
        "prompt": "bold",
        # prompt_toolkit's grey boxes are unreadable on some light backgrounds: the terminal's own two colours.
        "completion-menu": "noinherit",
        "completion-menu.completion": "noinherit",
        "completion-menu.completion.current": "noinherit reverse",
        "completion-menu.meta.completion": "noinherit",
        "completion-menu.meta.completion.current": "noinherit reverse",
        "scrollbar.background": "noinherit",
        "scrollbar.button": "noinherit reverse",
    }
)


class _History(FileHistory):
    """History in a file. A convenience: where it cannot be written, the session goes on without it."""

    def store_string(self, string: str) -> None:
        try:
            super().store_string(string.encode("utf-8", "replace").decode("utf-8"))
        except OSError:  # a full disk must not end a session; the line stays in this session's memory
            return


def open_history(path: Path) -> tuple[History, str]:
    """The history at ``path``, readable by its owner alone, and why it is only in memory (empty: it is not)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.open("ab").close()
    except OSError as error:
        return InMemoryHistory(), f"no history is kept: {path}: {error.strerror}"
    return _History(str(path)), ""


def open_prompt(history: History, completer: Completer) -> PromptSession[str]:
    """A session whose Enter sends, but goes on where the text is unfinished; Alt-Enter always goes on."""
    return PromptSession(
        message=[("class:prompt", "> ")],
        multiline=True,
        prompt_continuation=lambda width, line, wrapped: "  ",
        history=history,
        completer=completer,
        complete_while_typing=False,
        key_bindings=_keys(),
        style=_STYLE,
        include_default_pygments_style=False,
        reserve_space_for_menu=6,
    )


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=has_completions & completion_is_selected)
    def take_completion(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @keys.add("enter", filter=~(has_completions & completion_is_selected))
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if not is_unfinished(buffer.text):
            buffer.validate_and_handle()
            return
        buffer.cursor_position = len(buffer.text)
        if buffer.text.endswith("\\"):
            buffer.delete_before_cursor()
        buffer.insert_text("\n")

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
