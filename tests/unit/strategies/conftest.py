"""One sandbox for all tests of a file that run programs: a zygote takes half a second to start."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()
