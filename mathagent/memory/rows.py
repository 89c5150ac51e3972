"""An experience as a row of the table ``experiences``, and back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from mathagent.errors import StorageError
from mathagent.memory.experience import TRUST_ORDER, Experience, StrategyStatistics
from mathagent.memory.merging import claim_key, shape_key
from mathagent.memory.schema import DIGEST_MODULUS

Row = tuple[Any, ...]

READ_COLUMNS = "number, id, trust, subject, score, uses, successes, content, provenance, evidence"
WRITTEN_COLUMNS = (
    "id, kind, trust, subject, strategy, model, dataset, created, last_used, score, uses, successes, claim, shape,"
    " digest, key_text, content, provenance, evidence"
)


def row_of(experience: Experience, now: float) -> Row:
    """The values of WRITTEN_COLUMNS for ``experience``; one that does not say when it was made was made ``now``."""
    content, origin = experience.content, experience.provenance
    # Statistics are about a strategy and a model; all else was made with them.
    about = content if isinstance(content, StrategyStatistics) else origin
    return (
        experience.id,
        experience.kind,
        TRUST_ORDER.index(experience.trust),
        experience.subject,
        about.strategy,
        about.model,
        origin.dataset,
        origin.created or now,
        0.0,
        experience.score,
        experience.uses,
        experience.successes,
        claim_key(experience),
        shape_key(experience),
        digest(experience),
        experience.key_text,
        content.model_dump_json(),
        origin.model_dump_json(),
        json.dumps([check.model_dump(mode="json") for check in experience.evidence], separators=(",", ":")),
    )


def experience_of(row: Row) -> Experience:
    """The experience in the READ_COLUMNS of a row. Raises StorageError where this version cannot read it."""
    _, identity, trust, subject, score, uses, successes, content, provenance, evidence = row
    try:
        return Experience.model_validate_json(
            f'{{"content":{content},"provenance":{provenance},"evidence":{evidence},'
            f'"trust":{json.dumps(TRUST_ORDER[trust])},"subject":{json.dumps(subject)},'
            f'"score":{json.dumps(score)},"uses":{uses},"successes":{successes}}}'
        )
    except (ValidationError, IndexError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(
            f"the experience {identity} cannot be read by this version of mathagent ({reason}); update mathagent, or"
            " forget that experience"
        ) from error


def digest(experience: Experience) -> int:
    """What ``experience`` adds to its store's fingerprint: all of it but how often it was used."""
    text = experience.model_dump_json(exclude={"uses", "successes"})
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % DIGEST_MODULUS


def storable(experience: Experience) -> Experience:
    """``experience`` with halves of characters (lone surrogates, which models write in JSON) replaced by ``?``.

    No UTF-8 text, and so no database or JSON file, can hold them.
    """
    try:
        experience.model_dump_json()
    except ValueError:  # pydantic's serialization error
        return Experience.model_validate(_whole(experience.model_dump(mode="python")))
    return experience


def whole_text(text: str) -> str:
    """``text`` with lone surrogates replaced by ``?``."""
    return text.encode("utf-8", "replace").decode()


def _whole(value: Any) -> Any:
    match value:
        case str():
            return whole_text(value)
        case dict():
            return {name: _whole(one) for name, one in value.items()}
        case list() | tuple():
            return tuple(_whole(one) for one in value)
    return value
