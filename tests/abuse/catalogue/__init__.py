"""The abuse suite as data: 106 programs. 107 to 109 (server killed, client killed, a crowd) are tests of their own."""

from __future__ import annotations

from . import files, kernel, network, processes, python_and_channel, resources, secrets
from .entry import Hostile

__all__ = ["CATALOGUE", "Hostile"]

CATALOGUE: tuple[Hostile, ...] = (
    *files.PROGRAMS,
    *secrets.PROGRAMS,
    *network.PROGRAMS,
    *processes.PROGRAMS,
    *resources.PROGRAMS,
    *kernel.PROGRAMS,
    *python_and_channel.PROGRAMS,
)
