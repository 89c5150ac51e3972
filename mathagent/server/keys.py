"""Keys: who a request comes from. Keys are kept and compared as hashes; nothing here can tell one."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from mathagent.agents.listening import usable_key
from mathagent.config import environment_secret
from mathagent.errors import UsageError
from mathagent.server.options import ServerKey

ANYONE = ServerKey(name="anyone", sha256="0" * 64)
"""Whom requests come from where no key is asked for."""


def key_of(name: str, key: SecretStr, **limits: int | None) -> ServerKey:
    """The ServerKey of ``key``. Raises UsageError where it is too short to be one."""
    text = usable_key(key.get_secret_value(), f"'{name}'")
    return ServerKey.model_validate({"name": name, "sha256": _digest(text.encode()), **limits})


def who(keys: tuple[ServerKey, ...], key: str | None) -> ServerKey | None:
    """Whose ``key`` it is; None: nobody's. Takes the same time for every key, known or not."""
    digest = _digest((key or "").encode("utf-8", "surrogatepass"))
    found: ServerKey | None = None
    for one in keys:
        if hmac.compare_digest(one.sha256, digest):
            found = one
    return found


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


class _KeyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str = ""
    env: str = ""
    solves_per_day: int | None = None
    tokens_per_day: int | None = None


def read_keys(path: Path) -> tuple[ServerKey, ...]:
    """The keys of a TOML file: tables ``[[key]]`` with a ``name``, the key's hash as ``sha256`` or the variable that
    holds it as ``env``, and perhaps ``solves_per_day`` and ``tokens_per_day``. Raises UsageError."""
    try:
        parsed: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--keys: cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--keys: {path} is not TOML: {error}") from error
    entries = parsed.get("key")
    if not isinstance(entries, list) or not entries or set(parsed) != {"key"}:
        raise UsageError(f"--keys: {path} must hold tables [[key]], and nothing else; see docs/server.md")
    keys = tuple(_key(entry, number, path) for number, entry in enumerate(entries, start=1))
    for what in ("name", "sha256"):
        if len({getattr(one, what) for one in keys}) < len(keys):
            raise UsageError(f"--keys: {path} has the same {'name' if what == 'name' else 'key'} twice")
    return keys


def _key(value: Any, number: int, path: Path) -> ServerKey:
    try:
        entry = _KeyEntry.model_validate(value)
        if bool(entry.sha256) == bool(entry.env):
            raise UsageError(f"--keys: key {number} of {path} needs one of sha256 and env")
        limits = {"solves_per_day": entry.solves_per_day, "tokens_per_day": entry.tokens_per_day}
        if not entry.env:
            return ServerKey.model_validate({"name": entry.name, "sha256": entry.sha256.lower(), **limits})
        secret = environment_secret(entry.env)
        if secret is None:
            raise UsageError(f"--keys: the variable {entry.env} of key '{entry.name}' is not set")
        return key_of(entry.name, secret, **limits)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise UsageError(f"--keys: key {number} of {path}: {place}: {first['msg']}") from error
