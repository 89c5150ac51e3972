"""Running a strategy's graph: by LangGraph, or by a walk of the same graph where nothing is kept and nobody listens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from langchain_core.callbacks import CallbackManager
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from mathagent.agents.context import RunContext
from mathagent.agents.direct_graph import DirectGraph
from mathagent.agents.saver import SolveSaver
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.errors import MathagentError
from mathagent.types import Request

RECURSION_LIMIT = 1000  # steps; budgets and sample counts end every graph of ours long before
_INTERRUPTS = "__interrupt__"


@dataclass(frozen=True)
class GraphRun:
    """How a run ended: the last good state, the error that ended it early, and what it asks a person."""

    state: SolveState
    error: MathagentError | None = None
    waiting_for: Request | None = None


@dataclass(frozen=True)
class ReadyGraph:
    """A graph that keeps no checkpoints; ``direct`` is the same to be walked, None where only LangGraph can run it."""

    compiled: CompiledStateGraph[Any, Any, Any, Any]
    direct: DirectGraph | None


def ready_graph(strategy: Strategy, config: StrategyConfig) -> ReadyGraph:
    """The graph of a strategy with its settings, to be run without checkpoints; concurrent solves share it.

    Building and compiling one takes longer than running it, and a benchmark solves a thousand problems alike: a graph
    holds its settings and nothing else, so that one will do.
    """
    return _ready_graph(strategy, config.model_dump_json())


@lru_cache(maxsize=64)
def _ready_graph(strategy: Strategy, settings: str) -> ReadyGraph:
    graph = strategy.build(strategy.config.model_validate_json(settings))
    # A plugin's node may ask LangGraph for its config, its stream or an interrupt; ours ask the context.
    ours = strategy.build.__module__.startswith("mathagent.")
    return ReadyGraph(graph.compile(), DirectGraph.of(graph) if ours else None)


async def run_graph(
    graph: StateGraph[Any, Any, Any, Any] | ReadyGraph,
    start: SolveState,
    context: RunContext,
    saver: SolveSaver | None = None,
    *,
    resume: bool = False,
) -> GraphRun:
    """Runs ``graph`` to its end from ``start``, or, to ``resume``, from the latest checkpoint of ``saver``.

    A checkpoint is written before the next node starts (durability "sync"): a killed process loses the node that
    ran; a graph that is ready keeps none. Streams state values, since a run that raises gives back nothing else. Only
    errors of ours are returned: a programming error raises.

    It stands apart from a graph whose node it may run in: else that one's checkpointer and stream would be its own.
    """
    last: dict[str, Any] = {}
    error: MathagentError | None = None
    config: Any = {"recursion_limit": RECURSION_LIMIT}
    durable: dict[str, Any] = {}
    if saver is not None:
        config["configurable"] = {"thread_id": saver.path.stem}
        durable["durability"] = "sync"
    outer = var_child_runnable_config.get()
    callbacks = None if outer is None else outer.get("callbacks")
    apart = var_child_runnable_config.set(None if outer is None else {"callbacks": callbacks})
    try:
        if isinstance(graph, ReadyGraph) and graph.direct and not context.durable and not _heard(callbacks):
            stream = graph.direct.stream(start, context, recursion_limit=RECURSION_LIMIT)
        else:
            runnable = graph.compile(checkpointer=saver) if isinstance(graph, StateGraph) else graph.compiled
            stream = runnable.astream(
                None if resume else start, config, context=context, stream_mode="values", **durable
            )
        async for values in stream:
            last = {**last, **values}  # the values of an interrupt hold nothing else
    except MathagentError as failure:
        error = failure
    finally:
        var_child_runnable_config.reset(apart)
    interrupts = last.pop(_INTERRUPTS, ())
    # Nodes are not validated on output by LangGraph: do it once, here.
    state = SolveState.model_validate(last) if last else start
    return GraphRun(state, error, interrupts[0].value if interrupts else None)


def _heard(callbacks: Any) -> bool:
    """Whether somebody follows LangChain's callbacks: those of an application around us, or a tracer such as
    LangSmith's, which LangChain adds by itself."""
    return bool(CallbackManager.configure(inheritable_callbacks=callbacks).handlers)
