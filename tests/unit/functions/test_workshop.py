"""What typed functions work with is closed, whatever fails."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.errors import StorageError
from mathagent.functions.workshop import Workshop
from tests.hosted_sandbox import HostedSandbox


class Stubborn:
    """Stands for a Solver that cannot be closed."""

    def __init__(self) -> None:
        self.sandbox = HostedSandbox()

    async def aclose(self) -> None:
        raise StorageError("the cache cannot be closed")


async def test_the_sandbox_is_closed_though_the_solver_cannot_be() -> None:
    solver: Any = Stubborn()
    with pytest.raises(StorageError, match="cannot be closed"):
        await Workshop(solver=solver).aclose()
    assert solver.sandbox.closed
