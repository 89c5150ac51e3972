"""The wolfram tool: a query in words, answered by Wolfram|Alpha, or without an app id by the symbolic tool.

The offline substitute knows a fixed list of phrasings (``query_phrases``), where Wolfram|Alpha knows the language and
the world; what it does not understand it says. Source of the idea: MATHSENSEI (arXiv 2402.17231).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mathagent.config import Settings
from mathagent.errors import ResourceError
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.http_fetch import HttpRequest, fetch
from mathagent.tools.query_phrases import MAX_CHARACTERS, read_query
from mathagent.tools.symbolic import compute
from mathagent.tools.untrusted import quote_untrusted

URL = "https://www.wolframalpha.com/api/v1/llm-api"
ANSWER_CHARS = 2_000
_NOT_UNDERSTOOD = 501
_HELP = (
    'not understood. Write it like one of: "solve x^2 - 5x + 6 = 0", "derivative of x^3", "integrate x^2 from 0 to 1", '
    '"sum of 1/n^2 from n=1 to infinity", "limit of sin(x)/x as x -> 0", "maximize x*(10-x)", "gcd(12, 18)", '
    '"eigenvalues {{1,2},{3,4}}"'
)


def wolfram_tool(sandbox: Sandbox, settings: Settings, limits: Limits | None = None, url: str = URL) -> Tool:
    """The tool "wolfram": asks Wolfram|Alpha where ``settings`` have an app id, else computes in ``sandbox``.

    A call raises UsageError where the app id is refused, ResourceError where the service cannot be used.
    """
    key = settings.wolfram_app_id.get_secret_value().strip() if settings.wolfram_app_id else ""

    async def wolfram(
        query: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)],
    ) -> ToolResult:
        """Answers one short mathematical query in words, like "integrate x^2 from 0 to 1" or "gcd(12, 18)"."""
        if key:
            return await _ask_service(query, key, url)
        request = read_query(query)
        if request is None:
            return ToolResult(text=_HELP, ok=False)
        return await compute(sandbox, request, limits)

    return Tool(wolfram)


async def _ask_service(query: str, key: str, url: str) -> ToolResult:
    request = HttpRequest(
        service="Wolfram|Alpha",
        url=url,
        params={"appid": key, "input": query, "maxchars": str(ANSWER_CHARS)},
        advice="check WOLFRAM_APP_ID",
        accepted=(200, _NOT_UNDERSTOOD),
    )
    reply = await fetch(request)
    text = reply.body.decode("utf-8", "replace").strip()
    if not text:
        raise ResourceError("Wolfram|Alpha gave an empty answer")
    quoted = quote_untrusted(text, source="Wolfram|Alpha", max_chars=ANSWER_CHARS + 200)
    return ToolResult(text=quoted, ok=reply.status != _NOT_UNDERSTOOD)
