"""What a solve finds in its toolbox, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from importlib.util import find_spec

import pytest

from mathagent.config import Settings
from mathagent.errors import UsageError
from mathagent.memory.base import Hit, Query
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import SANDBOXES, UNSAFE_SANDBOX
from mathagent.sandbox.base import Sandbox
from mathagent.tools import TOOLS
from mathagent.tools.base import Tool, ToolResult
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


# Plugins


def plain_tool(measured: bool) -> Tool | None:
    """A tool that would look answers up."""

    async def plain() -> ToolResult:
        """Does nothing."""
        return ToolResult(text="")

    return None if measured else Tool(plain, "plugin.plain")


def recalling_tool(memory: object) -> Tool | None:
    """A tool over the memory."""
    return plain_tool(measured=False)


def greedy_tool(password: str) -> Tool | None:
    """A tool that asks for what nobody has."""
    return None


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes these functions of this module the tools of other packages, each by its name."""

    def install(*names: str) -> None:
        points = tuple(EntryPoint(name, f"{__name__}:{name}", TOOLS.group) for name in names)
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda *, group: points if group == TOOLS.group else ()
        )

    return install


def test_plugins_are_given_what_their_parameters_name(plugins: Callable[..., None]) -> None:
    plugins("plain_tool", "recalling_tool")
    assert opened(Settings())["plain_tool"].name == "plugin.plain"
    assert "recalling_tool" not in opened(Settings())
    assert "recalling_tool" in opened(Settings(), memory=EmptyMemory())
    assert "plain_tool" not in opened(Settings(), measured=True)


@pytest.mark.parametrize(
    ("name", "said"), [("greedy_tool", "asks for password"), ("no_such_tool", "cannot be loaded")]
)
def test_a_plugin_that_does_not_fit_says_so(plugins: Callable[..., None], name: str, said: str) -> None:
    plugins(name)
    with pytest.raises(UsageError, match=said):
        set(opened(Settings()))
