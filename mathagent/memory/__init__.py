"""Memory: experiences that are kept, found again and weighed. A new store is one file and one line here."""

from mathagent.registry import Registry

STORES = Registry("memory store", "mathagent.stores", {"sqlite": "mathagent.memory.sqlite_store:SqliteStore"})
