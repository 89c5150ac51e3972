"""Sandboxes: where model-written code and untrusted mathematics run. A new one is one file and one line here."""

from mathagent.registry import Registry

SANDBOXES = Registry(
    "sandbox",
    "mathagent.sandboxes",
    {"subprocess": "mathagent.sandbox.fresh_process:FreshProcessSandbox"},
)
