"""Spans and metrics of a solve, by OpenTelemetry's names, and nothing of what was asked in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mathagent import telemetry
from mathagent.errors import BackendError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    telemetry._instruments.cache_clear()
    yield reader
    telemetry._instruments.cache_clear()
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


async def test_a_solve_its_requests_and_its_programs(spans: InMemorySpanExporter) -> None:
    async with Solver(
        ScriptedBackend([PROGRAM], name="openai:some-model"), sandbox="subprocess", cache=False
    ) as solver:
        solution = await solver.solve("What is 6*7?", "pal", seed=3)
    (agent,) = named(spans, "invoke_agent pal")
    (chat,) = named(spans, "chat some-model")
    (program,) = named(spans, "execute_tool python")
    assert chat.parent is not None
    assert program.parent is not None
    assert agent.context is not None
    assert chat.parent.span_id == program.parent.span_id == agent.context.span_id
    assert dict(agent.attributes or {}) | {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "mathagent",
        "gen_ai.agent.name": "pal",
        "gen_ai.request.model": "some-model",
        "gen_ai.usage.output_tokens": solution.usage.completion_tokens,
        "mathagent.solve.id": solution.solve_id,
        "mathagent.stopped": "finished",
    } == dict(agent.attributes or {})
    assert dict(chat.attributes or {}) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "some-model",
        "gen_ai.request.seed": 3,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": solution.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": solution.usage.completion_tokens,
    } == dict(chat.attributes or {})
    assert chat.kind is trace.SpanKind.CLIENT
    assert dict(program.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "python",
        "gen_ai.tool.type": "extension",
        "mathagent.execution.status": "ok",
    }


async def test_nothing_of_what_was_said_is_told(spans: InMemorySpanExporter) -> None:
    replies = [PROGRAM, Reply(error="refused at http://user:hunter22@host/v1", status=401)]
    backend = ScriptedBackend(replies, name="openai:m")
    async with Solver(backend, sandbox="subprocess", cache=False) as solver:
        await solver.solve("What is 6*7?", "pal")
        with pytest.raises(BackendError):
            await solver.solve("What is 6*7?", "pal")
    told = " ".join(span.to_json() for span in spans.get_finished_spans())
    for word in ("6*7", "6 * 7", "solution()", "hunter22", "host"):
        assert word not in told.replace('"host.name"', "")
    failed = named(spans, "invoke_agent pal")[-1]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "BackendError"


async def test_a_cached_reply_is_no_request(spans: InMemorySpanExporter) -> None:
    for _ in range(2):
        async with Solver(ScriptedBackend([PROGRAM], name="openai:m"), sandbox="subprocess") as solver:
            await solver.solve("What is 6*7?", "pal")
    assert len(named(spans, "chat m")) == 1
    assert len(named(spans, "invoke_agent pal")) == 2


async def test_metrics(measured: InMemoryMetricReader) -> None:
    replies = [PROGRAM, Reply(error="gone", status=400)]
    async with Solver(ScriptedBackend(replies, name="openai:m"), sandbox="subprocess", cache=False) as solver:
        solution = await solver.solve("What is 6*7?", "pal")
        with pytest.raises(BackendError):
            await solver.solve("What is 6*7?", "pal")
    points = _points(measured)
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": solution.usage.prompt_tokens, "output": solution.usage.completion_tokens}
    durations = {
        (point.attributes["gen_ai.operation.name"], point.attributes.get("error.type")): point.count
        for point in points["gen_ai.client.operation.duration"]
    }
    assert durations == {
        ("chat", None): 1,
        ("chat", "BackendError"): 1,
        ("invoke_agent", None): 1,
        ("invoke_agent", "BackendError"): 1,
    }


def _points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[str, list[Any]] = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = list(metric.data.data_points)
    return found


def test_where_nobody_listens_nothing_is_done() -> None:
    code = "import mathagent.solver; from mathagent import telemetry; print(telemetry.active())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
