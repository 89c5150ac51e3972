"""How models are written: ``NAME``, ``NAME@URL,URL``, ``small,large,below=0.9,verifier=other``. Pure.

A comma parts models, but not within brackets, and not the URLs of one model: what begins with http:// or https:// goes
on with the model before it. ``cascade(small, large)`` is ``small,large`` where a list of several is wanted;
``nudge(base, nudger, gamma=0.3)`` is one model, which the backend ``nudge`` makes of the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.types import Value

_CASCADE = re.compile(r"cascade\((.*)\)", re.DOTALL)
_COMPOSED = re.compile(r"([a-z][\w-]*)\((.*)\)", re.DOTALL)
_ROLE = r"[a-z][\w-]*"
_ASSIGNED = re.compile(rf"({_ROLE})=(.+)", re.DOTALL)
BELOW_KEY = "below"


class ModelNames(Value):
    """What a text names: the models of a cascade (one: no cascade), the confidence below which the next is asked (None:
    not said), and the models of roles."""

    stages: tuple[str, ...] = Field(min_length=1)
    below: float | None = None
    roles: dict[str, str] = Field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it is one model, and nothing else."""
        return len(self.stages) == 1 and not self.roles


def split_models(text: str) -> list[str]:
    """The models in a list with commas; a cascade in brackets is one. Pure."""
    pieces: list[str] = []
    depth = start = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            pieces.append(text[start:place].strip())
            start = place + 1
    pieces.append(text[start:].strip())
    models: list[str] = []
    for piece in pieces:
        if models and re.match(r"https?://", piece):
            models[-1] += f",{piece}"
        elif piece:
            models.append(piece)
    return models


def split_composed(text: str) -> tuple[str, str] | None:
    """(backend, what stands in its brackets) of ``backend(model, model)``; None for a model of another form. Pure."""
    found = _COMPOSED.fullmatch(text.strip())
    return None if found is None else (found[1], found[2])


def read_list(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The models that stand in a list with commas, and what is assigned beside them (name, value). Pure."""
    models: list[str] = []
    assigned: list[tuple[str, str]] = []
    for part in split_models(text):
        found = _ASSIGNED.fullmatch(part)
        if found is None:
            models.append(part)
        else:
            assigned.append((found[1], found[2].strip()))
    return models, assigned


def read_models(text: str) -> ModelNames:
    """What ``text`` names. Raises UsageError where it names no model, or says something twice."""
    inner = _CASCADE.fullmatch(text.strip())
    stages, assigned = read_list(inner[1] if inner else text)
    below: float | None = None
    roles: dict[str, str] = {}
    for name, value in assigned:
        if name == BELOW_KEY:
            below = _share(value)
        elif name in roles:
            raise UsageError(f"the role {name} is given two models; leave one out")
        else:
            roles[name] = value
    if not stages:
        raise UsageError(f"'{text[:200]}' names no model; write for example small,large or small,verifier=large")
    if below is not None and len(stages) == 1:
        raise UsageError(
            "below= says when the next model is asked; name two models, such as small,large,below=0.8"
        )
    return ModelNames(stages=tuple(stages), below=below, roles=roles)


def read_roles(pairs: Sequence[str]) -> dict[str, str]:
    """The models of roles in ``ROLE=MODEL`` pairs. Raises UsageError."""
    roles: dict[str, str] = {}
    for pair in pairs:
        role, separator, model = pair.partition("=")
        if not separator or not role.strip() or not model.strip():
            raise UsageError(
                f"'{pair}' gives no role a model; write ROLE=MODEL, for example verifier=openai:gpt-4o"
            )
        if role.strip() == BELOW_KEY or not re.fullmatch(_ROLE, role.strip()):
            raise UsageError(f"'{role.strip()}' is no name of a role; write ROLE=MODEL, for example verifier=m")
        if len(split_models(model)) != 1:  # the rest would be another stage of all roles' cascade
            raise UsageError(f"the role {role.strip()} is given several models ({model.strip()}); give it one")
        if role.strip() in roles:
            raise UsageError(f"the role {role.strip()} is given two models; leave one out")
        roles[role.strip()] = model.strip()
    return roles


def with_roles(text: str, roles: Mapping[str, str]) -> str:
    """``text`` with the models of ``roles``, as one text. Raises UsageError for a role that has a model already."""
    if not roles:
        return text
    inner = _CASCADE.fullmatch(text.strip())
    joined = ",".join([inner[1] if inner else text, *(f"{role}={model}" for role, model in roles.items())])
    read_models(joined)
    return joined


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"below={text} is no confidence; give one from 0 to 1")
    return share
