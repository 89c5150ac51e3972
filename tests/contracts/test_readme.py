"""The README's two commands, and what else it promises that a test can hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from mathagent.models.catalog import catalog
from mathagent.strategies import STRATEGIES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def quick_start_blocks() -> list[str]:
    section = README.split("## Quick start", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def test_two_blocks_of_one_command_each() -> None:
    blocks = quick_start_blocks()
    assert len(blocks) == 2
    for block in blocks:
        assert len(block.strip().splitlines()) == 1
        assert shlex.split(block)
    assert "mathagent solve" in blocks[0]
    assert "just check" in blocks[1]


def test_every_strategy_and_model_stands_in_the_readme() -> None:
    for name in STRATEGIES.table:
        assert f"`{name}`" in README
    for model in catalog():
        assert f"embedded:{model.name}" in README


def test_links_to_files_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_no_machine_paths_or_registry_hosts_in_the_documents() -> None:
    for page in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        assert not re.search(r"pypi\.org|pythonhosted|/root/|/work/", page)
