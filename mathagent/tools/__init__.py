"""Tools: what an agent may call. A new one is one file and one line here."""

from mathagent.registry import Registry

TOOLS = Registry("tool", "mathagent.tools", {"python": "mathagent.tools.python:python_tool"})
