"""Arms: records that were made in the same way, under short names that tell them apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from mathagent.budget import Budget
from mathagent.evals.records import MemoryUse, Record
from mathagent.types import Value

_Key = tuple[str, str, str, str, str, str, str, str]


class ArmRecords(Value):
    """The records of one arm, in their order; a record that comes twice, by its key, is there once.

    ``memory`` is the mode of its memory, "learn+feedback" where it was told the grades, and "" without one;
    ``memory_state`` is which memory: what a read one held, or the store that learned. ``budget`` None: the records do
    not say. ``run`` is the run that it is of, where that is known. ``name`` tells the arm from the others of its data
    set by what differs, ``label`` from all.
    """

    dataset: str
    strategy: str
    config: dict[str, JsonValue]
    model: str
    backend: str = ""
    memory: str = ""
    memory_state: str = ""
    budget: Budget | None = None
    run: str = ""
    name: str
    label: str
    records: tuple[Record, ...]
    copies: tuple[tuple[str, ...], ...] = ()


def arms(records: Sequence[Record], *, all_copies: bool = False) -> list[ArmRecords]:
    """The records by data set, strategy, settings, model (with its backend), memory and budget, in order of appearance.

    The record of a failed solve may hold only the settings that were given; it joins the one arm that it fits.
    ``all_copies``: an item that stands several times keeps all of its records, for those who tell items apart by id.
    """
    return _named([("", group) for group in _grouped(records)], all_copies=all_copies)


def arms_of_runs(runs: Mapping[str, Sequence[Record]]) -> list[ArmRecords]:
    """The arms of several runs, by name, each run's apart, in order.

    Two runs whose records of an arm are the same, or are of other items or attempts and so complete each other, have it
    together: it is in its first run only.
    """
    found: list[tuple[str, list[Record]]] = []
    for run, records in runs.items():
        for group in _grouped(records):
            home = next(
                (one for _, one in found if _key(one[0]) == _key(group[0]) and _completes(one, group)), None
            )
            if home is None:
                found.append((run, group))
            else:
                there = {record.key for record in home}
                home += [record for record in group if record.key not in there]
    return _named(found)


def _completes(ours: Sequence[Record], theirs: Sequence[Record]) -> bool:
    """Whether no attempt at an item is in both with different records; an edited item, by its id, is the same one."""
    keys: dict[tuple[str, int], set[str]] = {}  # an item that stands twice has a record each time
    for record in ours:
        for item in (record.item_hash, record.problem_id):
            keys.setdefault((item, record.attempt), set()).add(record.key)
    return all(
        record.key in keys.get((item, record.attempt), (record.key,))
        for record in theirs
        for item in (record.item_hash or record.problem_id, record.problem_id)
    )


def _grouped(records: Sequence[Record]) -> list[list[Record]]:
    groups: dict[_Key, list[Record]] = {}
    for record in {(one.dataset, one.problem_id, one.key): one for one in records}.values():
        groups.setdefault(_key(record), []).append(record)
    for key in [key for key, group in groups.items() if all(record.outcome == "error" for record in group)]:
        homes = [other for other in groups if other != key and _holds(other, key)]
        if len(homes) == 1:
            groups[homes[0]] += groups.pop(key)
    return list(groups.values())


def _named(groups: Sequence[tuple[str, Sequence[Record]]], *, all_copies: bool = False) -> list[ArmRecords]:
    # The first record may be that of a failed solve: a solved one knows all settings.
    firsts = [min(group, key=lambda record: record.outcome == "error") for _, group in groups]
    names = _names(firsts, [run for run, _ in groups])
    several = len({first.dataset for first in firsts}) > 1
    copies = [() if all_copies else _copies(group) for _, group in groups]
    left_out = [{name for names in one for name in names[1:]} for one in copies]
    return [
        ArmRecords(
            dataset=first.dataset,
            strategy=first.strategy,
            config=first.config,
            model=first.model,
            backend=first.backend,
            memory=memory_name(first.memory),
            memory_state=_memory_state(first.memory),
            budget=first.budget,
            run=run,
            name=name,
            label=f"{first.dataset}: {name}" if several else name,
            records=tuple(record for record in group if record.problem_id not in left),
            copies=twice,
        )
        for first, name, (run, group), twice, left in zip(firsts, names, groups, copies, left_out, strict=True)
    ]


def _copies(group: Sequence[Record]) -> tuple[tuple[str, ...], ...]:
    """The ids of each item that stands several times, in order of appearance: ids with one hash and an attempt of the
    same number. (An item that was renamed between two runs has its attempts apart.) Records without hashes say nothing.
    """
    attempts: dict[str, dict[str, set[int]]] = {}
    for record in group:
        if record.item_hash:
            attempts.setdefault(record.item_hash, {}).setdefault(record.problem_id, set()).add(record.attempt)
    found = []
    for by_id in attempts.values():
        (first, seen), *others = by_id.items()
        names = [first, *(name for name, those in others if those & seen)]
        if len(names) > 1:
            found.append(tuple(names))
    return tuple(found)


def copies_words(copies: Sequence[Sequence[str]], *, shown: int = 3) -> str:
    """What is to be said of items that stand several times, the first ``shown`` of them by name; "" where none does.
    Pure."""
    if not copies:
        return ""
    named = ", ".join(" = ".join(names) for names in copies[:shown])
    more = f" and {len(copies) - shown} more" if named and len(copies) > shown else ""
    stand = "1 item stands" if len(copies) == 1 else f"{len(copies)} items stand"
    counts = "counts" if len(copies) == 1 else "count"
    spare = sum(len(names) - 1 for names in copies)
    told = f"{stand} several times in the data set and {counts} once ({spare} left out)"
    return f"{told}: {named}{more}" if named else told


def memory_name(use: MemoryUse | None) -> str:
    """How a memory was used: "", "read", "learn" or "learn+feedback"."""
    if use is None:
        return ""
    return f"{use.mode}+feedback" if use.feedback else use.mode


def _memory_state(use: MemoryUse | None) -> str:
    if use is None:
        return ""
    return f"{use.store}/{use.fingerprint}" if use.mode == "read" else use.store


def _key(record: Record) -> _Key:
    return (
        record.dataset,
        record.strategy,
        json.dumps(record.config, sort_keys=True),
        record.model,
        record.backend,
        memory_name(record.memory),
        _memory_state(record.memory),
        "" if record.budget is None else record.budget.model_dump_json(),
    )


def _holds(key: _Key, failed: _Key) -> bool:
    """Whether a failed solve's settings are among those of ``key``, and all else that it says is the same."""
    known = json.loads(key[2]).items()
    given = json.loads(failed[2]).items()
    same = all(ours == theirs for ours, theirs in zip(key[:2] + key[3:5], failed[:2] + failed[3:5], strict=True))
    # What memory it had may be missing, too.
    memory = failed[5] in ("", key[5]) and failed[6] in ("", key[6])
    return same and memory and failed[7] in ("", key[7]) and all(item in known for item in given)


def _names(firsts: Sequence[Record], runs: Sequence[str]) -> list[str]:
    """A name for each arm, unique within its data set: its strategy and what differs between arms of that strategy."""
    names = [_name(first, [one for one in firsts if one.strategy == first.strategy], firsts) for first in firsts]
    same = Counter((first.dataset, name) for first, name in zip(firsts, names, strict=True))
    with_runs = [
        f"{name} ({run})" if run and same[first.dataset, name] > 1 else name
        for first, name, run in zip(firsts, names, runs, strict=True)
    ]
    seen: Counter[tuple[str, str]] = Counter()
    unique = []
    for first, name in zip(firsts, with_runs, strict=True):
        seen[first.dataset, name] += 1
        times = seen[first.dataset, name]
        unique.append(name if times == 1 else f"{name} #{times}")
    return unique


def _name(first: Record, alike: Sequence[Record], everyone: Sequence[Record]) -> str:
    parts = [first.strategy, *differing_settings(first.config, [one.config for one in alike])]
    if len({one.model for one in everyone}) > 1:
        parts.append(_short_model(first.model, {one.model for one in everyone}))
    same_model = {one.backend for one in everyone if one.model == first.model}
    if len(same_model) > 1 and first.backend:
        parts.append(_tail(first.backend, first.model))
    if len({memory_name(one.memory) for one in everyone}) > 1:
        parts.append(f"memory {memory_name(first.memory) or 'off'}")
    same_memory = {
        _memory_state(one.memory) for one in alike if memory_name(one.memory) == memory_name(first.memory)
    }
    if len(same_memory) > 1 and first.memory is not None:
        parts.append(first.memory.fingerprint[:6] if first.memory.mode == "read" else first.memory.store[:6])
    if len({one.budget for one in everyone}) > 1:
        parts.append(budget_words(first.budget))
    return " ".join(parts)


def differing_settings(config: Mapping[str, JsonValue], others: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    """``key=value`` of the settings that are not the same in ``config`` and all ``others``."""
    missing = object()
    keys = [key for key in config if any(other.get(key, missing) != config[key] for other in others)]
    return [f"{key}={_plain(config[key])}" for key in keys]


def budget_words(budget: Budget | None) -> str:
    """A budget in a few characters: "512 tokens"; "no limit"."""
    if budget is None:
        return "budget unknown"
    limits = [
        f"{limit:g} {unit}"
        for limit, unit in (
            (budget.max_tokens, "tokens"),
            (budget.max_calls, "calls"),
            (budget.max_seconds, "s"),
        )
        if limit is not None
    ]
    return "/".join(limits) or "no limit"


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short_model(model: str, models: set[str]) -> str:
    """The model without its backend's name, unless two would be the same."""
    short = model.split(":", 1)[-1]
    return short if sum(one.split(":", 1)[-1] == short for one in models) == 1 else model


def _tail(backend: str, model: str) -> str:
    """What a backend's identity adds to the model's name, shortened."""
    rest = backend.removeprefix(model).lstrip("@ ")
    return f"@{rest[:8]}" if backend.startswith(model) else rest
