"""The abuse suite with each layer switched off in turn: exactly the known programs get through."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox.process import ProcessSandbox

from . import as_plain_user
from .catalogue import CATALOGUE
from .catalogue.entry import LAYERS, Layer
from .layers_off import DEPENDS_ON_KERNEL, GETS_THROUGH, find
from .perform import all_layers_hold

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is for Linux"),
    pytest.mark.timeout(600),
]


def test_the_known_list_names_programs_and_layers() -> None:
    assert tuple(GETS_THROUGH) == LAYERS
    numbers = {hostile.number for hostile in CATALOGUE}
    assert all(set(known) <= numbers for known in GETS_THROUGH.values())


def test_the_docs_show_the_known_list() -> None:
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("layers-off: begin")[2].partition("layers-off: end")[0]
    for layer, known in GETS_THROUGH.items():
        row = next(line for line in table.splitlines() if line.startswith(f"| {layer}"))
        assert [int(number) for number in re.findall(r"\*\*(\d+)\*\*", row)] == list(known)
        assert all(why in row for why in known.values())


@pytest.mark.parametrize("layer", LAYERS)
async def test_exactly_the_known_programs_get_through(layer: Layer) -> None:
    if not all_layers_hold(ProcessSandbox()):
        pytest.skip("not all layers hold on this machine")
    try:
        found = await find(layer)
    except SandboxError as error:
        if layer == "bubblewrap" and os.getuid() == 0:
            pytest.skip(
                f"see the plain user's pass: {error}"
            )  # a Python under /root, which only bubblewrap can show
        raise
    new = {number: said for number, said in found.through.items() if number not in GETS_THROUGH[layer]}
    assert new == {}, f"these get through without {layer}, and did not before"
    stopped = set(GETS_THROUGH[layer]) - set(found.through) - set(found.skipped) - DEPENDS_ON_KERNEL
    assert stopped == set(), f"another layer stops these now without {layer}: shorten the known list"


def test_without_bubblewrap_as_a_plain_user(as_root: None) -> None:
    """The one layer that root's pass may have to skip; the others are the same for both (`layers_off` shows it)."""
    reason = as_plain_user.reason_to_skip()
    if reason:
        pytest.skip(reason)
    report = as_plain_user.run_tests((f"{__file__}::test_exactly_the_known_programs_get_through[bubblewrap]",))
    assert report.failures == []
    assert report.passed == 1, (report.skipped, report.output)
