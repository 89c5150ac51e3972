"""mathagent solve --image: the problem's text, as the model reads it in a photo."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mathagent.console.page import Page
from mathagent.models.images import read_image

if TYPE_CHECKING:
    from mathagent.cli.solve import SolveArguments


def photographed(arguments: SolveArguments, path: Path, *, silent: bool) -> str:
    """The problem that the picture ``path`` shows; told on stderr, unless ``silent``. The solve's budget is not for it.

    Raises UsageError where it is no picture, where no problem can be read in it, and where the model does not see
    pictures; BackendError where the model fails.
    """
    image = read_image(path)

    async def read() -> tuple[str, bool]:
        from mathagent.solver import Solver

        async with Solver(
            arguments.model, base_url=arguments.base_url, sandbox=arguments.sandbox, cache=arguments.cache
        ) as solver:
            found = await solver.beside.transcribe(image)
            return found.text, found.complete

    text, complete = asyncio.run(read())
    if not silent:
        page = Page(Console(stderr=True))
        page.line(
            "the picture shows" if complete else "the picture shows (only the beginning could be read)",
            style="dim",
        )
        page.prose(text)
    return text
