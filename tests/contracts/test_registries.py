"""Every row of every lazy table: it loads, it is what its table says, it is documented and tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mathagent.agents.human import HINTS_PROMPT
from mathagent.agents.role import ROLES
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.errors import UnknownName, UsageError
from mathagent.models import BACKENDS
from mathagent.prompts import slots, source
from mathagent.registry import Registry
from mathagent.sandbox import SANDBOXES
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools import TOOLS

TABLES = (BACKENDS, SANDBOXES, STRATEGIES, TOOLS)
ROWS = [(table, name) for table in TABLES for name in table.table]
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("table", "name"), ROWS, ids=lambda value: getattr(value, "kind", value))
def test_row_loads_and_is_documented(table: Registry, name: str) -> None:
    loaded = table.load(name)
    assert (loaded.__doc__ or "").strip()


@pytest.mark.parametrize("name", STRATEGIES.table)
def test_strategy(name: str) -> None:
    strategy = STRATEGIES.load(name)
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert issubclass(strategy.config, StrategyConfig)
    assert re.search(r"arXiv \d{4}\.\d{4,5}", strategy.paper)
    module = STRATEGIES.path(name).partition(":")[0]
    assert module.rpartition(".")[2] == name.replace("-", "_")
    assert (TESTS / "unit" / "strategies" / f"test_{name.replace('-', '_')}.py").is_file()
    for prompt in strategy.prompts:
        assert source(prompt).startswith("=== ")
        assert isinstance(slots(prompt), frozenset)
    for field in strategy.config.model_fields.values():
        assert field.description
    strategy.build(strategy.configure({})).compile()


def test_default_strategy_exists() -> None:
    assert DEFAULT_STRATEGY in STRATEGIES.table


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_unknown_name_offers_the_nearest(table: Registry) -> None:
    near = next(iter(table.table))
    with pytest.raises(UnknownName, match=f"no {table.kind} is named '{near}x'; did you mean {near}"):
        table.load(f"{near}x")


def test_full_path_is_a_name() -> None:
    assert STRATEGIES.load("mathagent.strategies.pal:STRATEGY") is STRATEGIES.load("pal")
    with pytest.raises(UsageError, match="cannot be loaded"):
        STRATEGIES.load("mathagent.strategies.pal:NOTHING")
    with pytest.raises(UsageError, match="cannot be loaded"):
        STRATEGIES.load("no.such.module:STRATEGY")


def test_every_prompt_file_belongs_to_a_strategy_a_role_or_a_person() -> None:
    import mathagent.prompts

    folder = Path(mathagent.prompts.__file__).parent
    on_disk = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.md")}
    used = {prompt for name in STRATEGIES.table for prompt in STRATEGIES.load(name).prompts}
    assert on_disk == used | {role.prompt for role in ROLES} | {HINTS_PROMPT}
