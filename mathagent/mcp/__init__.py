"""mathagent as an MCP server: the solver and its parts as tools of other people's assistants.

The SDK is the top-level package ``mcp``; this one is ``mathagent.mcp``. The reverse, tools of MCP servers for our own
agents, is in ``mathagent/tools`` (``mcp_servers``).
"""
