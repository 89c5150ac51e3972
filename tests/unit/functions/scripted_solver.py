"""A Solver whose model is scripted, for typed functions; opened and closed by the test, on mathagent's own loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mathagent.functions import Options
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver

PLAIN = Capabilities()


def fenced(answer: str, reasoning: str = "so") -> str:
    """A reply in AskIt's form."""
    return f'```json\n{{"reasoning": "{reasoning}", "answer": {answer}}}\n```'


@contextmanager
def scripted(*replies: str | Reply, **options: Any) -> Iterator[tuple[ScriptedBackend, Options]]:
    """A model that gives ``replies``, all of which must be asked for, and options with it."""
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    with Solver(backend, cache=False) as solver:
        yield backend, Options(solver=solver, **options)
    backend.assert_finished()
