"""Replies that must follow a JSON schema or a grammar: which tokens may come next, by llguidance."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import torch

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ChatRequest
from mathagent.models.regex_grammar import regex_grammar

ADVICE = "JSON schemas and grammars need the package llguidance: pip install llguidance"


JSON_OPTIONS: dict[str, Any] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As json.dumps writes it: where blanks may follow, a small model spent all of its tokens on them."""


def available() -> bool:
    """Whether constraints can be followed here."""
    return find_spec("llguidance") is not None


def is_constrained(request: ChatRequest) -> bool:
    """Whether the reply must follow something."""
    return any(one is not None for one in (request.json_schema, request.grammar, request.regex))


class Constraint:
    """What one reply must be. It is told each token, and says which may follow."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self) -> torch.Tensor:
        """A mask [vocabulary] of the tokens that may come next. Raises BackendError where none can be found."""
        mask = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8) > 0
        self._check()
        return mask

    def take(self, token: int) -> None:
        """Notes that ``token`` came next. Raises BackendError where it may not."""
        self._matcher.consume_token(token)
        self._check()

    @property
    def complete(self) -> bool:
        """Whether the reply is whole, and nothing may follow."""
        return bool(self._matcher.is_stopped())

    def copy(self) -> Constraint:
        """The same, at the same place, to go on by itself."""
        return Constraint(self._matcher.deep_copy())

    def _check(self) -> None:
        if self._matcher.is_error():
            raise BackendError(
                f"the constraint cannot be followed: {' '.join(self._matcher.get_error().split())[:200]}"
            )


class Constraints:
    """Makes constraints for one tokenizer. ``vocabulary`` is the width of the model's logits, which is often padded."""

    def __init__(self, tokenizer: Any, vocabulary: int, stop_ids: frozenset[int]) -> None:
        if not available():
            raise UsageError(ADVICE)
        import llguidance.hf

        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(stop_ids))

    def constraint(self, request: ChatRequest) -> Constraint | None:
        """That of ``request``; None where it has none. Raises UsageError for a schema or grammar that is wrong."""
        import llguidance

        if request.json_schema is not None:
            schema = json.dumps(request.json_schema)
            grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=JSON_OPTIONS)
        elif (written := request.grammar or _of_regex(request.regex)) is not None:
            grammar = llguidance.LLMatcher.grammar_from_lark(_as_lark(written))
        else:
            return None
        matcher = llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            kind = (
                "JSON schema"
                if request.json_schema is not None
                else "grammar"
                if request.grammar
                else "regular expression"
            )
            raise UsageError(f"the {kind} cannot be used: {' '.join(matcher.get_error().split())[:300]}")
        return Constraint(matcher)


def _of_regex(pattern: str | None) -> str | None:
    return None if pattern is None else regex_grammar(pattern)


def _as_lark(grammar: str) -> str:
    """GBNF as llguidance reads it; what is Lark already (with regular expressions between slashes) stays."""
    from llguidance import gbnf_to_lark

    # Else (in 1.9.1) it writes ("a"+)? as "a"+?, and then cannot read that.
    gbnf_to_lark.RepetitionNode.is_atomic = _is_not_atomic
    try:
        return str(gbnf_to_lark.any_to_lark(grammar))
    except Exception as error:  # it raises no other where a rule is missing
        raise UsageError(f"the grammar cannot be read: {' '.join(str(error).split())[:300]}") from error


def _is_not_atomic(node: Any) -> bool:
    """A repetition that is repeated stands in brackets."""
    return False
