"""A zygote with what belongs to it on the trusted side: its jail, its layers, its scratch folders, its cgroup."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from mathagent.errors import SandboxError
from mathagent.sandbox import filters
from mathagent.sandbox.base import Layer
from mathagent.sandbox.cgroup import Cgroup
from mathagent.sandbox.jail import Jail, jail_for
from mathagent.sandbox.outcome import MAX_PROCESSES
from mathagent.sandbox.scratch import DROP_TO, new_folder, remove_folder, sweep
from mathagent.sandbox.tiers import Tier, layers, refusal, tier
from mathagent.sandbox.zygote_link import ZygoteLink

LAYERS = frozenset({"bubblewrap", "namespaces", "landlock", "seccomp", "rlimits", "cgroup"})


class ZygoteHost:
    """Starts a zygote and ends it with all it left. ``without`` names layers to leave out (for tests).

    ``preload``: functions of ours ("module:function") that the zygote calls once, so that every clone has what they
    load; None loads nothing at all (for looking at layers).
    """

    def __init__(self, without: Collection[str] = (), preload: tuple[str, ...] | None = ()) -> None:
        self._without, self._preload = frozenset(without), preload
        self._numbers = count(1)
        self.base: Path
        self.jail: Jail
        self.link: ZygoteLink
        self.cgroup: Cgroup | None = None

    async def start(self) -> None:
        """Starts the zygote. Raises SandboxError."""
        sweep()
        self.base = new_folder("sandbox")
        try:
            if os.getuid() == 0:
                os.chown(self.base, DROP_TO, DROP_TO)
            self.jail = jail_for(self.base, "bubblewrap" not in self._without)
            self.link = await ZygoteLink.open(self.jail, self._plan(), self._filters())
        except BaseException:
            remove_folder(self.base)
            raise
        if "cgroup" not in self._without:
            self.cgroup = Cgroup.around(self.link.process.pid)

    @property
    def tier(self) -> Tier:
        """What this zygote's runs are confined by, together."""
        return tier(self.link.hello, self.jail.bubblewrap)

    def layers(self) -> list[Layer]:
        """What this zygote's runs are confined by, one by one."""
        return layers(self.link.hello, self.jail.bubblewrap, self.cgroup is not None)

    def new_scratch(self) -> tuple[str, Path | None]:
        """Where a run's scratch is as it sees it, and the folder on disk that is to be removed afterwards, if any."""
        if self.link.hello.namespaces:
            return self.jail.scratch, None
        folder = self.base / str(next(self._numbers))
        folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            os.chown(folder, DROP_TO, DROP_TO)
        return f"{self.jail.scratch}/{folder.name}", folder

    async def aclose(self) -> None:
        """Ends the zygote and all its clones, and removes what they left."""
        self.link.let_go()
        await asyncio.get_running_loop().run_in_executor(None, self._clean_up)

    def _clean_up(self) -> None:
        self.link.reap()
        if self.cgroup is not None:
            self.cgroup.remove()
        remove_folder(self.base)

    def _plan(self) -> dict[str, Any]:
        wanted = {name: name not in self._without for name in ("namespaces", "landlock", "seccomp", "rlimits")}
        return wanted | {
            "drop_to": DROP_TO,
            "paths": self.jail.paths,
            "preload": self._preload,
            "jailed": self.jail.bubblewrap,
            "scratch": self.jail.scratch,
            "readable": self.jail.readable,
            "max_processes": MAX_PROCESSES,
            "keep_ours": bool(self._preload),
        }

    def _filters(self) -> dict[str, bytes]:
        if "seccomp" in self._without:
            return {}
        try:
            return {kind: filters.compiled(kind, self.jail.bubblewrap) for kind in filters.KINDS}
        except SandboxError:
            return {}  # the zygote then says that this layer is not here


@cache
def look(without: frozenset[str] = frozenset()) -> tuple[Tier, tuple[Layer, ...]]:
    """Tier and layers of this machine, from a zygote that is started for it. Raises SandboxError."""

    async def ask() -> tuple[Tier, tuple[Layer, ...]]:
        host = ZygoteHost(without, preload=None)
        await host.start()
        try:
            return host.tier, tuple(host.layers())
        finally:
            await host.aclose()

    with ThreadPoolExecutor(1) as thread:  # there may be a running loop in this one
        return thread.submit(asyncio.run, ask()).result()


def check(host: ZygoteHost, unsafe: bool) -> None:
    """Raises SandboxError where programs would not be confined, unless that is wanted."""
    if host.tier == "D" and not unsafe:
        raise refusal(host.link.hello)
