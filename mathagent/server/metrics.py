"""ServerMetrics: what ``/metrics`` tells, in the form of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from mathagent.agents.composition_text import is_composition
from mathagent.agents.gate import Gate
from mathagent.events import CheckFinished, CodeFinished, Event, ModelReplied, Retried
from mathagent.types import Solution

_SOLVE_S = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_REQUEST_S = (0.005, 0.02, 0.1, 0.5, 1, 5, 30, 120, 600)


class ServerMetrics:
    """The counts of one app, in a registry of its own. Labels come from closed sets: no client can make new ones."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._solves = self._counter("solves", "Solves that ended, by how.", "strategy", "model", "stopped")
        self._seconds = self._histogram("solve_seconds", "Seconds of a solve.", _SOLVE_S, "strategy", "model")
        self._tokens = self._counter("tokens", "Tokens of the models' replies that were paid for.", "kind")
        self._calls = self._counter("model_calls", "Samples drawn from models.", "cached")
        self._retries = self._counter("model_retries", "Requests to models that were sent again.")
        self._programs = self._counter("programs", "Programs run in the sandbox, by how they ended.", "status")
        self._checks = self._counter("checks", "Checks made, by their outcome.", "outcome")
        self._requests = self._counter("http_requests", "HTTP requests.", "route", "method", "status")
        self._latency = self._histogram("http_request_seconds", "Seconds of a request.", _REQUEST_S, "route")
        self._running = Gauge("mathagent_solves_running", "Solves that run.", registry=self.registry)
        self._waiting = Gauge("mathagent_solves_waiting", "Requests that wait.", registry=self.registry)

    def watch(self, gate: Gate) -> None:
        """Has the gauges follow ``gate``."""
        self._running.set_function(lambda: gate.running)
        self._waiting.set_function(lambda: gate.waiting)

    def on_event(self, event: Event) -> None:
        """Counts what a solve tells."""
        match event:
            case ModelReplied():
                self._calls.labels(str(event.cached).lower()).inc()
                if not event.cached:
                    self._tokens.labels("prompt").inc(event.usage.prompt_tokens)
                    self._tokens.labels("completion").inc(event.usage.completion_tokens)
            case CodeFinished():
                self._programs.labels(event.execution.status).inc()
            case CheckFinished():
                self._checks.labels(event.check.outcome).inc()
            case Retried():
                self._retries.inc()

    def ended(self, strategy: str, model: str, solution: Solution) -> None:
        """Counts a solve that gave a solution."""
        self._solves.labels(_kind(strategy), model, solution.stopped).inc()
        self._seconds.labels(_kind(strategy), model).observe(solution.seconds)

    def failed(self, strategy: str, model: str, how: str) -> None:
        """Counts one that gave none."""
        self._solves.labels(_kind(strategy), model, how).inc()

    def requested(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request; ``route`` is the pattern of its path."""
        self._requests.labels(route, method, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The page."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"mathagent_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mathagent_{name}", about, labels, buckets=buckets, registry=self.registry)


def _kind(strategy: str) -> str:
    return "composition" if is_composition(strategy) else strategy
