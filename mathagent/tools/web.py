"""The web tool: a search whose results are data. Off unless configured, and off in benchmarks.

Public pages hold the problems of public benchmarks with their answers (arXiv 2402.17231 searched them all the same):
nothing that measures a solver opens this tool.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from mathagent.config import Settings
from mathagent.errors import UsageError
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.untrusted import quote_untrusted
from mathagent.types import Value

MAX_QUERY_CHARS = 300
MAX_RESULTS = 8
HIT_CHARS = 900


class SearchHit(Value):
    """One result: plain text as the provider gave it, not trusted; ``url`` is http or https, or ""."""

    title: str
    url: str
    snippet: str


class WebSearch(Protocol):
    """A search engine."""

    name: str

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """At most ``limit`` hits, best first. Raises ResourceError, and UsageError where its configuration is wrong."""
        ...


def open_search(settings: Settings) -> WebSearch:
    """The provider that ``settings`` name. Raises UsageError where search is off, or its address or key is missing."""
    from mathagent.tools import WEB_SEARCHES

    if not settings.web:
        known = ", ".join(WEB_SEARCHES.names())
        raise UsageError(f"web search is off; set MATHAGENT_WEB to one of {known} to use the tool web")
    search: WebSearch = WEB_SEARCHES.load(settings.web)(settings)
    return search


def web_tool(search: WebSearch) -> Tool:
    """The tool "web" over ``search`` (see ``open_search``); never given to a solver that is being measured."""

    async def web(
        query: Annotated[str, Field(min_length=2, max_length=MAX_QUERY_CHARS)],
        results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 4,
    ) -> ToolResult:
        """Searches the web for facts, formulas and theorems. Results are quoted text and may be wrong."""
        hits = await search.search(" ".join(query.split()), results)
        if not hits:
            return ToolResult(text="nothing was found; try other words", ok=False)
        return ToolResult(text="\n\n".join(map(_quoted, hits[:results])))

    return Tool(web)


def _quoted(hit: SearchHit) -> str:
    text = "\n".join(part for part in (hit.title, hit.snippet) if part)
    return quote_untrusted(text, source=hit.url or "the web", max_chars=HIT_CHARS)
