"""What a model is taken to be able to do: what the user says, else what a probe found, else what its backend thinks.

The user says it in the config file, a table a model (its name, or its identity), which wins over all else:

    [capabilities."openai:Qwen/Qwen3-8B"]
    tool_calls = false
"""

from __future__ import annotations

from pathlib import Path

from mathagent.config import read_config_file
from mathagent.errors import UnknownName, UsageError
from mathagent.models.base import Backend, Capabilities, models_of
from mathagent.models.capability_record import find_record


def said_capabilities(path: Path) -> dict[str, dict[str, bool]]:
    """What the config file at ``path`` says, by model. Raises UsageError, UnknownName, naming the place."""
    tables = read_config_file(path).get("capabilities", {})
    if not isinstance(tables, dict):
        raise UsageError(f'{path}: capabilities is no table; write [capabilities."MODEL"]')
    for model, table in tables.items():
        where = f"{path}, [capabilities.{model}]"
        if not isinstance(table, dict):
            raise UsageError(f'{where} is no table; write [capabilities."{model}"]')
        for name, value in table.items():
            if name not in Capabilities.model_fields:
                raise UnknownName(f"capability (in {path})", name, Capabilities.model_fields)
            if not isinstance(value, bool):
                raise UsageError(f"{where}: {name} = {value!r} is wrong: write true or false")
    return tables


def assume(backend: Backend, capabilities: Capabilities) -> bool:
    """Lets ``backend`` take ``capabilities`` for its own; False for one that lets nobody say what it can do.

    A pool of endpoints can do what its members can: each of them is told.
    """
    members = [member.backend for member in getattr(backend, "members", ())]
    try:
        for one in members or [backend]:
            one.capabilities = capabilities
    except AttributeError:
        return False
    return True


class KnownCapabilities:
    """The records in ``folder`` and the user's word in the config file, as the models of one solver are told them."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder, self._config = folder, config
        self._settled: dict[int, str] = {}
        self._said: dict[str, dict[str, bool]] | None = None

    def settle(self, backend: Backend) -> None:
        """Tells ``backend``, or each of the models that it is made of, once for each identity that it shows: what it
        learns by itself afterwards, as that its server refuses n, stays.

        Raises UsageError for a wrong config file, or a model that cannot be told; StorageError for a damaged record.
        """
        for one in models_of(backend):
            if self._settled.get(id(one)) != one.identity:
                self._settle(one)
                self._settled[id(one)] = one.identity

    def _settle(self, backend: Backend) -> None:
        if self._said is None:
            self._said = said_capabilities(self._config)
        record = find_record(backend.identity, self._folder)
        said = {**self._said.get(backend.name, {}), **self._said.get(backend.identity, {})}
        known = {**({} if record is None else record.can), **said}
        if known and not assume(backend, backend.capabilities.model_copy(update=known)) and said:
            raise UsageError(f"{self._config}: {backend.name} lets nobody say what it can do; leave its table out")
