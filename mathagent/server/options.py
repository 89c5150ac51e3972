"""What a server allows and refuses, as values."""

from __future__ import annotations

from pydantic import Field

from mathagent.strategies import DEFAULT_STRATEGY
from mathagent.types import Value


class ServeLimits(Value):
    """How much one server does at most, and for whom."""

    solves: int = Field(default=4, ge=1, description="Solves at the same time.")
    waiting: int = Field(default=64, ge=0, description="Requests that wait for their turn; more are sent away.")
    seconds: float = Field(default=600.0, gt=0, description="Seconds of one solve, and of waiting for its turn.")
    tokens: int | None = Field(default=None, ge=1, description="Completion tokens of one solve.")
    body_bytes: int = Field(default=2**20, ge=1024, description="Bytes of one request.")
    check_s: float = Field(default=10.0, gt=0, description="Seconds of one program of a certificate.")
    verify_s: float = Field(default=60.0, gt=0, description="Seconds of running a whole certificate again.")
    send_s: float = Field(default=30.0, gt=0, description="Seconds until a client that does not read is left.")
    drain_s: float = Field(default=10.0, ge=0, description="Seconds to finish in when the server is told to end.")
    kept: int = Field(default=1000, ge=1, description="Solutions that are kept.")
    kept_days: float = Field(default=30.0, gt=0, description="Days that a solution is kept.")


class ServerKey(Value):
    """Who may use the server: a name for logs and the SHA-256 of their key (hex). Limits are for a day (UTC)."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w .@-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    solves_per_day: int | None = Field(default=None, ge=1)
    tokens_per_day: int | None = Field(default=None, ge=1)


class ServeOptions(Value):
    """All that an app needs to know. Without ``keys`` everyone is let in who comes by a name of this machine, or by
    one of ``hosts``; ``origins`` are those of web pages of others that may use it."""

    strategy: str = DEFAULT_STRATEGY
    keys: tuple[ServerKey, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: ServeLimits = ServeLimits()
