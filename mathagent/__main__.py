"""The door of ``python -m mathagent`` and of the ``mathagent`` command: errors become one line and an exit code."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line."""
    from mathagent.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
