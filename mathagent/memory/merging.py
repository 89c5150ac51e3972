"""When two experiences are one, and what becomes of them. Pure."""

from __future__ import annotations

import hashlib
import re

from mathagent.answers.normal import normalize
from mathagent.memory.experience import (
    MOST_USES,
    TRUST_ORDER,
    Exemplar,
    Experience,
    Fact,
    Lesson,
    StrategyStatistics,
    Template,
)
from mathagent.memory.near_duplicates import MAX_CHARACTERS, near_duplicate_key, normal_problem, shape

LONGEST_READ = 500
"""Characters of an answer that is brought to one spelling."""
_WHOLE = re.compile(r"-?[1-9][0-9]{0,17}|0")


def claim_key(experience: Experience) -> int | None:
    """A hash (64 bits, signed) of kind, what is said, and the problem but for dress: equal for near duplicates.

    None where nothing but the very same experience is a duplicate: of statistics, each of which is an observation,
    and of texts so long that only their beginnings would be compared.
    """
    said = _said(experience)
    return None if said is None else _hash(*said)


def shape_key(experience: Experience) -> int:
    """A hash (64 bits, signed) of kind and key text with other numbers: what shares it is much of a muchness."""
    return _hash(experience.kind, shape(experience.key_text))


def is_same_thing(a: Experience, b: Experience) -> bool:
    """Whether one of the two is enough: they say the same of the same problem (memory/near_duplicates.py).

    Another answer, another fix, other choices, other numbers, a program where the other has only words: both stay.
    """
    return a.id == b.id or (_said(a) is not None and _said(a) == _said(b))


def merged(kept: Experience, new: Experience) -> Experience:
    """One of two experiences that are the same thing: the better trusted (else ``kept``), whole, with its own evidence.

    Uses add up, except those of one and the same experience: there the larger counts, so that importing an export a
    second time changes nothing.
    """
    better = new if TRUST_ORDER.index(new.trust) > TRUST_ORDER.index(kept.trust) else kept
    other = kept if better is new else new
    if kept.id == new.id:
        most = max(kept, new, key=lambda one: (one.uses, one.successes))
        uses, successes = most.uses, most.successes
    else:
        uses = min(kept.uses + new.uses, MOST_USES)
        successes = min(kept.successes + new.successes, uses)
    return better.model_copy(
        update={"uses": uses, "successes": successes, "subject": better.subject or other.subject}
    )


def _said(experience: Experience) -> tuple[str, ...] | None:
    content = experience.content
    if len(experience.key_text) > MAX_CHARACTERS:
        return None
    match content:
        case Exemplar():
            way = "program" if content.program.strip() else "words"
            key, answer = near_duplicate_key(content.problem), _one_spelling(content.answer)
            return ("exemplar", way, key, answer, *content.choices)
        case Lesson():
            parts = (content.mistake, content.fix)
            return ("lesson", near_duplicate_key(content.problem), *map(normal_problem, parts))
        case Template():
            return ("template", near_duplicate_key(content.key_text), normal_problem(content.plan))
        case Fact():  # a sign makes another formula of it: nothing but layout may differ
            return ("fact", *map(_plain, (content.title, content.statement, content.example, content.expected)))
        case StrategyStatistics():
            return None


def _one_spelling(answer: str) -> str:
    """``answer`` as a solve would give it, however a data set spells it. Most are whole numbers, which cost nothing."""
    if _WHOLE.fullmatch(answer):
        return answer
    return normalize(answer) if len(answer) <= LONGEST_READ else _plain(answer)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _hash(*parts: str) -> int:
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
