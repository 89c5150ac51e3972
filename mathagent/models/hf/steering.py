"""Activation steering: a direction that is added to what one layer says, so that a model thinks shorter or steadier.

ASC (arXiv 2507.04742) adds it at every token of the reply; SEAL (arXiv 2504.07986) only where a thought has just ended,
to turn the next one from doubting to doing. "Layer L" is the output of block L everywhere: where vectors are found,
as where they are added. Other positions than those of the reply are never steered, however a batch is read, so that
a row's text does not depend on its company. Which sign helps is found by experiment: published scripts subtract what
they have found as a sum.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError

from mathagent.errors import UsageError
from mathagent.types import Value

Trigger = Literal["all", "delimiter"]
_FACTS = "mathagent"
_VECTOR = "vector"


class SteeringFacts(Value):
    """What a steering file says beside its vector. ``strength`` is multiplied with the vector, whose norm is its own;
    ``trigger`` "delimiter": only at tokens that hold a blank line."""

    model: str
    layer: int = Field(ge=0)
    hidden_size: int = Field(gt=0)
    trigger: Trigger = "all"
    strength: float = 1.0


class SteeringVector:
    """A direction of one model's layer. ``vector`` [hidden size] is fp32."""

    def __init__(self, facts: SteeringFacts, vector: torch.Tensor) -> None:
        self.facts, self.vector = facts, vector.float().cpu()

    def save(self, path: Path) -> None:
        """Writes a safetensors file."""
        from safetensors.torch import save_file

        save_file({_VECTOR: self.vector}, path, metadata={_FACTS: self.facts.model_dump_json()})


def load_vector(path: Path) -> SteeringVector:
    """Reads what ``save`` wrote. Raises UsageError where ``path`` is no such file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = SteeringFacts.model_validate(json.loads((file.metadata() or {})[_FACTS]))
            vector = file.get_tensor(_VECTOR)
    except (OSError, SafetensorError, KeyError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} is no steering vector of mathagent's: {reason}") from error
    if vector.shape != (facts.hidden_size,):
        raise UsageError(f"{path} is damaged: its vector has the shape {list(vector.shape)}")
    return SteeringVector(facts, vector)


class Steering:
    """Adds a vector in a model's forward passes, where ``aim`` has said; a hook that is removed by ``remove``."""

    def __init__(self, model: Any, tokenizer: Any, steering: SteeringVector, strength: float | None) -> None:
        """``strength`` None: the file's. Raises UsageError where the vector is not one of this model."""
        facts, hidden = steering.facts, model.config.get_text_config(decoder=True).hidden_size
        layers = decoder_layers(model)
        if facts.hidden_size != hidden or facts.layer >= len(layers):
            raise UsageError(
                f"the steering vector is for layer {facts.layer} of {facts.model}, of size {facts.hidden_size}; this"
                f" model has {len(layers)} layers of size {hidden}"
            )
        self._added = steering.vector * (facts.strength if strength is None else strength)
        self._delimiters = delimiter_ids(tokenizer) if facts.trigger == "delimiter" else None
        self._where: torch.Tensor | None = None
        self._hook = layers[facts.layer].register_forward_hook(self._steer)

    def aim(self, ids: torch.Tensor, places: torch.Tensor, prompt_lengths: Sequence[int]) -> None:
        """Where the next pass is steered: at the tokens of the reply, and at the prompt's last, from which its first
        comes. ``ids`` and ``places`` [rows, tokens] (places -1: padding)."""
        first = torch.tensor(prompt_lengths, device=places.device)[:, None]
        if self._delimiters is None:
            self._where = places >= first - 1
        else:
            self._where = (places >= first) & torch.isin(ids, self._delimiters.to(ids.device))

    def remove(self) -> None:
        """The model is as it was; safe to call twice."""
        self._hook.remove()

    def _steer(self, module: Any, inputs: Any, output: Any) -> Any:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        if self._where is None or not bool(self._where.any()):
            return output
        added = self._added.to(hidden.device, hidden.dtype)
        steered = torch.where(self._where.to(hidden.device)[..., None], hidden + added, hidden)
        return steered if isinstance(output, torch.Tensor) else (steered, *output[1:])


def decoder_layers(model: Any) -> Any:
    """The blocks of a causal model. Raises UsageError where they are not where such models have them."""
    found = getattr(model.get_decoder(), "layers", None)
    if found is None:
        raise UsageError(f"{type(model).__name__} has no list of layers to be steered at")
    return found


def delimiter_ids(tokenizer: Any) -> torch.Tensor:
    """The tokens that hold a blank line: what models write between two thoughts, alone or with what stands before."""
    ids = range(len(tokenizer))
    texts = tokenizer.batch_decode([[one] for one in ids])
    return torch.tensor([one for one, text in zip(ids, texts, strict=True) if "\n\n" in text], dtype=torch.long)


@torch.inference_mode()
def last_hidden(model: Any, ids: Sequence[int], layer: int, places: Sequence[int]) -> torch.Tensor:
    """What block ``layer`` says at ``places`` of a text: [places, hidden size], fp32."""
    found: list[torch.Tensor] = []

    def hear(module: Any, inputs: Any, output: Any) -> None:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        found.append(hidden[0, list(places)].float().cpu())

    # Not ``hidden_states``: the last of those is not what the last block says, but that behind the model's last norm.
    hook = decoder_layers(model)[layer].register_forward_hook(hear)
    try:
        model(input_ids=torch.tensor([list(ids)], device=next(model.parameters()).device), use_cache=False)
    finally:
        hook.remove()
    return found[0]


def contrast(
    model: Any, name: str, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], layer: int
) -> SteeringVector:
    """ASC: from the verbose to the concise. ``pairs`` are the tokens of (concise, verbose), each a problem with its
    solution; the mean of the differences at their last tokens. Raises UsageError without pairs."""
    if not pairs:
        raise UsageError("a steering vector needs at least one pair of texts")
    differences = [
        last_hidden(model, concise, layer, [-1])[0] - last_hidden(model, verbose, layer, [-1])[0]
        for concise, verbose in pairs
    ]
    vector = torch.stack(differences).mean(dim=0)
    facts = SteeringFacts(model=name, layer=layer, hidden_size=len(vector))
    return SteeringVector(facts, vector)


def calibration(model: Any, tokenizer: Any, name: str, traces: Sequence[str], layer: int) -> SteeringVector:
    """SEAL: from the thoughts that check and turn to those that go on. ``traces`` are thinking sections.

    The vector is taken at the delimiter before each thought, from the mean of the first to the mean of the second kind,
    so that a positive strength thinks steadier. Raises UsageError where one of the kinds does not occur.
    """
    kinds: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    delimiters = set(delimiter_ids(tokenizer).tolist())
    for trace in traces:
        ids = tokenizer(trace, add_special_tokens=False)["input_ids"]
        ends = [place for place, token in enumerate(ids[:-1]) if token in delimiters]
        if not ends:
            continue
        hidden = last_hidden(model, ids, layer, ends)
        for number, end in enumerate(ends):
            following = ends[number + 1] + 1 if number + 1 < len(ends) else len(ids)
            kinds[thought_kind(tokenizer.decode(ids[end + 1 : following])) == "execution"].append(hidden[number])
    if not kinds[True] or not kinds[False]:
        raise UsageError("the traces hold no thoughts of both kinds: such as go on, and such as check or turn")
    vector = torch.stack(kinds[True]).mean(dim=0) - torch.stack(kinds[False]).mean(dim=0)
    facts = SteeringFacts(model=name, layer=layer, hidden_size=len(vector), trigger="delimiter")
    return SteeringVector(facts, vector)


_REFLECTION = (
    "verify",
    "make sure",
    "hold on",
    "think again",
    "'s correct",
    "'s incorrect",
    "let me check",
    "seems right",
)
_TRANSITION = (
    "think differently",
    *(f"another {way}" for way in ("way", "approach", "method", "solution", "strategy", "technique")),
)


def thought_kind(text: str) -> Literal["reflection", "transition", "execution"]:
    """What one thought does, by the words of SEAL's lists. English only. Pure."""
    lower = text.strip().lower()
    if lower.startswith("wait") or any(words in lower for words in _REFLECTION):
        return "reflection"
    if lower.startswith("alternatively") or any(words in lower for words in _TRANSITION):
        return "transition"
    return "execution"
