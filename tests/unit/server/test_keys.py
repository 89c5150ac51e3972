"""Keys, and the file they come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from mathagent.errors import UsageError
from mathagent.server.keys import key_of, read_keys, who

KEY = "a-key-that-is-long-enough"


def test_who() -> None:
    keys = (key_of("a", SecretStr(KEY)), key_of("b", SecretStr(KEY * 2)))
    assert [getattr(who(keys, key), "name", None) for key in (KEY, KEY * 2, "x", "", None, "\ud800")] == [
        "a",
        "b",
        None,
        None,
        None,
        None,
    ]
    assert who((), KEY) is None


def test_a_key_cannot_be_read_back() -> None:
    key = key_of("a", SecretStr(KEY))
    assert KEY not in repr(key)
    assert KEY not in key.model_dump_json()
    assert key.sha256 not in repr(key)


def test_a_file_of_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_BOB", KEY)
    digest = hashlib.sha256(b"the key of alice").hexdigest()
    path = tmp_path / "keys.toml"
    path.write_text(
        f'[[key]]\nname = "alice"\nsha256 = "{digest}"\nsolves_per_day = 10\n'
        '[[key]]\nname = "bob"\nenv = "KEY_OF_BOB"\ntokens_per_day = 1000\n',
        encoding="utf-8",
    )
    alice, bob = read_keys(path)
    assert (alice.name, alice.solves_per_day, alice.tokens_per_day) == ("alice", 10, None)
    assert (bob.name, bob.solves_per_day, bob.tokens_per_day) == ("bob", None, 1000)
    assert who((alice, bob), "the key of alice") == alice
    assert who((alice, bob), KEY) == bob


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"must hold tables \[\[key\]\]"),
        ("x = 1", r"must hold tables"),
        ("[[key]", "is not TOML"),
        ('[[key]]\nname = "a"', "needs one of sha256 and env"),
        ('[[key]]\nname = "a"\nenv = "NO_SUCH_VARIABLE"', "NO_SUCH_VARIABLE of key 'a' is not set"),
        ('[[key]]\nname = "a"\nsha256 = "12"', "sha256"),
        ('[[key]]\nname = "a"\nkey = "in plain text"', "key"),
        ('[[key]]\nname = "a"\nenv = "SHORT"', "fewer than 16"),
        ('[[key]]\nname = "a"\nenv = "LONG"\n[[key]]\nname = "b"\nenv = "LONG"', "the same key twice"),
        ('[[key]]\nname = "a"\nenv = "LONG"\nsolves_per_day = 0', "solves_per_day"),
    ],
)
def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv("SHORT", "short")
    monkeypatch.setenv("LONG", KEY)
    path = tmp_path / "keys.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_keys(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_keys(tmp_path / "none.toml")
