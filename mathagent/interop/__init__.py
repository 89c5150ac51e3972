"""Adapters to other evaluation frameworks. Each module needs its framework; nothing else of mathagent imports them."""
