"""Sandboxes: where model-written code and untrusted mathematics run. A new one is one file and one line here."""

import sys

from mathagent.registry import Registry

SANDBOXES = Registry(
    "sandbox",
    "mathagent.sandboxes",
    {
        "process": "mathagent.sandbox.process:ProcessSandbox",
        "process-ready": "mathagent.sandbox.process:ProcessSandbox.with_ready_clones",
        "docker": "mathagent.sandbox.docker_container:DockerSandbox",
        "subprocess": "mathagent.sandbox.fresh_process:FreshProcessSandbox",
    },
)

DEFAULT_SANDBOX = "process" if sys.platform == "linux" else "subprocess"
"""What confines programs unless something else is asked for; "subprocess" has limits and time-outs only."""
INTERACTIVE_SANDBOX = "process-ready" if sys.platform == "linux" else "subprocess"
"""The default where a person waits for one program: less waiting, more CPU."""
UNSAFE_SANDBOX = "subprocess"
"""What ``--unsafe-local`` takes."""
