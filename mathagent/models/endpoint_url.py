"""What the URL of an endpoint tells: whether it can be one, whose it is, where it is. Pure."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from mathagent.errors import UsageError


def check_url(base_url: str) -> None:
    """Raises UsageError where ``base_url`` is not an http(s) URL."""
    advice = "give for example http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError as error:
        raise UsageError(f"'{base_url[:200]}' is not a URL ({error}); {advice}") from error
    if not usable or re.search(r"\s", base_url):
        raise UsageError(f"'{' '.join(base_url.split())[:200]}' is not an http(s) URL; {advice}")


def is_openai(base_url: str) -> bool:
    """Whether one URL is OpenAI's own service (or Azure's), which refuses unknown fields."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith((".openai.com", ".openai.azure.com"))


def is_loopback(base_url: str) -> bool:
    """Whether the URL's host is this machine."""
    return is_loopback_host(urlsplit(base_url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine by itself: nobody else can reach it there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_private(base_url: str) -> bool:
    """Whether the URL's host is this machine or one of a private network, as far as the URL alone tells."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".internal", ".localhost"))
    return address.is_private or address.is_link_local


@lru_cache(maxsize=64)  # names and identities, which hold it, are asked for ten times in a solve
def without_password(base_url: str) -> str:
    """The URL as messages and records may show it."""
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def split_identity(identity: str) -> tuple[str, str | None]:
    """The model's name in a backend's identity, and the endpoint's URL where it has one: ``openai:m@http://…``.

    Of several endpoints, all URLs with their commas.
    """
    name, separator, rest = identity.rpartition("@http")
    return (name, f"http{rest}") if separator else (identity, None)
