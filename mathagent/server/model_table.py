"""ModelTable: the models that clients may name, and the solver of each, opened when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from mathagent.errors import UnknownName
from mathagent.server.public_text import public_name
from mathagent.solver import Solver

OpenSolver = Callable[[], Solver]


class ModelTable:
    """Solvers by the names that clients know their models by; the first is the default."""

    def __init__(self, solvers: Mapping[str, OpenSolver]) -> None:
        self._makers = dict(solvers)
        self._open: dict[str, Solver] = {}

    @classmethod
    def of(cls, models: Sequence[str], open_solver: Callable[[str], Solver]) -> ModelTable:
        """The table of ``models`` (names as on the command line), whose solvers ``open_solver`` makes.

        Of a file's path clients see the file's name.
        """
        return cls({public_name(model): _opener(model, open_solver) for model in models})

    @property
    def default(self) -> str:
        return next(iter(self._makers))

    def names(self) -> list[str]:
        """The default first."""
        return list(self._makers)

    def check(self, name: str) -> None:
        """Raises UnknownName where clients may not ask for model ``name``."""
        if name not in self._makers:
            raise UnknownName("model", name, self.names())

    def solver(self, name: str) -> Solver:
        """The solver of model ``name``. Raises UnknownName, or UsageError where it cannot be opened."""
        self.check(name)
        if name not in self._open:
            self._open[name] = self._makers[name]()
        return self._open[name]

    async def aclose(self) -> None:
        """Closes all solvers; safe to call twice."""
        async with AsyncExitStack() as closing:  # all of them, whatever one of them raises
            while self._open:
                _, solver = self._open.popitem()
                closing.push_async_callback(solver.aclose)


def _opener(model: str, open_solver: Callable[[str], Solver]) -> OpenSolver:
    return lambda: open_solver(model)
