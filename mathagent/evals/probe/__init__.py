"""Probe: what a model can really do, tried out. ``probe`` in run.py asks it; each other module holds a few tests."""

PROBE_PROMPTS = tuple(
    f"probe/{name}"
    for name in (
        "hello",
        "count",
        "invent",
        "facts",
        "choice",
        "tool",
        "picture",
        "needle",
        "long",
        "arithmetic",
        "code_squares",
        "code_primes",
        "code_digits",
        "asked",
    )
)
"""The prompts of the tests."""
