"""Settings: the only place that reads the environment."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_MODEL = "embedded:qwen2.5-coder-1.5b"


class Settings(BaseSettings):
    """Where things are kept and which model answers. Command-line options win over the environment."""

    model_config = SettingsConfigDict(env_prefix="MATHAGENT_", extra="ignore", populate_by_name=True)

    home: Path | None = Field(default=None, description="Folder for models, cache, runs and history.")
    model: str = Field(default=DEFAULT_MODEL, description="Default model, as backend:name.")
    data: Path | None = Field(default=None, description="Folder of the benchmark data sets.")
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_API_KEY"), description="Key of the endpoint."
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_BASE_URL"), description="URL of the endpoint."
    )
    openai_org_id: str | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_ORG_ID"), description="Organization that pays."
    )
    openai_project_id: str | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_PROJECT_ID"), description="Project that pays."
    )
    openai_custom_headers: str = Field(
        default="",
        validation_alias=AliasChoices("OPENAI_CUSTOM_HEADERS"),
        description="More headers for the endpoint, one 'Name: value' a line.",
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads of the embedded model.")
    slots: int = Field(default=4, ge=1, le=64, description="Parallel samples of the embedded model.")
    hub_url: str = Field(
        default="https://huggingface.co", validation_alias=AliasChoices("HF_ENDPOINT"), description="Model hub."
    )
    hub_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("HF_TOKEN"), description="Key of the model hub."
    )
    web: str = Field(
        default="", description="Provider of the web tool: searxng, tavily, brave or wikipedia; off if empty."
    )
    searxng_url: str = Field(default="", description="URL of the SearxNG instance to search with.")
    tavily_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("TAVILY_API_KEY"), description="Key of Tavily."
    )
    brave_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("BRAVE_API_KEY"), description="Key of Brave Search."
    )
    reward_api_key: SecretStr | None = Field(default=None, description="Key of the reward model's endpoint.")
    wolfram_app_id: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("WOLFRAM_APP_ID"), description="App id of Wolfram|Alpha."
    )

    config: Path | None = Field(
        default=None, description="The config file (default: config.toml in the home folder)."
    )
    server_key: SecretStr | None = Field(
        default=None, description="Key that clients of our HTTP servers must send."
    )

    otel_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Where OpenTelemetry's traces and metrics are sent.",
    )

    @property
    def openai_headers(self) -> dict[str, str]:
        """What every request to an endpoint says beside its key."""
        given = {"OpenAI-Organization": self.openai_org_id, "OpenAI-Project": self.openai_project_id}
        headers = {name: value for name, value in given.items() if value}
        for line in self.openai_custom_headers.splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip()] = value.strip()
        return headers

    @property
    def home_dir(self) -> Path:
        """The folder that holds everything we store (not created here)."""
        if self.home is not None:
            return self.home.expanduser()
        from platformdirs import user_data_path

        return user_data_path("mathagent")

    @property
    def models_dir(self) -> Path:
        return self.home_dir / "models"

    @property
    def cache_path(self) -> Path:
        return self.home_dir / "cache.db"

    @property
    def runs_path(self) -> Path:
        return self.home_dir / "runs.db"

    @property
    def solves_dir(self) -> Path:
        return self.home_dir / "solves"

    @property
    def calibrations_dir(self) -> Path:
        return self.home_dir / "calibrations"

    @property
    def capabilities_dir(self) -> Path:
        """What models were found to be able to do (`mathagent probe`)."""
        return self.home_dir / "capabilities"

    @property
    def config_path(self) -> Path:
        """The file with what is too much for variables, such as MCP servers; it need not exist."""
        return self.home_dir / "config.toml" if self.config is None else self.config.expanduser()

    @property
    def functions_dir(self) -> Path:
        """The code that models wrote for typed functions."""
        return self.home_dir / "functions"

    @property
    def memory_path(self) -> Path:
        return self.home_dir / "memory.db"


@cache
def settings() -> Settings:
    """The process's settings, read once. Raises UsageError where a variable has a wrong value."""
    return read_settings()


def read_settings() -> Settings:
    """Reads the settings afresh. Raises UsageError where a variable has a wrong value."""
    from pydantic import ValidationError

    from mathagent.errors import UsageError

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "MATHAGENT_" + str(first["loc"][0]).upper()
        raise UsageError(f"the environment variable {name} is wrong: {first['msg']}") from error


def environment_secret(name: str) -> SecretStr | None:
    """The key in the variable ``name``, which the user named; None where it is not set."""
    value = os.environ.get(name)
    return None if value is None else SecretStr(value)


def child_environment(**extra: str) -> dict[str, str]:
    """A minimal environment for a child process of ours: no keys, no user variables, plus ``extra``."""
    kept = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP")
    return {name: os.environ[name] for name in kept if name in os.environ} | extra


def user_environment(**extra: str) -> dict[str, str]:
    """The user's whole environment plus ``extra``: for pip only, whose configuration may stand in it."""
    return {**os.environ, **extra}


def expand_variables(text: str) -> str:
    """``text`` with the environment's values for ``${NAME}``. Raises UsageError where a variable is not set."""
    import re

    from mathagent.errors import UsageError

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(f"the environment variable {match[1]} is not set")
        return os.environ[match[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)


CONFIG_TABLES = ("mcp", "capabilities")
MAX_CONFIG_BYTES = 1024 * 1024


def read_config_file(path: Path) -> dict[str, Any]:
    """The tables of the config file at ``path``, by name; none where there is no file.

    Raises UsageError for a file that cannot be read, or has a table that nobody reads.
    """
    import tomllib

    from mathagent.errors import UsageError

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"cannot read the config file {path}: {error.strerror or error}") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise UsageError(f"the config file {path} is larger than {MAX_CONFIG_BYTES // 2**20} MB")
    try:
        tables = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the config file {path} is not TOML: {error}") from error
    unknown = next((name for name in tables if name not in CONFIG_TABLES), None)
    if unknown is not None:
        raise UsageError(f"{path}: '{unknown}' is not known; there is [mcp.servers.NAME] and [capabilities.MODEL]")
    return tables


def proxy_for(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY) or the system names for a URL.

    Raises UsageError where it is not an HTTP proxy.
    """
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    from mathagent.errors import UsageError

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise UsageError(
            f"the environment names a {scheme} proxy for {parts.hostname}, and only HTTP proxies are supported;"
            " set HTTPS_PROXY to one, or name the host in NO_PROXY"
        )
    return proxy


def python_executable() -> str:
    """The interpreter that child processes of ours run on."""
    return sys.executable
