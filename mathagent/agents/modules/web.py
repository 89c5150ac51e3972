"""Module web (BS): two searches, by the model's query and by the question itself; what is useful is extracted.

The context needs a tool "web", which quotes what it brings: search results are data. A search by the question may find
its very answer: a measurement is to be made without this tool.
"""

from __future__ import annotations

from pydantic import Field

from mathagent.agents.modules.pipeline import Found, Pipeline
from mathagent.agents.reply_ladder import Reading, read
from mathagent.agents.role import Role
from mathagent.agents.state import Finding
from mathagent.tools.untrusted import neutralised
from mathagent.types import SamplingParams, Step, Value

SEARCHER = Role("searcher", "mathsensei/web_query", SamplingParams(max_tokens=128))
EXTRACTOR = Role("web-reader", "mathsensei/web_extract", SamplingParams(max_tokens=256))
WEB_PROMPTS = (SEARCHER.prompt, EXTRACTOR.prompt)
QUERY_CHARS = 300
"""Characters of a search; engines cut longer ones."""


class WebQuery(Value):
    """What to search for, and why."""

    thought: str = ""
    query: str = Field(min_length=1)


async def web(pipeline: Pipeline) -> Found:
    """What two searches found that is useful for the problem; nothing where there is no tool "web"."""
    if "web" not in pipeline.context.tools:
        return Finding(module="web"), None
    draft, limit = await pipeline.write(SEARCHER, pipeline.prompt(SEARCHER.prompt, known=pipeline.known))
    steps: list[Step] = []
    queries: list[str] = []
    if draft.completion is not None:
        steps.append(Step(kind="thought", text=draft.completion.text))
        reading = read(draft.completion, "labels", WebQuery)
        queries += [reading.reply.query.splitlines()[0]] if isinstance(reading, Reading) else []
    useful: list[str] = []
    for number, query in enumerate((*queries, pipeline.problem.text)):
        if limit is not None:
            break
        result = await pipeline.look_up("web", " ".join(query.split())[:QUERY_CHARS])
        steps.append(Step(kind="observation", text=result.text, origin="tool"))
        if not result.ok:
            continue
        prompt = pipeline.prompt(EXTRACTOR.prompt, results=result.text)
        draft, limit = await pipeline.write(EXTRACTOR, prompt, attempt=number)
        if draft.completion is not None:
            steps.append(Step(kind="thought", text=draft.completion.text))
            useful.append(neutralised(draft.completion.text).strip())  # a page may have it write a token anew
    text = "\n".join(one for one in useful if one.strip(" .*").lower() not in ("", "none"))
    return Finding(module="web", title="Found by a web search", text=text, steps=tuple(steps)), limit
