"""What a solve finds in its toolbox, and what it does not."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from mathagent.config import Settings
from mathagent.errors import UsageError
from mathagent.memory.base import Hit, Query
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import SANDBOXES, UNSAFE_SANDBOX
from mathagent.sandbox.base import Sandbox
from mathagent.tools.toolbox import Means, Toolbox


class EmptyMemory:
    async def search(self, query: Query) -> list[Hit]:
        return []


def sandbox() -> Sandbox:
    made: Sandbox = SANDBOXES.load(UNSAFE_SANDBOX)()  # nothing is started before a program runs
    return made


def opened(settings: Settings, *, memory: EmptyMemory | None = None, measured: bool = False) -> Toolbox:
    backend = ScriptedBackend(lambda request, index: "")
    return Toolbox(Means(sandbox(), sandbox(), backend, settings, memory, measured))


def test_what_needs_nothing_is_there() -> None:
    toolbox = opened(Settings())
    assert set(toolbox) - {"z3"} == {"python", "symbolic", "wolfram", "knowledge"}
    assert ("z3" in toolbox) == (find_spec("z3") is not None)
    assert all(toolbox[name].name == name for name in toolbox)
    assert toolbox["python"] is toolbox["python"]
    assert toolbox.get("web") is None


def test_memory_brings_retrieve() -> None:
    assert opened(Settings(), memory=EmptyMemory())["retrieve"].name == "retrieve"


def test_the_web_is_there_if_configured_and_nothing_is_measured() -> None:
    settings = Settings(web="wikipedia")
    assert opened(settings)["web"].name == "web"
    assert "web" not in opened(settings, measured=True)


def test_a_provider_that_lacks_its_key_says_so_when_it_is_used() -> None:
    toolbox = opened(Settings(web="tavily", tavily_api_key=None))
    with pytest.raises(UsageError, match="TAVILY_API_KEY"):
        toolbox["web"]


async def test_a_measured_solve_computes_what_wolfram_would_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOLFRAM_APP_ID", "secret")
    settings = Settings()
    assert settings.wolfram_app_id is not None
    own = sandbox()
    means = Means(sandbox(), own, ScriptedBackend(lambda request, index: ""), settings, measured=True)
    result = await Toolbox(means)["wolfram"].call({"query": "gcd(12, 18)"})
    await own.aclose()
    assert result.ok
    assert "6" in result.text
