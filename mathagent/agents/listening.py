"""Listening: where a server of ours may be reached, and by whom. The HTTP server and the MCP server keep to it."""

from __future__ import annotations

import socket
import sys

from mathagent.errors import ResourceError, UsageError
from mathagent.models.endpoint_url import is_loopback_host

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The names by which this machine reaches itself."""
ANY_ADDRESS = ("0.0.0.0", "::", "")
"""What stands for all addresses: compared with, not bound to."""
LEAST_KEY_CHARS = 16
WAITING_CONNECTIONS = 2048


def usable_key(key: str, whose: str) -> str:
    """``key`` without the blanks around it, which files and shells add. Raises UsageError where it is too short to be
    one; ``whose`` it is, in the message."""
    stripped = key.strip()
    if len(stripped) < LEAST_KEY_CHARS:
        raise UsageError(
            f"the key of {whose} has fewer than {LEAST_KEY_CHARS} characters; take a longer one, such as that of"
            " python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return stripped


def check_reach(host: str, *, has_key: bool, advice: str = "") -> None:
    """Raises UsageError where others than this machine could reach ``host``, and no key is asked for."""
    if not (has_key or is_loopback_host(host)):
        raise UsageError(
            f"others can reach {host or 'every address'}: set MATHAGENT_SERVER_KEY to a key that they must have{advice}"
        )


def bearer(authorization: str | None) -> str | None:
    """The key in an ``Authorization`` header; None where there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host`` ("": everywhere) and ``port`` (0: any free one).

    Raises UsageError where ``host`` is no address, ResourceError where nothing can listen there.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"--host: '{host}' is no address ({error.strerror})") from error
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise ResourceError(
            f"cannot listen at {host}:{port}: {error.strerror or error}; choose another with --host and --port"
        ) from error
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Where ``listener``, which listens at ``host``, is reached: ``http://127.0.0.1:8765``."""
    return f"http://{in_url(host)}:{listener.getsockname()[1]}"


def in_url(host: str) -> str:
    """``host`` as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
