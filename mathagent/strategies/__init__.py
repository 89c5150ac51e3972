"""Strategies: one file per named method. A new one is its file, its prompts, its test and one line here."""

from mathagent.registry import Registry

DEFAULT_STRATEGY = "self-consistency"

STRATEGIES = Registry(
    "strategy",
    "mathagent.strategies",
    {
        "auto": "mathagent.strategies.auto:STRATEGY",
        "cot": "mathagent.strategies.cot:STRATEGY",
        "dotamath": "mathagent.strategies.dotamath:STRATEGY",
        "glore": "mathagent.strategies.glore:STRATEGY",
        "malt": "mathagent.strategies.malt:STRATEGY",
        "pal": "mathagent.strategies.pal:STRATEGY",
        "plan-verify-refine": "mathagent.strategies.plan_verify_refine:STRATEGY",
        "self-consistency": "mathagent.strategies.self_consistency:STRATEGY",
        "tir": "mathagent.strategies.tir:STRATEGY",
    },
)
