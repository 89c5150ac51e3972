"""Self-contrast of a mixture of experts (SCMoE, arXiv 2405.14507): what its chosen experts say beside an unchosen one.

Each token is read twice. The strong pass is routed as the model was made; in the weak pass each layer asks only the
expert that its router ranks k-th (experts that the model always asks stay). The next token is drawn from
(1 + beta) z_strong - beta z_weak, among those that are at least alpha times as likely as the likeliest of the strong
pass. The paper's code has beta 0.5 and alpha 0.1; its example for GSM8K with Mixtral has the third expert.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from mathagent.errors import UnsupportedOption
from mathagent.models.hf.settings import HfSettings

_OPTION = "self_contrast"


@dataclass(frozen=True)
class Contrast:
    """What strong scores are set against: the logits ``weak`` [rows, vocabulary] of the same tokens."""

    weak: torch.Tensor
    beta: float
    alpha: float

    def scores(self, strong: torch.Tensor) -> torch.Tensor:
        """Of each token, minus infinity for those that are not plausible; ``strong`` [rows, vocabulary] may hold such
        already (of a constraint), and plausible is then measured by the likeliest of the others."""
        least = strong.amax(dim=-1, keepdim=True) + torch.tensor(self.alpha, device=strong.device).log()
        contrasted = (1 + self.beta) * strong - self.beta * self.weak.to(strong.device, strong.dtype)
        return contrasted.masked_fill(strong < least, float("-inf"))


class SelfContrast:
    """Routes a model's passes to the expert of one rank, while ``weak`` holds; hooks that are removed by ``remove``."""

    def __init__(self, name: str, model: Any, settings: HfSettings) -> None:
        """Raises UnsupportedOption, by name, where the model cannot be routed so."""
        assert settings.self_contrast is not None
        self.rank = settings.self_contrast
        self._beta, self._alpha = settings.self_contrast_beta, settings.self_contrast_alpha
        self._is_weak = False
        hidden = model.config.get_text_config(decoder=True).hidden_size
        with torch.inference_mode():
            shares = [(router, _shares_one(name, router, hidden)) for router in routers_of(name, model, self.rank)]
        self._hooks = [router.register_forward_hook(self._rerouted(shared)) for router, shared in shares]

    def against(self, weak: torch.Tensor) -> Contrast:
        """What ``weak`` logits are used as."""
        return Contrast(weak, self._beta, self._alpha)

    @contextmanager
    def weak(self) -> Iterator[None]:
        """Passes in here are weak ones."""
        self._is_weak = True
        try:
            yield
        finally:
            self._is_weak = False

    def remove(self) -> None:
        """The model is as it was; safe to call twice."""
        for hook in self._hooks:
            hook.remove()

    def _rerouted(self, shares_one: bool) -> Any:
        def hook(router: Any, inputs: tuple[torch.Tensor, ...], output: Any) -> Any:
            return _ranked(router, inputs[0], self.rank, shares_one) if self._is_weak else None

        return hook


def routers_of(name: str, model: Any, rank: int) -> list[Any]:
    """The routers of all layers with experts; the weights are not looked at, and may be missing yet.

    A router is called with hidden states alone, and returns (logits, weights, experts) of its ``top_k`` experts, as
    those of transformers do. Raises UnsupportedOption where there are no experts, too few, or other routers.
    """
    found = []
    for block in model.modules():
        parts = dict(block.named_children())
        if "experts" not in parts:
            continue
        router: Any = parts.get("gate", parts.get("router"))
        counts = [getattr(router, count, None) for count in ("top_k", "num_experts")]
        if not all(isinstance(one, int) for one in counts) or _takes(router) != 1:
            raise _unlike(name, router)
        found.append(router)
    if not found:
        raise UnsupportedOption(name, _OPTION, "it is no mixture of experts; leave it out")
    most = min(router.num_experts for router in found)
    if rank > most:
        raise UnsupportedOption(name, f"{_OPTION}={rank}", f"its layers have {most} experts")
    if rank == 1 and all(router.top_k == 1 for router in found):
        raise UnsupportedOption(name, f"{_OPTION}=1", "it asks that expert alone anyway; choose another rank")
    return found


def _takes(router: Any) -> int:
    """How many arguments."""
    return len(inspect.signature(router.forward).parameters)


def _unlike(name: str, router: Any) -> UnsupportedOption:
    advice = f"its router ({type(router).__name__}) cannot be asked for other experts; leave it out"
    return UnsupportedOption(name, _OPTION, advice)


def _ranked(router: Any, hidden: torch.Tensor, rank: int, shares_one: bool) -> tuple[torch.Tensor, ...]:
    """What ``router`` returns where the expert at ``rank`` is the only one. Not every router sorts those it chooses: it
    is the one that comes in when the choice grows to ``rank``."""
    logits, weights, experts = _chosen(router, hidden, rank)
    if rank == 1:
        return logits, weights, experts
    better = _chosen(router, hidden, rank - 1)[2]
    place = (experts[..., None] != better[..., None, :]).all(dim=-1).int().argmax(dim=-1, keepdim=True)
    weight = weights.sum(dim=-1, keepdim=True) if shares_one else weights.gather(-1, place)
    return logits, weight, experts.gather(-1, place)


def _chosen(router: Any, hidden: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Its choice of so many experts, by its forward itself: hooks are for passes of the model."""
    own, router.top_k = router.top_k, count
    try:
        logits, weights, experts = router.forward(hidden)
    finally:
        router.top_k = own
    return logits, weights, experts


def _shares_one(name: str, router: Any, hidden_size: int) -> bool:
    """Whether the weights of the chosen are made to sum up to the same, however many they are: the one expert of a weak
    pass gets all of it then, else its own weight. Raises UnsupportedOption where the choice does not follow ``top_k``.
    """
    own = next(router.parameters())
    nothing = torch.zeros(1, hidden_size, dtype=own.dtype, device=own.device)
    try:
        one, two = (_chosen(router, nothing, count)[1] for count in (1, 2))
    except Exception as error:  # a model's code may raise anything
        raise _unlike(name, router) from error
    if (one.shape, two.shape) != ((1, 1), (1, 2)):
        raise _unlike(name, router)
    return bool(torch.isclose(one.sum(), two.sum(), rtol=1e-3))
