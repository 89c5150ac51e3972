"""Search engines of the web tool: for each, how it is asked and where in its reply the hits are.

Formats: docs.searxng.org/dev/search_api, docs.tavily.com/documentation/api-reference/endpoint/search,
api-dashboard.search.brave.com/app/documentation/web-search, mediawiki.org/wiki/API:Search.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from mathagent.config import Settings
from mathagent.errors import ResourceError, UsageError
from mathagent.tools.http_fetch import HttpRequest, fetch
from mathagent.tools.web import SearchHit

MAX_TEXT_CHARS = 4_000
BRAVE_WORDS = 50
"""The most words of a query that Brave takes."""
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")


class HttpSearch:
    """A WebSearch: ``ask`` makes the request for (query, limit), ``hits_at`` are the keys that lead to the hits, and
    ``fields`` the names of a hit's title, address and text. ``rank`` is its place where they come in no order,
    ``markup`` says that texts are HTML."""

    def __init__(
        self,
        name: str,
        ask: Callable[[str, int], HttpRequest],
        hits_at: tuple[str, ...],
        fields: tuple[str, str, str],
        rank: str = "",
        markup: bool = False,
    ) -> None:
        self.name, self._ask, self._hits_at, self._fields, self._rank = name, ask, hits_at, fields, rank
        self._text = _without_markup if markup else _plain

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """See ``WebSearch.search``."""
        request = self._ask(query, limit)
        reply = await fetch(request)
        try:
            found: Any = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise ResourceError(
                f"{request.service} answered something that is not JSON; {request.advice}"
            ) from error
        for key in self._hits_at:
            found = found.get(key, {}) if isinstance(found, Mapping) else None
        if not found:
            return []
        if not isinstance(found, list):
            raise ResourceError(f"{request.service} answered in a form that is not known; is its address right?")
        hits = [one for one in found if isinstance(one, Mapping)]
        if self._rank:
            hits.sort(key=self._place)
        return [self._hit(one) for one in hits[:limit]]

    def _place(self, found: Mapping[str, Any]) -> float:
        place = found.get(self._rank)
        return place if isinstance(place, (int, float)) else math.inf

    def _hit(self, found: Mapping[str, Any]) -> SearchHit:
        title, url, snippet = (found.get(name) for name in self._fields)
        web = isinstance(url, str) and url.startswith(("https://", "http://"))
        return SearchHit(title=self._text(title), url=str(url) if web else "", snippet=self._text(snippet))


def searxng(settings: Settings, url: str = "") -> HttpSearch:
    """SearxNG, at MATHAGENT_SEARXNG_URL. Raises UsageError where that is not set."""
    base = url or settings.searxng_url
    if not base:
        raise UsageError("the search provider searxng needs its address: set MATHAGENT_SEARXNG_URL")

    def ask(query: str, limit: int) -> HttpRequest:
        return HttpRequest(
            service="SearxNG",
            url=f"{base.rstrip('/')}/search",
            params={"q": query, "format": "json"},
            advice="allow the format json in the instance's settings (search: formats)",
        )

    return HttpSearch("searxng", ask, ("results",), ("title", "url", "content"))


def tavily(settings: Settings, url: str = "https://api.tavily.com") -> HttpSearch:
    """Tavily, with TAVILY_API_KEY. Raises UsageError where that is not set."""
    key = _key(settings.tavily_api_key, "tavily", "TAVILY_API_KEY")

    def ask(query: str, limit: int) -> HttpRequest:
        return HttpRequest(
            service="Tavily",
            method="POST",
            url=f"{url}/search",
            headers={"Authorization": f"Bearer {key}"},
            body={"query": query, "max_results": limit, "search_depth": "basic"},
            advice="check TAVILY_API_KEY",
        )

    return HttpSearch("tavily", ask, ("results",), ("title", "url", "content"))


def brave(settings: Settings, url: str = "https://api.search.brave.com") -> HttpSearch:
    """Brave Search, with BRAVE_API_KEY. Raises UsageError where that is not set."""
    key = _key(settings.brave_api_key, "brave", "BRAVE_API_KEY")

    def ask(query: str, limit: int) -> HttpRequest:
        return HttpRequest(
            service="Brave Search",
            url=f"{url}/res/v1/web/search",
            params={"q": " ".join(query.split()[:BRAVE_WORDS]), "count": str(limit)},
            headers={"X-Subscription-Token": key, "Accept": "application/json"},
            advice="check BRAVE_API_KEY",
        )

    return HttpSearch("brave", ask, ("web", "results"), ("title", "url", "description"), markup=True)


def wikipedia(settings: Settings, url: str = "https://en.wikipedia.org") -> HttpSearch:
    """Wikipedia's own search, which needs no key; hits are the beginnings of articles."""

    def ask(query: str, limit: int) -> HttpRequest:
        return HttpRequest(
            service="Wikipedia",
            url=f"{url}/w/api.php",
            params={
                "action": "query",
                "format": "json",
                "formatversion": "2",
                "generator": "search",
                "gsrsearch": query,
                "gsrlimit": str(limit),
                "prop": "extracts|info",
                "inprop": "url",
                "exintro": "1",
                "explaintext": "1",
                "exlimit": "max",
                "exchars": "700",
            },
            advice="try again later",
        )

    return HttpSearch("wikipedia", ask, ("query", "pages"), ("title", "fullurl", "extract"), rank="index")


def _key(key: SecretStr | None, provider: str, variable: str) -> str:
    if key is None or not key.get_secret_value().strip():
        raise UsageError(f"the search provider {provider} needs a key: set {variable}")
    return key.get_secret_value().strip()


def _plain(text: Any) -> str:
    return text[:MAX_TEXT_CHARS].strip() if isinstance(text, str) else ""


def _without_markup(text: Any) -> str:
    return html.unescape(_TAG.sub("", _plain(text)))
