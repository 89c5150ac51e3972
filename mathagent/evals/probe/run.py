"""probe: every test, one after the other, each within its bounds; a test that fails ends nothing but itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from mathagent import __version__
from mathagent.errors import BackendError, MathagentError, UnsupportedOption
from mathagent.evals.probe import form_tests, image_tests, size_tests, task_tests, wire_tests
from mathagent.evals.probe.asking import Asking, Outcome, ProbeLimits, no
from mathagent.events import Event
from mathagent.models.base import Backend, Started, prepare
from mathagent.models.capability_record import CapabilityRecord, Finding
from mathagent.models.known_capabilities import assume
from mathagent.sandbox.base import Sandbox

Test = Callable[[Asking], Awaitable[Outcome]]

TESTS: Mapping[str, Test] = {
    "reply": wire_tests.hello,
    "samples": wire_tests.samples,
    "seed": wire_tests.seeds,
    "stop strings": wire_tests.stop_strings,
    "streaming": wire_tests.streaming,
    "continuation": wire_tests.continuation,
    "log-probs": wire_tests.log_probs,
    "JSON": form_tests.json_object,
    "JSON schema": form_tests.json_schema,
    "grammar": form_tests.grammar,
    "regex": form_tests.regular_expression,
    "tool calls": form_tests.tool_call,
    "images": image_tests.images,
    "embeddings": wire_tests.vectors,
    "context": size_tests.context,
    "speed": size_tests.speed,
    "arithmetic": task_tests.arithmetic,
    "code": task_tests.code,
    "parsing ladder": task_tests.ladder,
}
"""In this order: the last ones build on what the first ones found."""

DECIDES = {
    "samples": "n",
    "seed": "seed",
    "streaming": "streaming",
    "continuation": "continue_assistant",
    "log-probs": "logprobs",
    "JSON schema": "json_schema",
    "grammar": "grammar",
    "regex": "regex",
    "tool calls": "tool_calls",
    "images": "images",
}
"""The capability that a test decides."""

REFUSALS = frozenset({400, 404, 405, 422, 501})
"""HTTP statuses by which a server says that it does not know what it was asked for."""
NOT_SUPPORTED = re.compile(r"\b(is|are) not supported\b|\bdoes not support\b", re.IGNORECASE)
"""What llama.cpp's server says with status 500, which is otherwise a failure that says nothing about the model."""

OnFinding = Callable[[Finding], None]


async def probe(
    backend: Backend,
    sandbox: Sandbox,
    *,
    limits: ProbeLimits | None = None,
    on_finding: OnFinding | None = None,
) -> CapabilityRecord:
    """Asks ``backend``'s model what it can do, and returns what was found; nothing is stored.

    ``sandbox`` runs the programs that it writes. ``on_finding`` hears each finding as it is there. Afterwards the
    backend takes itself for what was found. Raises BackendError or ModelFileError where the model cannot be reached,
    UsageError where it cannot be asked at all.
    """
    began = time.monotonic()
    await prepare(backend)
    if isinstance(backend, Started):
        await backend.start()
    thought = backend.capabilities
    events: list[Event] = []
    asking = Asking(backend, sandbox, limits or ProbeLimits(), events.append)
    findings: list[Finding] = []
    try:
        for name, test in TESTS.items():
            asking.open_everything()
            finding = await _tried(name, test, asking, must_reach=not findings)
            findings.append(finding)
            if on_finding is not None:
                on_finding(finding)
    finally:
        assume(backend, thought.model_copy(update=asking.found))
    return CapabilityRecord(
        model=backend.name,
        identity=backend.identity,
        probed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        mathagent=__version__,
        findings=tuple(findings),
        can=dict(asking.found),
        usage=asking.meter.usage,
        seconds=round(time.monotonic() - began, 3),
    )


async def _tried(name: str, test: Test, asking: Asking, *, must_reach: bool) -> Finding:
    """What ``test`` found, or why it came to no end. The error of the first one is raised: nobody was reached."""
    began = time.monotonic()
    asking.so_far = None
    try:
        async with asyncio.timeout(asking.limits.test_seconds):
            outcome = await test(asking)
    except TimeoutError:
        outcome = _late(asking, must_reach=must_reach)
    except MathagentError as error:
        if must_reach:
            raise
        outcome = _refused(name, error)
        if asking.so_far is not None:
            outcome = _then(asking.so_far, outcome.detail)
    except Exception as error:  # a backend of someone else's may raise anything; the other tests go on
        if must_reach:
            raise
        reason = " ".join(str(error).split())[:200]
        outcome = Outcome(state="failed", detail=f"{type(error).__name__}: {reason}")
    asking.found |= outcome.can
    return Finding(
        test=name,
        state=outcome.state,
        detail=outcome.detail,
        numbers={key: round(value, 4) for key, value in outcome.numbers.items()},
        seconds=round(time.monotonic() - began, 3),
    )


def _late(asking: Asking, *, must_reach: bool) -> Outcome:
    """What a test has found that took too long. Raises BackendError where that is all that is known of the model."""
    seconds = f"{asking.limits.test_seconds:g} s"
    if must_reach:
        raise BackendError(f"{asking.raw.name} did not reply within {seconds}; allow more with --test-seconds")
    if asking.so_far is None:
        return Outcome(state="failed", detail=f"it took longer than {seconds}")
    return _then(asking.so_far, f"{seconds} were up")


def _then(found: Outcome, end: str) -> Outcome:
    """What a test has ``found`` before something ended it."""
    return found.model_copy(update={"detail": f"{found.detail}; then {end}"})


def _refused(name: str, error: MathagentError) -> Outcome:
    """A refusal of what was asked is an answer; any other error is none."""
    reason = " ".join(str(error).split())[:200]
    refused = isinstance(error, UnsupportedOption) or (
        isinstance(error, BackendError)
        and (error.status in REFUSALS or (error.status == 500 and NOT_SUPPORTED.search(reason) is not None))
    )
    if refused and name in DECIDES:
        return no(f"refused: {reason}", DECIDES[name])
    return no(f"refused: {reason}") if refused else Outcome(state="failed", detail=reason)
