"""The FastAPI app: routes, the way in, and what is opened and closed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware

from mathagent import __version__
from mathagent.server import (
    about_routes,
    chat_routes,
    info_routes,
    memory_routes,
    photo_routes,
    solution_routes,
    solve_routes,
)
from mathagent.server.api_errors import install
from mathagent.server.desk import SolveDesk
from mathagent.server.door import BodyLimit, Door
from mathagent.server.metrics import ServerMetrics
from mathagent.server.model_table import ModelTable
from mathagent.server.observing import Observing
from mathagent.server.options import ServeOptions
from mathagent.server.page import mount_page
from mathagent.server.parts import Parts
from mathagent.server.store import SolutionStore

STATIC = Path(str(files("mathagent.server") / "static"))
ABOUT = "Solves problems of mathematics with evidence. The chat route speaks OpenAI's API: a model is a strategy."


def create_app(models: ModelTable, options: ServeOptions, store: Path) -> FastAPI:
    """The app, over ``models``; solutions are kept in the SQLite file ``store``. Nothing is opened before it starts.

    It may be mounted in another app, whose lifespan must then enter that of this one.
    """
    metrics = ServerMetrics()
    limits = options.limits
    books = SolutionStore(store, kept=limits.kept, kept_days=limits.kept_days)
    desk = SolveDesk(models, books, limits, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:  # from the last to the first: all, whatever one of them raises
            closing.push_async_callback(books.aclose)
            closing.push_async_callback(models.aclose)
            closing.push_async_callback(desk.drain)
            yield

    middleware = [
        Middleware(Observing, metrics=metrics),
        Middleware(BodyLimit, most=limits.body_bytes),
        Middleware(Door, options=options),
    ]
    if options.origins:
        allowed = Middleware(
            CORSMiddleware,
            allow_origins=list(options.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["x-request-id", "retry-after"],
        )
        middleware.insert(1, allowed)
    app = FastAPI(
        title="mathagent",
        summary=ABOUT,
        version=__version__,
        docs_url=None,  # their pages come from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        middleware=middleware,
        telemetry={"logs": False, "operation_spans": False},  # logs would hold what people ask
    )
    app.state.mathagent = Parts(options=options, desk=desk, metrics=metrics)
    install(app)
    asking = (chat_routes, solve_routes, photo_routes)
    for routes in (*asking, solution_routes, info_routes, about_routes, memory_routes):
        app.include_router(routes.router)
    mount_page(app, STATIC)
    _tell_truth(app)
    return app


def _tell_truth(app: FastAPI) -> None:
    """Takes out of the OpenAPI document the 422 that FastAPI puts into it: such requests get a 400."""
    describe: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
