"""Telemetry: spans and metrics of solves by OpenTelemetry's GenAI conventions.

The names are those of https://github.com/open-telemetry/semantic-conventions-genai: ``invoke_agent`` for a solve,
``chat`` for a request to a model, ``execute_tool`` for a program, a check or a tool. Spans and metrics go to the
providers of the process; where nobody has set some up (``export``, an application, ``opentelemetry-instrument``),
nothing is done here. Amounts, names and kinds of errors are told, never what a
problem, a prompt, a program or a reply says.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from mathagent.errors import UsageError
from mathagent.events import CheckFinished, CodeFinished, CodeStarted, Event, ToolFinished, ToolStarted
from mathagent.types import SamplingParams, Solution, Usage

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span, Tracer

SCOPE = "mathagent"
PROVIDERS = {"openai": "openai", "embedded": "llama.cpp", "hf": "transformers", "script": "mathagent.script"}
"""``gen_ai.provider.name`` by the prefix of a model's name; a backend that is not listed goes by its own."""

_API = ("opentelemetry.trace", "opentelemetry.metrics")
"""Where the providers are from that stand in until there is one."""
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)


def active() -> bool:
    """Whether anyone in this process listens. That OpenTelemetry is loaded says little: LangChain loads it."""
    if "opentelemetry.trace" not in sys.modules:
        return False
    from opentelemetry import metrics, trace

    providers = (trace.get_tracer_provider(), metrics.get_meter_provider())
    return any(not type(one).__module__.startswith(_API) for one in providers)


def _tracer() -> Tracer:
    from opentelemetry import trace

    return trace.get_tracer(SCOPE)


@cache
def _instruments() -> tuple[Histogram, Histogram]:
    from opentelemetry import metrics

    meter = metrics.get_meter(SCOPE)
    duration = meter.create_histogram(
        "gen_ai.client.operation.duration",
        unit="s",
        description="GenAI operation duration.",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )
    tokens = meter.create_histogram(
        "gen_ai.client.token.usage",
        unit="{token}",
        description="Number of input and output tokens used.",
        explicit_bucket_boundaries_advisory=_TOKENS,
    )
    return duration, tokens


def _provider_and_model(name: str) -> tuple[str, str]:
    prefix, separator, model = name.partition(":")
    return (PROVIDERS.get(prefix, prefix), model) if separator else ("mathagent", name)


class Operation:
    """One operation that runs: ``add`` is called with what it used, once that is known."""

    def __init__(self, span: Span | None = None, attributes: Mapping[str, Any] | None = None) -> None:
        self._span, self._attributes = span, dict(attributes or {})

    def add(self, usage: Usage, **more: Any) -> None:
        """Notes the tokens of the operation, and ``more`` attributes (dots in their names written as ``__``)."""
        if self._span is None:
            return
        self._span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
        self._span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
        for name, value in more.items():
            self._span.set_attribute(name.replace("__", "."), value)
        if self._attributes.get("gen_ai.operation.name") != "chat":
            return  # a solve's tokens are those of its requests: not counted twice
        for kind, count in (("input", usage.prompt_tokens), ("output", usage.completion_tokens)):
            _instruments()[1].record(count, {**self._attributes, "gen_ai.token.type": kind})


@contextmanager
def _operation(kind: str, name: str, attributes: dict[str, Any], told: dict[str, Any]) -> Iterator[Operation]:
    """``attributes`` are those of the metrics, too; ``told`` those of the span alone."""
    from opentelemetry.trace import SpanKind, Status, StatusCode

    attributes = {"gen_ai.operation.name": name.split(" ")[0], **attributes}
    started, failed = time.perf_counter(), {}
    span_kind = SpanKind.CLIENT if kind == "client" else SpanKind.INTERNAL
    with _tracer().start_as_current_span(
        name,
        kind=span_kind,
        attributes={**attributes, **told},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield Operation(span, attributes)
        except BaseException as error:
            failed = {"error.type": type(error).__name__}  # what it says may hold an address
            span.set_attributes(failed)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            _instruments()[0].record(time.perf_counter() - started, {**attributes, **failed})


@contextmanager
def model_call(backend: str, role: str, params: SamplingParams) -> Iterator[Operation]:
    """A span ``chat MODEL`` around one request to a model; ``backend`` is its name, ``openai:gpt-4o-mini``."""
    if not active():
        yield Operation()
        return
    provider, model = _provider_and_model(backend)
    told = {
        "gen_ai.request.max_tokens": params.max_tokens,
        "gen_ai.request.temperature": params.temperature,
        "gen_ai.request.top_p": params.top_p,
        "gen_ai.request.choice.count": params.n,
        "mathagent.role": role,
    }
    if params.seed is not None:
        told["gen_ai.request.seed"] = params.seed
    attributes = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
    with _operation("client", f"chat {model}", attributes, told) as operation:
        yield operation


class Solving(Operation):
    """A solve that runs. ``on_event`` makes the spans of programs, checks and tools of its events."""

    def __init__(self, span: Span | None = None, attributes: Mapping[str, Any] | None = None) -> None:
        super().__init__(span, attributes)
        self._open: dict[object, deque[Span]] = defaultdict(deque)

    def on_event(self, event: Event) -> None:
        """Begins and ends spans, as children of what runs where the event comes from."""
        if self._span is None:
            return
        match event:
            case CodeStarted():
                self._begin(("python", event.sample), "python", "extension")
            case CodeFinished():
                status = event.execution.status
                failed = "" if status == "ok" else status
                self._end(("python", event.sample), failed, {"mathagent.execution.status": status})
            case ToolStarted():
                self._begin(("tool", event.tool), event.tool, "function")
            case ToolFinished():
                self._end(("tool", event.tool), "" if event.ok else "tool_error", {})
            case CheckFinished():
                began = time.time_ns() - int(event.check.seconds * 1e9)
                self._begin(("check", event.sample), f"check_{event.check.kind}", "extension", began)
                self._end(("check", event.sample), "", {"mathagent.check.outcome": event.check.outcome})

    def finished(self, solution: Solution) -> None:
        """Notes how the solve ended."""
        more: dict[str, Any] = {"mathagent__stopped": solution.stopped}
        if solution.confidence is not None:
            more["mathagent__confidence"] = solution.confidence
        self.add(solution.usage, **more, mathagent__calls=solution.usage.calls)

    def close(self) -> None:
        """Ends what an early end has left open."""
        for spans in self._open.values():
            while spans:
                spans.popleft().end()

    def _begin(self, key: object, tool: str, kind: str, start_ns: int | None = None) -> None:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": kind,
        }
        span = _tracer().start_span(f"execute_tool {tool}", attributes=attributes, start_time=start_ns)
        self._open[key].append(span)

    def _end(self, key: object, failed: str, attributes: dict[str, Any]) -> None:
        from opentelemetry.trace import Status, StatusCode

        if not self._open[key]:
            return
        span = self._open[key].popleft()
        span.set_attributes(attributes)
        if failed:
            span.set_attribute("error.type", failed)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


@contextmanager
def solving(strategy: str, model: str, solve_id: str, *, resumed: bool) -> Iterator[Solving]:
    """A span ``invoke_agent STRATEGY`` around a solve."""
    if not active():
        yield Solving()
        return
    _, model_name = _provider_and_model(model)
    attributes = {
        "gen_ai.provider.name": "mathagent",
        "gen_ai.agent.name": strategy,
        "gen_ai.request.model": model_name,
    }
    told = {"mathagent.solve.id": solve_id, "mathagent.resumed": resumed}
    with _operation("internal", f"invoke_agent {strategy}", attributes, told) as operation:
        one = Solving(operation._span, operation._attributes)
        try:
            yield one
        finally:
            one.close()


def export(service: str) -> Callable[[], None]:
    """Sends spans and metrics of this process to where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS, …), by OTLP over HTTP. Returns what sends the rest and ends it.

    Raises UsageError where the extra ``otel`` is not installed.
    """
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which need the extra otel: pip install 'mathagent[otel]'"
        ) from error

    resource = Resource.create({SERVICE_NAME: service}).merge(Resource.create())  # OTEL_SERVICE_NAME wins
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)

    def shutdown() -> None:
        tracers.shutdown()
        meters.shutdown()

    return shutdown
