"""The list of roles is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

import mathagent
from mathagent.agents.role_names import ROLE_NAMES

_SAID = re.compile(r'\bRole\(\s*"([\w-]+)"|\brole(?:: str)?\s*=\s*"([\w-]+)"')
_NO_ROLES = {"user", "assistant", "system", "tool", "img"}  # of messages, and of HTML


def test_every_role_that_the_code_names_is_known() -> None:
    folder = Path(mathagent.__file__).parent
    found = {
        name
        for part in ("agents", "strategies", "tools", "evals", "functions")
        for path in (folder / part).rglob("*.py")
        for names in _SAID.findall(path.read_text(encoding="utf-8"))
        for name in names
        if name
    }
    assert len(found) > 40
    assert found - _NO_ROLES <= ROLE_NAMES
