"""Which MCP servers the user has set up: the tables ``[mcp.servers.NAME]`` of the config file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from mathagent.config import expand_variables, read_config_file
from mathagent.errors import UsageError
from mathagent.types import Value

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


class McpServerConfig(Value):
    """How one server is reached: a ``command`` that is started, or a ``url`` (streamable HTTP).

    In ``env`` and ``headers`` ``${NAME}`` stands for a variable of the environment, so that keys need not stand in the
    file. A started server sees no other variables of ours than PATH, HOME and the like.
    """

    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    cwd: Path | None = None
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    tools: tuple[str, ...] = Field(default=(), description="Only these of its tools; none named: all.")
    trusted: bool = Field(default=False, description="Its tools are called without asking a person first.")
    start_s: float = Field(default=30.0, gt=0, description="Seconds until it must have said what it offers.")
    call_s: float = Field(default=60.0, gt=0, description="Seconds that one call may take.")

    @model_validator(mode="after")
    def _one_way(self) -> McpServerConfig:
        if bool(self.command) == bool(self.url):
            raise ValueError("give a command to start, or a url, one of the two")
        foreign = ("args", "env", "cwd") if self.url else ("headers",)
        unused = [name for name in foreign if getattr(self, name)]
        if unused:
            raise ValueError(f"{unused[0]} has no use with a {'url' if self.url else 'command'}; leave it out")
        if self.url and (urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname):
            raise ValueError("the url must begin with http:// or https:// and name a host")
        return self

    @property
    def place(self) -> str:
        """Where it is, for a person: the command's name, or the URL's scheme and host. No arguments, no keys."""
        if self.command:
            return self.command
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def read_mcp_servers(path: Path) -> dict[str, McpServerConfig]:
    """The servers in the config file at ``path``, by name; none where there is no file.

    Raises UsageError for a file that cannot be read, and for what is not known in it, naming the place.
    """
    found = read_config_file(path).get("mcp", {})
    mcp = _table(path, {"mcp": found}, "mcp", "")
    servers = _table(path, mcp, "servers", "mcp.")
    return {name: _server(path, name, given) for name, given in servers.items()}


def _table(path: Path, tables: dict[str, Any], wanted: str, within: str) -> dict[str, Any]:
    for name in tables:
        if name != wanted:
            raise UsageError(f"{path}: '{within}{name}' is not known; there is [mcp.servers.NAME]")
    found = tables.get(wanted, {})
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {within}{wanted} is no table; write [mcp.servers.NAME]")
    return found


def _server(path: Path, name: str, given: Any) -> McpServerConfig:
    where = f"{path}, [mcp.servers.{name}]"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a server's name is 1 to 32 letters, digits, - and _, and begins with a letter")
    try:
        server = McpServerConfig.model_validate(given)
        return server.model_copy(
            update={
                field: {key: expand_variables(text) for key, text in getattr(server, field).items()}
                for field in ("env", "headers")
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        known = ", ".join(McpServerConfig.model_fields)
        what = f"{place} is not known; there are {known}" if first["type"] == "extra_forbidden" else first["msg"]
        shown = what if first["type"] == "extra_forbidden" or not place else f"{place}: {what}"
        raise UsageError(f"{where}: {shown}") from error
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
