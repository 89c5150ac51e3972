"""mathagent solve --resume: the solves that can go on, and how one of them is opened again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mathagent.agents.checkpoints import Checkpoints, StoredSolve
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.errors import UsageError
from mathagent.sandbox import DEFAULT_SANDBOX, INTERACTIVE_SANDBOX, UNSAFE_SANDBOX

if TYPE_CHECKING:
    from mathagent.cli.solve import SolveArguments


def list_resumable(*, as_json: bool) -> int:
    """Shows the solves that can be resumed, the latest first."""
    found = Checkpoints(settings().solves_dir).resumable()
    if as_json:
        sys.stdout.write(json.dumps([one.model_dump(mode="json") for one in found], indent=2) + "\n")
        return 0
    page = Page(Console())
    if not found:
        page.line("no solve is unfinished")
        return 0
    page.table([(one.spec.solve_id, _about(one), "bold") for one in found])
    page.line("go on with: mathagent solve --resume ID", style="dim")
    return 0


def _about(one: StoredSolve) -> str:
    far = f"{one.calls} calls, {one.tokens} tokens, {one.candidates} candidates, {one.seconds:.0f} s"
    waits = "" if one.waiting_for is None else f"; waits for you ({one.waiting_for.kind})"
    return f"{one_line(one.spec.problem.text, 60)} ({one.spec.strategy}, {one.updated} UTC; {far}{waits})"


def resumed_arguments(arguments: SolveArguments) -> SolveArguments:
    """``arguments`` with model, address and sandbox as the stored solve had them, where nothing else is said.

    Raises UsageError for what a resumed solve takes from its start, and where there is no such solve.
    """
    fixed = {
        "--file": arguments.file is not None,
        "--strategy": arguments.strategy is not None,
        "--budget-…": arguments.budget != type(arguments.budget)(),
        "--n, --temperature, --set": bool(arguments.config),
        "--seed": arguments.seed is not None,
    }
    given = [name for name, is_given in fixed.items() if is_given]
    if given:
        raise UsageError(f"a resumed solve goes on as it began; leave out {', '.join(given)}")
    spec = Checkpoints(settings().solves_dir).stored(arguments.problem or "").spec
    unsafe = spec.sandbox == UNSAFE_SANDBOX != DEFAULT_SANDBOX
    if unsafe and arguments.sandbox != UNSAFE_SANDBOX:
        raise UsageError(f"solve {spec.solve_id} was begun with --unsafe-local; say it again to resume it")
    if arguments.memory is not None and spec.memory == "off" and arguments.memory_mode is None:
        raise UsageError(f"solve {spec.solve_id} was begun without a memory; leave out --memory")
    stored_sandbox = INTERACTIVE_SANDBOX if spec.sandbox == DEFAULT_SANDBOX else spec.sandbox
    memory_mode = arguments.memory_mode or spec.memory
    kept = Path(spec.memory_path) if spec.memory_path and memory_mode != "off" else None
    return arguments.model_copy(
        update={
            "model": arguments.model or spec.model,
            "base_url": arguments.base_url or (spec.base_url if "openai:" in spec.model else None),
            "sandbox": stored_sandbox if arguments.sandbox == INTERACTIVE_SANDBOX else arguments.sandbox,
            "cache": arguments.cache and spec.cache,
            "memory_mode": memory_mode,
            "memory": arguments.memory or kept,
            "approve": arguments.approve or spec.approve_code or spec.review_plans,
        }
    )
