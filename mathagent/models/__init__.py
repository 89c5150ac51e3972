"""Backends: what turns messages into completions. A new one is one file and one line here."""

from mathagent.registry import Registry

BACKENDS = Registry(
    "backend",
    "mathagent.backends",
    {
        "openai": "mathagent.models.openai_compat:connect",
        "embedded": "mathagent.models.embedded:connect",
        "hf": "mathagent.models.transformers_local:connect",
        "script": "mathagent.models.scripted:connect",
        "nudge": "mathagent.models.nudging:connect_nudge",
        "defer": "mathagent.models.nudging:connect_defer",
    },
)
