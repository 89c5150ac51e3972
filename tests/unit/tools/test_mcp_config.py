"""The config file's tables of MCP servers: what they mean, and what is wrong with them, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.config import read_settings
from mathagent.errors import UsageError
from mathagent.tools.mcp_config import McpServerConfig, read_mcp_servers


def read(tmp_path: Path, text: str) -> dict[str, McpServerConfig]:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_mcp_servers(path)


def test_both_kinds_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_KEY", "s3cret")
    servers = read(
        tmp_path,
        """
        [mcp.servers.arith]
        command = "python"
        args = ["server.py"]
        env = { KEY = "${TOY_KEY}", PLAIN = "$x" }
        trusted = true
        [mcp.servers.far-away]
        url = "https://user@example.org:8443/mcp?x=1"
        headers = { Authorization = "Bearer ${TOY_KEY}" }
        tools = ["search"]
        """,
    )
    assert servers["arith"].env == {"KEY": "s3cret", "PLAIN": "$x"}
    assert servers["arith"].trusted
    assert not servers["far-away"].trusted
    assert servers["far-away"].headers == {"Authorization": "Bearer s3cret"}
    assert servers["far-away"].place == "https://example.org:8443"
    assert "s3cret" not in repr(servers)


def test_no_file_is_no_server(tmp_path: Path) -> None:
    assert read_mcp_servers(tmp_path / "none.toml") == {}
    assert read(tmp_path, "") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[mcp.servers.a]", "give a command to start, or a url"),
        ("[mcp.servers.a]\ncommand='x'\nurl='http://a'", "one of the two"),
        ("[mcp.servers.a]\nurl='ftp://a'", "must begin with http"),
        ("[mcp.servers.a]\nurl='http://a'\nargs=['x']", "args has no use with a url"),
        ("[mcp.servers.a]\ncommand='x'\nheaders={A='b'}", "headers has no use with a command"),
        ("[mcp.servers.a]\ncommand='x'\ntrust=true", r"\[mcp.servers.a\]: trust is not known; there are command"),
        ("[mcp.servers.a]\ncommand='x'\nenv={A='${NOT_SET_ANYWHERE}'}", "variable NOT_SET_ANYWHERE is not set"),
        ("[mcp.servers.'a.b']\ncommand='x'", "a server's name is"),
        ("[mcp.server.a]\ncommand='x'", r"'mcp.server' is not known; there is \[mcp.servers.NAME\]"),
        ("model='x'", "'model' is not known"),
        ("mcp=3", "mcp is no table"),
        ("[mcp.servers]\na=3", r"\[mcp.servers.a\]: "),
        ("[mcp", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        read(tmp_path, text)
    assert "config.toml" in str(error.value)


def test_the_file_lies_in_the_home_folder_or_where_the_environment_says(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings().config_path == own_home / "config.toml"
    monkeypatch.setenv("MATHAGENT_CONFIG", "/etc/mathagent.toml")
    assert read_settings().config_path == Path("/etc/mathagent.toml")
