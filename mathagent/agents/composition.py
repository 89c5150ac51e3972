"""Composition: strategies joined to a strategy.

``a | b`` asks b where a is unsure: it has no answer, a check of its answer fails, or its confidence is below the
setting ``threshold``. What is answered then is the last answer that no check fails. ``a & b`` asks both; of answers
that differ it takes the one that checks support, or else the more confident. ``vote(a, b, c)`` takes the answer of
most; a part that could change nothing any more is not asked. Settings stand in brackets: ``pal(n=4)``,
``(a | b)(threshold=0.7)``, ``vote(a, b, n=4)``; those of a composition that all strategies have (n, temperature, top_p,
max_tokens) are its parts' where these do not say otherwise.

The parts run one after the other, under one budget, in one count of samples: no sample is drawn twice. The idea of a
cascade from a cheap to a dear solver is that of "FrugalGPT" (arXiv 2305.05176).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field, JsonValue, create_model, model_validator

from mathagent.agents.blocks import compose
from mathagent.agents.blocks.check import CHECK_PROMPTS
from mathagent.agents.blocks.strategy_choice import with_outcomes
from mathagent.agents.composition_text import Named, Tree, joined_name, parse, with_brackets
from mathagent.agents.strategy import Joiner, Need, Strategy, StrategyConfig
from mathagent.errors import UsageError
from mathagent.memory.experience import Experience
from mathagent.types import Solution

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

SHARED = ("n", "temperature", "top_p", "max_tokens")
"""Settings that every strategy has."""
VERIFIER_CALLS = 1


class ComposedConfig(StrategyConfig):
    """Settings of a composition; ``strategies`` are its parts."""

    strategies: ClassVar[tuple[Strategy, ...]] = ()

    n: int | None = Field(default=None, ge=1, le=256, description="Samples of each part (null: its own setting).")  # type: ignore[assignment]
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus of sampling (null: as the parts).")  # type: ignore[assignment]
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Sampling temperature (null: as the parts)."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Completion tokens of a sample (null: as the parts)."
    )  # type: ignore[assignment]
    parts: tuple[dict[str, JsonValue], ...] = Field(default=(), description="All settings of each part, in order.")

    @model_validator(mode="before")
    @classmethod
    def _with_all_settings(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        own: Any = given.get("parts") or ({},) * len(cls.strategies)
        if not isinstance(own, Sequence) or len(own) != len(cls.strategies):
            raise UsageError(f"the setting 'parts' is a list of the settings of {len(cls.strategies)} strategies")
        shared = {key: given[key] for key in SHARED if given.get(key) is not None}
        parts = []
        for strategy, settings in zip(cls.strategies, own, strict=True):
            free = {key: value for key, value in shared.items() if key not in dict(strategy.given)}
            parts.append(strategy.configure({**free, **settings}).model_dump(mode="json"))
        return {**given, "parts": parts}

    def of_parts(self) -> list[tuple[Strategy, StrategyConfig]]:
        """The parts, each with its settings."""
        return [
            (strategy, strategy.configure(settings))
            for strategy, settings in zip(self.strategies, self.parts, strict=True)
        ]

    @property
    def sampling_temperature(self) -> float:
        """The highest of the parts."""
        return max(config.sampling_temperature for _, config in self.of_parts())

    @property
    def most_samples(self) -> int:
        """Those of all parts."""
        return sum(config.most_samples for _, config in self.of_parts())


class FirstSureConfig(ComposedConfig):
    """Settings of ``a | b``."""

    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Confidence below which a part is unsure and the next is asked."
    )
    ask_verifier: bool = Field(
        default=False, description="Whether a verifier proposes checks of an answer that is confident."
    )


class BothConfig(ComposedConfig):
    """Settings of ``a & b``."""

    ask_verifier: bool = Field(
        default=True, description="Whether a verifier proposes checks of answers that differ."
    )


class VoteConfig(ComposedConfig):
    """Settings of ``vote(a, b, c)``."""


_CONFIGS: dict[Joiner, type[ComposedConfig]] = {"|": FirstSureConfig, "&": BothConfig, "vote": VoteConfig}


def composed(text: str, load: Callable[[str], Strategy]) -> Strategy:
    """The strategy that ``text`` says (see composition_text.py); ``load`` gives those that it names.

    The same strategy for the same text and parts. Raises UsageError, UnknownName for a part that is not known.
    """
    return _of_tree(parse(text), load)


def first_sure(*strategies: Strategy) -> Strategy:
    """``a | b``: each where those before it are unsure."""
    return _joined("|", _flat("|", strategies))


def both(*strategies: Strategy) -> Strategy:
    """``a & b``: all, then the answer that is supported best."""
    return _joined("&", _flat("&", strategies))


def vote(*strategies: Strategy) -> Strategy:
    """``vote(a, b, c)``: all, then the answer of most."""
    return _joined("vote", strategies)


def with_settings(strategy: Strategy, **settings: Any) -> Strategy:
    """``strategy`` with ``settings`` in its brackets, as part of its name. Raises UsageError for what it has not."""
    if strategy.given:
        raise UsageError(f"strategy '{strategy.name}' has settings in its brackets already")
    strategy.configure(settings)
    given = tuple((key, json.dumps(settings[key], sort_keys=True)) for key in sorted(settings))
    name = with_brackets(strategy.name, strategy.joiner, settings)
    return replace(strategy, name=name, given=given, calls=None)


def _of_tree(tree: Tree, load: Callable[[str], Strategy]) -> Strategy:
    if isinstance(tree, Named):
        strategy = load(tree.name)
    else:
        parts = [_of_tree(part, load) for part in tree.parts]
        strategy = {"|": first_sure, "&": both, "vote": vote}[tree.joiner](*parts)
    return with_settings(strategy, **tree.settings) if tree.settings else strategy


def _flat(joiner: Joiner, strategies: Sequence[Strategy]) -> tuple[Strategy, ...]:
    return tuple(
        part for one in strategies for part in (one.parts if one.joiner == joiner and not one.given else (one,))
    )


@lru_cache(maxsize=256)
def _joined(joiner: Joiner, parts: tuple[Strategy, ...]) -> Strategy:
    if len(parts) < 2:
        raise UsageError("a composition joins two strategies at least")
    names = [part.name for part in parts]
    loose = [part.joiner == "|" and not part.given for part in parts]
    known = all(part.needs is not None for part in parts)
    needs = dict.fromkeys(need for part in parts for need in part.needs or ())
    prompts = dict.fromkeys(prompt for part in parts for prompt in part.prompts)
    return Strategy(
        name=joined_name(joiner, names, loose),
        summary=_summary(joiner, names),
        paper="; ".join(dict.fromkeys(part.paper for part in parts)),
        config=_config_of(joiner, parts),
        build=_build_of(joiner),
        prompts=tuple(prompts | dict.fromkeys(() if joiner == "vote" else CHECK_PROMPTS)),
        learn=_learn_of(parts),
        calls=_calls(joiner, parts),
        needs=cast("tuple[Need, ...]", tuple(needs)) if known else None,
        training_free=all(part.training_free for part in parts),
        joiner=joiner,
        parts=parts,
    )


def _config_of(joiner: Joiner, parts: tuple[Strategy, ...]) -> type[ComposedConfig]:
    base = _CONFIGS[joiner]
    make: Any = create_model  # which mypy's plugin takes for a class statement
    made: type[ComposedConfig] = make(base.__name__, __base__=base, __module__=__name__, __doc__=base.__doc__)
    made.strategies = parts
    return made


@cache
def _build_of(joiner: Joiner) -> Callable[[Any], StateGraph[Any, Any, Any, Any]]:
    def build(config: ComposedConfig) -> StateGraph[Any, Any, Any, Any]:
        """A node for each part → select."""
        if isinstance(config, FirstSureConfig):
            return compose.first_sure(
                config.of_parts(), threshold=config.threshold, ask_verifier=config.ask_verifier
            )
        if isinstance(config, BothConfig):
            return compose.both(config.of_parts(), ask_verifier=config.ask_verifier)
        return compose.majority_of(config.of_parts())

    return build


def _learn_of(parts: tuple[Strategy, ...]) -> Callable[[Solution, Sequence[Experience]], list[Experience]]:
    def learn(solution: Solution, found: Sequence[Experience]) -> list[Experience]:
        """What the part that gave the answer would leave, and how each part came out."""
        giving = [number for number, one in enumerate(solution.trials) if one.candidate == solution.winner]
        left = list(found)
        if giving and solution.winner is not None and (of_part := parts[giving[0]].learn) is not None:
            settings = cast("list[dict[str, JsonValue]]", solution.config["parts"])[giving[0]]
            left = of_part(solution.model_copy(update={"config": settings, "trials": ()}), left)
        # A reference speaks of the answer that was chosen, and ``with_outcomes`` takes that to be the last.
        trials = sorted(solution.trials, key=lambda one: one.answer == solution.answer)
        return with_outcomes(solution, trials, left)

    return learn


def _summary(joiner: Joiner, names: Sequence[str]) -> str:
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    if joiner == "|":
        return f"{names[0]}; where it is unsure, {', then '.join(names[1:])}."
    return f"{listed}, then the better supported answer." if joiner == "&" else f"The answer of most of {listed}."


def _calls(joiner: Joiner, parts: Sequence[Strategy]) -> tuple[int, int] | None:
    """Of the whole, by those of the parts: a vote ends early where more than half agree."""
    known = [part.calls for part in parts if part.calls is not None]
    if len(known) < len(parts):
        return None
    least, most = [low for low, _ in known], sum(high for _, high in known)
    if joiner == "|":
        return least[0], most
    if joiner == "&":
        return sum(least), most + VERIFIER_CALLS
    return sum(least[: len(parts) // 2 + 1]), most
