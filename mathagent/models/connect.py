"""From models' names, as a person writes them, to an open backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mathagent.config import settings
from mathagent.errors import UnknownName, UsageError
from mathagent.models import BACKENDS
from mathagent.models.base import Backend, Connect, ConnectOptions, models_of
from mathagent.models.catalog import catalog
from mathagent.models.endpoints import split_endpoints
from mathagent.models.model_names import ModelNames, read_list, read_models, split_composed
from mathagent.models.prices import from_the_cheapest
from mathagent.models.router import BELOW, Router

ModelLike = str | Backend
"""A model by its name, or open already."""


def split_model(model: str, *, has_endpoint: bool) -> tuple[str, str]:
    """(backend, name) of ``model``.

    ``backend:name`` is taken as written, as is ``module:object:name`` for a backend outside the table, and
    ``backend(model, model)`` for one that is made of several models. Else it is a name at the endpoint, where there is
    one, or a model that comes with mathagent. Raises UnknownName.
    """
    composed = _composed(model)
    if composed is not None:
        return composed
    prefix, separator, name = model.partition(":")
    if separator and prefix in BACKENDS.names():
        return prefix, name
    if has_endpoint or split_endpoints(model)[1] is not None:
        return "openai", model
    target, separator, name = name.partition(":")
    if separator and "." in prefix:
        return f"{prefix}:{target}", name
    names = [entry.name for entry in catalog()]
    # The embedded backend says of a model for embeddings that it cannot chat.
    bare = model.partition("?")[0]  # an embedded model's options stand behind it
    if bare in names or any(bare == other.name for other in catalog("embedding")):
        return "embedded", model
    raise UnknownName("model", model, [f"embedded:{name}" for name in names] + ["openai:NAME (an endpoint's)"])


def _composed(model: str) -> tuple[str, str] | None:
    """The backend and its models in ``backend(model, model)``; None for any other model."""
    found = split_composed(model)
    return found if found is not None and found[0] in BACKENDS.names() else None


def backends_of(text: str, *, has_endpoint: bool) -> set[str]:
    """The backends that the models in ``text`` belong to, those of composed models included. Raises UnknownName with
    the nearest names, UsageError."""
    names = read_models(text)
    found: set[str] = set()
    for model in (*names.stages, *names.roles.values()):
        backend, inner = split_model(model, has_endpoint=has_endpoint)
        found.add(backend)
        if _composed(model) is not None:
            for part in read_list(inner)[0]:
                found |= backends_of(part, has_endpoint=has_endpoint)
    return found


def connect_backend(model: str | None, options: ConnectOptions) -> Backend:
    """Opens ``model`` (None: the default one), or the several that it names. Cheap: nothing is fetched or started
    before the first request.

    Raises UnknownName or UsageError.
    """
    return open_models(model, options)[0]


def open_models(
    model: ModelLike | Sequence[ModelLike] | None,
    options: ConnectOptions,
    roles: Mapping[str, ModelLike] | None = None,
) -> tuple[Backend, list[Backend]]:
    """The model, or the Router over a cascade of several and those of ``roles``; and what was opened for it, which the
    caller closes. ``options`` are for those that have no endpoint of their own.

    Raises UnknownName or UsageError.
    """
    listed: Sequence[ModelLike]
    if model is None or isinstance(model, str):
        names = read_models(model or settings().model)
        listed = names.stages
    else:
        names = ModelNames(stages=("given",))
        listed = list(model) if isinstance(model, Sequence) else [model]
    twice = sorted(names.roles.keys() & (roles or {}).keys())
    if twice:
        raise UsageError(f"the role {twice[0]} is given two models; leave one out")
    by_role: dict[str, ModelLike] = {**names.roles, **(roles or {})}
    if not listed:
        raise UsageError("no model is named")
    alone = len(listed) == 1 and not by_role
    opened: list[Backend] = []
    by_name: dict[str, Backend] = {}

    def one(asked: ModelLike) -> Backend:
        if not isinstance(asked, str):
            return asked
        if asked not in by_name:
            by_name[asked] = _connect(asked, options, alone=alone)
            opened.append(by_name[asked])
        return by_name[asked]

    backend: Backend
    if alone:
        backend = one(listed[0])
    else:
        backend = Router(
            from_the_cheapest([one(stage) for stage in listed]),
            {role: one(asked) for role, asked in by_role.items()},
            below=BELOW if names.below is None else names.below,
        )
    several = models_of(backend)
    is_used = any(asked.name.startswith("openai:") for asked in several)
    if options.base_url and isinstance(model, str) and len(several) > 1 and not is_used:
        raise UsageError(f"none of {backend.name} is a model of an endpoint; leave out --base-url")
    return backend, opened


def connect_beside(model: str, options: ConnectOptions) -> Backend:
    """One of several models that are used together: its name says where it is, so that theirs can be told apart.

    Raises UnknownName or UsageError.
    """
    return _connect(model, options, alone=False)


def _connect(model: str, options: ConnectOptions, *, alone: bool) -> Backend:
    backend, name = split_model(model, has_endpoint=bool(options.base_url or settings().openai_base_url))
    if not alone and _composed(model) is None:  # a composed one opens its own with ``connect_beside``
        if backend == "openai":
            url = options.base_url or settings().openai_base_url
            name = name if url is None or split_endpoints(name)[1] is not None else f"{name}@{url}"
            options = options.model_copy(update={"base_url": None})
        else:
            options = ConnectOptions(on_progress=options.on_progress)
    connect: Connect = BACKENDS.load(backend)
    return connect(name, options)
