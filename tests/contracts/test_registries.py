"""Every row of every lazy table: it loads, it is what its table says, it is documented and tested."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from mathagent.agents.human import HINTS_PROMPT
from mathagent.agents.role import ROLES
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.transcribe import TRANSCRIBE_PROMPTS
from mathagent.config import read_settings
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.datasets import DATASETS
from mathagent.evals.probe import PROBE_PROMPTS
from mathagent.evals.process.critics import CRITICS, PROCESS_PROMPTS, load_critic
from mathagent.evals.prompt_search.edits import EDIT_PROMPTS
from mathagent.functions import FUNCTION_PROMPTS
from mathagent.memory import STORES
from mathagent.models import BACKENDS
from mathagent.prompts import slots, source
from mathagent.registry import Registry
from mathagent.sandbox import SANDBOXES
from mathagent.scorers.base import SCORERS, load_scorer
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools import TOOLS, WEB_SEARCHES
from mathagent.tools.base import Tool

TABLES = (BACKENDS, SANDBOXES, STRATEGIES, TOOLS, WEB_SEARCHES, STORES, CRITICS, DATASETS, SCORERS)
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


TOOL_MEANS = {"sandbox", "settings", "memory", "search", "backend"}
"""What a tool may be made of: whoever opens tools passes each factory what its parameters name."""
MAX_SPEC_CHARS = 2_500
"""Small models read a specification with every request."""


@pytest.mark.parametrize("name", TOOLS.table)
def test_tool(name: str) -> None:
    factory = TOOLS.load(name)
    needed = [
        parameter.name
        for parameter in inspect.signature(factory).parameters.values()
        if parameter.default is parameter.empty
    ]
    assert set(needed) <= TOOL_MEANS
    if name == "z3":
        pytest.importorskip("z3")
    means: dict[str, object] = dict.fromkeys(TOOL_MEANS - {"settings"}, object())
    means["settings"] = read_settings()
    tool = factory(**{name: means[name] for name in needed})
    assert isinstance(tool, Tool)
    assert tool.name == name
    assert len(tool.spec().model_dump_json()) < MAX_SPEC_CHARS


@pytest.mark.parametrize("name", CRITICS.table)
def test_critic(name: str) -> None:
    critic = load_critic(name)
    assert (critic.typed is None) != (critic.text is None)
    for prompt in critic.prompts:
        assert source(prompt).startswith("=== ")


SCORER_ARGUMENTS = dict.fromkeys(("mean", "min", "product"), ":judge,arithmetic") | dict.fromkeys(
    ("reward", "pooling", "classify"), ":http://127.0.0.1:9/pooling"
)


@pytest.mark.parametrize("name", SCORERS.table)
def test_scorer(name: str) -> None:
    scorer = load_scorer(f"{name}{SCORER_ARGUMENTS.get(name, '')}")
    assert scorer.name.partition(":")[0] == name
    assert scorer.level in ("outcome", "step")
    assert inspect.iscoroutinefunction(scorer.score)


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
    others = (
        HINTS_PROMPT,
        *TRANSCRIBE_PROMPTS,
        *PROCESS_PROMPTS,
        *EDIT_PROMPTS,
        *FUNCTION_PROMPTS,
        *PROBE_PROMPTS,
    )
    assert on_disk == used | {role.prompt for role in ROLES} | set(others)
