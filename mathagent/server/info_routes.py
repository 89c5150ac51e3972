"""``/health``, ``/metrics`` and ``/v1/models``: what there is, and how it goes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mathagent import __version__
from mathagent.server.api_errors import ApiError
from mathagent.server.chat_order import ALIAS
from mathagent.server.openapi_text import ERRORS
from mathagent.server.parts import Parts, SharedParts
from mathagent.strategies import STRATEGIES
from mathagent.types import Value

router = APIRouter(tags=["server"])


class ModelEntry(Value):
    """A strategy, perhaps on a certain model, as a model of OpenAI's API."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "mathagent"


class ModelList(Value):
    """All of them."""

    object: Literal["list"] = "list"
    data: tuple[ModelEntry, ...]


class Health(Value):
    """``ok``, or ``closing``: then nothing new is taken."""

    status: Literal["ok", "closing"]
    version: str = __version__
    running: int
    waiting: int


@router.get("/health")
async def health(parts: SharedParts) -> Health:
    """Whether the server works. Needs no key."""
    gate = parts.desk.gate
    return Health(status="closing" if gate.is_closed else "ok", running=gate.running, waiting=gate.waiting)


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}, "description": "The text form of Prometheus."}, **ERRORS},
    response_class=Response,
)
async def metrics(parts: SharedParts) -> Response:
    """Counts since the server began."""
    return Response(parts.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/models", responses=ERRORS)
async def list_models(parts: SharedParts) -> ModelList:
    """What may stand as `model` in a chat request; compositions such as `pal | cot` may, too."""
    return ModelList(data=tuple(ModelEntry(id=name, created=parts.began) for name in _names(parts)))


@router.get("/v1/models/{name:path}", responses=ERRORS)
async def get_model(name: Annotated[str, Path(max_length=400)], parts: SharedParts) -> ModelEntry:
    """One of them."""
    if name not in _names(parts):
        raise ApiError(404, "there is no such model; see /v1/models", code="model_not_found", param="model")
    return ModelEntry(id=name, created=parts.began)


def _names(parts: Parts) -> list[str]:
    models = parts.desk.models
    strategies = [ALIAS, *STRATEGIES.names()]
    others = [name for name in models.names() if name != models.default]
    return [*strategies, *(f"{strategy}@{model}" for model in others for strategy in strategies)]
