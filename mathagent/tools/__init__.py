"""Tools: what an agent may call. A new one is one file and one line here."""

from mathagent.registry import Registry

TOOLS = Registry(
    "tool",
    "mathagent.tools",
    {
        "python": "mathagent.tools.python:python_tool",
        "symbolic": "mathagent.tools.symbolic:symbolic_tool",
        "z3": "mathagent.tools.constraint_solver:z3_tool",
        "wolfram": "mathagent.tools.wolfram:wolfram_tool",
        "retrieve": "mathagent.tools.retrieve:retrieve_tool",
        "knowledge": "mathagent.tools.knowledge:knowledge_tool",
        "web": "mathagent.tools.web:web_tool",
    },
)
WEB_SEARCHES = Registry(
    "web search",
    "mathagent.web_searches",
    {
        "searxng": "mathagent.tools.search_providers:searxng",
        "tavily": "mathagent.tools.search_providers:tavily",
        "brave": "mathagent.tools.search_providers:brave",
        "wikipedia": "mathagent.tools.search_providers:wikipedia",
    },
)
"""Search engines of the tool web, each a function of the settings (tools/web.py: ``open_search``)."""
