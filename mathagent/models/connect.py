"""From a model's name, as a person writes it, to an open backend."""

from __future__ import annotations

from mathagent.config import settings
from mathagent.errors import UnknownName
from mathagent.models import BACKENDS
from mathagent.models.base import Backend, Connect, ConnectOptions
from mathagent.models.catalog import catalog


def split_model(model: str, *, has_endpoint: bool) -> tuple[str, str]:
    """(backend, name) of ``model``.

    ``backend:name`` is taken as written, as is ``module:object:name`` for a backend outside the table. Else it
    is a name at the endpoint, where there is one, or a model that comes with mathagent. Raises UnknownName.
    """
    prefix, separator, name = model.partition(":")
    if separator and prefix in BACKENDS.names():
        return prefix, name
    if has_endpoint:
        return "openai", model
    target, separator, name = name.partition(":")
    if separator and "." in prefix:
        return f"{prefix}:{target}", name
    names = [entry.name for entry in catalog()]
    # The embedded backend says of a model for embeddings that it cannot chat.
    if model in names or any(model == other.name for other in catalog("embedding")):
        return "embedded", model
    raise UnknownName("model", model, [f"embedded:{name}" for name in names] + ["openai:NAME (an endpoint's)"])


def connect_backend(model: str | None, options: ConnectOptions) -> Backend:
    """Opens ``model`` (None: the default one). Cheap: nothing is fetched or started before the first request.

    Raises UnknownName or UsageError.
    """
    has_endpoint = bool(options.base_url or settings().openai_base_url)
    backend, name = split_model(model or settings().model, has_endpoint=has_endpoint)
    connect: Connect = BACKENDS.load(backend)
    return connect(name, options)
