"""Which endpoints serve a model, and how each is to be treated: ``URL,URL``, what is set in a URL's query. Pure.

``http://a:8000/v1?weight=2,http://b:8000/v1?total_s=600``: two endpoints; the first gets twice the requests. What we do
not know in a query stays there and is sent (Azure's ``api-version``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field, ValidationError

from mathagent.errors import UsageError
from mathagent.models.endpoint_url import check_url, without_password
from mathagent.models.openai_servers import Server
from mathagent.types import Value

_NEXT_URL = re.compile(r",\s*(?=https?://)")


class EndpointSettings(Value):
    """How one endpoint is asked. Seconds are wall clock; None: no deadline but that of the budget."""

    weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Its share of the requests, beside other endpoints'."
    )
    parallel: int = Field(default=16, ge=1, le=1000, description="Requests that it answers well at a time.")
    connect_s: float | None = Field(default=None, gt=0, description="Until the connection stands.")
    silence_s: float | None = Field(default=None, gt=0, description="Between two pieces of a reply.")
    first_token_s: float | None = Field(default=None, gt=0, description="Until the first piece of a stream.")
    total_s: float | None = Field(default=None, gt=0, description="Until the reply is whole.")
    hedge_s: float | None = Field(
        default=None, gt=0, description="After so long another endpoint is asked as well; the first reply counts."
    )
    server: Server | None = Field(default=None, description="vllm, sglang or llamacpp; none: it is asked.")
    thinking_tokens: int | None = Field(
        default=None, ge=0, description="How long the model may think; 0: not at all."
    )
    key_env: str = Field(default="", description="The variable that holds its key; empty: OPENAI_API_KEY.")


SHAPING = ("server", "thinking_tokens")
"""Settings that decide what a model replies: they are part of its identity."""


class Endpoint(Value):
    """``url`` without our settings; it may hold a password."""

    url: str
    settings: EndpointSettings = EndpointSettings()

    @property
    def shown(self) -> str:
        """The URL as messages may show it."""
        return without_password(self.url)

    @property
    def written(self) -> str:
        """As a person would write it again: with all settings, without the password."""
        return _with_query(self.shown, self.settings.model_dump(exclude_defaults=True))

    @property
    def identity(self) -> str:
        """Which model it serves, however it is asked."""
        kept = {name: value for name in SHAPING if (value := getattr(self.settings, name)) is not None}
        return _with_query(self.shown, kept)


def endpoints_of(text: str) -> tuple[Endpoint, ...]:
    """The endpoints that ``text`` names. Raises UsageError for a wrong URL or setting, or one that stands twice."""
    endpoints = tuple(_endpoint(one) for one in _NEXT_URL.split(text.strip()))
    shown = [one.shown for one in endpoints]
    twice = next((one for one in shown if shown.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"the endpoint {twice} is given twice; use ?weight=2 where it is to get more requests")
    return endpoints


def split_endpoints(name: str) -> tuple[str, str | None]:
    """The model's name and its endpoints in ``NAME@URL,URL``; None where there are none."""
    found = re.search(r"@(?=https?://)", name)
    return (name, None) if found is None else (name[: found.start()], name[found.end() :])


def joined_identity(endpoints: Sequence[Endpoint]) -> str:
    """The identity of endpoints that serve the same model: in which order they are given does not matter."""
    return ",".join(sorted(one.identity for one in endpoints))


def _endpoint(text: str) -> Endpoint:
    check_url(text)
    parts = urlsplit(text)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {key: value for key, value in query if key in EndpointSettings.model_fields}
    rest = urlencode([pair for pair in query if pair[0] not in ours])
    try:
        settings = EndpointSettings.model_validate(ours)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{without_password(text)}: {first['loc'][0]} = {first['input']!r} is wrong: {first['msg']}"
        ) from error
    return Endpoint(url=parts._replace(query=rest).geturl(), settings=settings)


def _with_query(url: str, settings: dict[str, object]) -> str:
    if not settings:
        return url
    parts = urlsplit(url)
    ours = urlencode(
        {name: f"{value:g}" if isinstance(value, float) else value for name, value in settings.items()}
    )
    return parts._replace(query=f"{parts.query}&{ours}" if parts.query else ours).geturl()
