"""Perturbations of the words alone, under which the answer stays: names, culture, an irrelevant clause, order, typos.

Each takes an English problem and a random source, and gives the change or why there is none. Pure. Sources: GSM-Plus
(arXiv 2402.19255), GSM-NoOp (arXiv 2410.05229), Lost in Cultural Translation (arXiv 2503.18018).
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mathagent.evals.perturb.mentions import mentions
from mathagent.evals.perturb.people import articles_agree, people_in, renamed, swapped
from mathagent.evals.perturb.perturbed import Change, Refusal
from mathagent.evals.perturb.sentences import parts_of
from mathagent.evals.templates.word_lists import cultures, word_lists

_COINS = re.compile(r"\b(cents?|penny|pennies|nickels?|dimes?|quarters?|¢|coins?|bills?)\b|¢", re.IGNORECASE)
_PERSONAL = re.compile(r"\b(he|she|him|her|hers|his|himself|herself)\b", re.IGNORECASE)
_LEANS = re.compile(
    r"\b(it|they|its|them|their|theirs|itself|themselves|this|that|these|those|there|then|next|after|afterwards"
    r"|before|later|finally|also|too|another|other|others|rest|remaining|remainder|same|such|again|both|so|however"
    r"|therefore|thus|last|latter|former|now|instead|but|total|combined|together|left|ones|half|third|quarter|twice"
    r"|double|triple|fifth|percent|all|any|none|one(?=[.,;])|every time|additional|extra|equally|average)\b|%|\d/\d"
    r"|\b(?:more|less|fewer)\b(?![^.]*\bthan\b)",
    re.IGNORECASE,
)
_DEFINITE = re.compile(r"\bthe\s+(\w+)(?:\s+(\w+))?", re.IGNORECASE)
TYPO_SHARE = 0.1


@lru_cache(maxsize=8)
def shipped(name: str) -> dict[str, Any]:
    """A TOML file of this package."""
    return tomllib.loads(files(__package__).joinpath(f"shipped/{name}.toml").read_text(encoding="utf-8"))


def change_names(text: str, answer: str, rng: random.Random) -> Change | Refusal:
    """Other given names of the same gender, from all cultures; an answer that is one of them changes with it."""
    names = renamed(text, "", rng)
    if not names:
        return Refusal(reason="no given name that is known")
    return Change(text=swapped(text, names), answer=swapped(answer, names), assignment=names)


def change_culture(text: str, answer: str, rng: random.Random) -> Change | Refusal:
    """Names, food, sports, places, feasts and the currency of another culture; the same item always becomes the same.

    The sign and the word of a currency change together and amounts stay; where coins are named, the currency stays.
    An answer that names one of these things changes with it.
    """
    source, *others = shipped("cultures")["culture"]
    target = others[int(rng.random() * len(others))]
    mapping = renamed(text, target["name"], rng)
    for kind in ("dish", "sweet", "fruit", "sport", "place", "feast"):
        free = list(target[kind])
        for pair in source[kind]:
            if free and any(re.search(rf"\b{re.escape(form)}\b", text, re.IGNORECASE) for form in pair):
                new = free.pop(int(rng.random() * len(free)))
                mapping |= dict(zip(pair, new, strict=True))
    changed = swapped(text, mapping)
    answer = swapped(answer, mapping)
    if not _COINS.search(text):
        old, new = source["currency"], target["currency"]
        if old[0] in changed or re.search(rf"\b{old[1]}s?\b", changed):
            changed = swapped(changed.replace(old[0], new[0]), dict(zip(old[1:], new[1:], strict=True)))
            mapping |= dict(zip(old, new, strict=True))
    if changed == text:
        return Refusal(reason="no cultural item that is known")
    used = {old: new for old, new in mapping.items() if old.lower() in text.lower()}
    return Change(text=articles_agree(changed, list(used.values())), answer=answer, assignment=used)


def add_irrelevant(text: str, answer: str, rng: random.Random) -> Change | Refusal:
    """A sentence with a number before the question, which has nothing to do with it."""
    present = set(re.findall(r"[a-z]+", text.lower()))
    clauses = [one for one in shipped("irrelevant")["clause"] if not present & set(one["unless"])]
    if not clauses:
        return Refusal(reason="every irrelevant sentence might touch what is asked")
    clause = clauses[int(rng.random() * len(clauses))]
    taken = {one.value for one in mentions(text)}
    values = [value for value in range(clause["low"], clause["high"] + 1) if value not in taken]
    value = values[int(rng.random() * len(values))]
    free = [name for name in word_lists()["names"] if name not in people_in(text)]
    sentence = clause["text"].format(n=value, name=free[int(rng.random() * len(free))])
    parts = parts_of(text)
    return Change(
        text=" ".join((*parts.before, sentence, parts.question)),
        answer=answer,
        assignment={"clause": sentence},
        distractors=(str(value),),
    )


def change_order(text: str, answer: str, rng: random.Random) -> Change | Refusal:
    """Neighbouring sentences before the question in another order, where none of them leans on another.

    The rule is strict: no moved sentence has a pronoun, a word of order or remainder (then, another, left), or a part
    of something (half, 20%), and none speaks of "the" something that another sentence has named. He and she are allowed
    where the text has one person only, whose first sentence stays in its place.
    """
    parts = parts_of(text)
    if len(parts.before) < 2:
        return Refusal(reason="fewer than two sentences before the question")
    alone = len(people_in(text)) == 1
    free = [
        not _leans(sentence, parts.before, personal=not alone) and not (alone and place == 0)
        for place, sentence in enumerate(parts.before)
    ]
    # What follows a moved sentence must not lean on it, either.
    followers = [*parts.before[1:], parts.question]
    for place, follower in enumerate(followers):
        if re.search(r"^\W*(it|they|this|that|these|those|its|their)\b", follower, re.IGNORECASE) or (
            not alone and _PERSONAL.search(follower)
        ):
            free[place] = False
    blocks = [block for block in _runs(free) if len(block) > 1]
    if not blocks:
        return Refusal(reason="no two neighbouring sentences stand apart from each other")
    block = blocks[int(rng.random() * len(blocks))]
    order = list(block)
    while order == list(block):
        left = list(block)
        order = [left.pop(int(rng.random() * len(left))) for _ in block]
    places = [*range(block[0]), *order, *range(block[-1] + 1, len(parts.before))]
    return Change(
        text=" ".join((*(parts.before[place] for place in places), parts.question)),
        answer=answer,
        assignment={"order": " ".join(str(place + 1) for place in places)},
    )


def _leans(sentence: str, all_sentences: Sequence[str], *, personal: bool) -> bool:
    """Whether a sentence may need another one before it to be understood."""
    if _LEANS.search(sentence) or (personal and _PERSONAL.search(sentence)):
        return True
    rest = " ".join(other for other in all_sentences if other is not sentence).lower()
    named = {word.lower() for words in _DEFINITE.findall(sentence) for word in words if len(word) > 2}
    return any(re.search(rf"\b{re.escape(word)}\b", rest) for word in named)


def _runs(free: Sequence[bool]) -> list[list[int]]:
    """The places of neighbours that are all free."""
    runs: list[list[int]] = [[]]
    for place, is_free in enumerate(free):
        if is_free:
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def add_typos(text: str, answer: str, rng: random.Random) -> Change | Refusal:
    """Two inner letters swapped in about one long word in ten, never in a name, a number or a unit: a control."""
    keep = {name.lower() for lists in cultures().values() for names in lists.values() for name in names}
    words = [
        match
        for match in re.finditer(r"\b[a-z]{5,}\b", text)
        if match[0] not in keep and len(set(match[0][1:-1])) > 1
    ]
    if not words:
        return Refusal(reason="no word is long enough")
    changes: dict[str, str] = {}
    count = max(1, round(TYPO_SHARE * len(words)))
    for match in sorted(_several(words, count, rng), key=lambda one: -one.start()):
        word = match[0]
        places = [place for place in range(1, len(word) - 2) if word[place] != word[place + 1]]
        if not places:
            continue
        at = places[int(rng.random() * len(places))]
        new = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        text = text[: match.start()] + new + text[match.end() :]
        changes[word] = new
    return (
        Change(text=text, answer=answer, assignment=changes)
        if changes
        else Refusal(reason="no word can be misspelt")
    )


def _several(items: list[Any], count: int, rng: random.Random) -> list[Any]:
    left = list(items)
    return [left.pop(int(rng.random() * len(left))) for _ in range(min(count, len(left)))]
