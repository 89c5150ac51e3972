"""A million problems for benchmarks/memory_scale.py: real ones, and variations with other numbers, names and things.

Variations of one problem lie close together, as problems from one textbook page do; that is what makes approximate
search hard. The same seed gives the same texts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

SKIPPED = ("templates", "exemplars", "game24", "processbench", "mr_gsm8k", "cmath", "mgsm", "gaokao_math")
"""Data sets whose rows are no problems of their own, or not in English."""
NAMES = """
Ada Ben Chloe Dmitri Elena Farid Grace Hiro Ines Jonas Kemi Lars Maya Noor Olga Pablo Quinn Rosa Samir Tara Uma Viktor
Wanda Xavier Yara Zoe Amara Bruno Carla Diego Emil Fatima Gustav Hanna Igor Jasmin Karim Lena Marco Nadia
"""
THINGS = """
apples pears marbles books pencils stickers cookies oranges cards coins flowers tickets balloons eggs shirts bottles
boxes cups hats stamps shells buttons candles bricks tiles ropes lamps chairs bags toys
"""
_NO_NAMES = "The|What|How|Find|Let|If|Each|She|His|Her|They|There|When|After|Then|For|And"
_NAME = re.compile(rf"\b(?!(?:{_NO_NAMES})\b)[A-Z][a-z]{{2,8}}\b")
_THING = re.compile(rf"\b(?:{'|'.join(THINGS.split())})\b")
_NUMBER = re.compile(r"(?<![\w.\\])\d{1,6}(?![\w.])")


def real_problems(data: Path) -> list[str]:
    """The distinct problem texts of the data sets in ``data``, in a fixed order."""
    found: dict[str, None] = {}
    for path in sorted(data.glob("*.jsonl*")):
        if any(word in path.name for word in SKIPPED):
            continue
        data_set = path.read_bytes()
        for line in (gzip.decompress(data_set) if path.suffix == ".gz" else data_set).splitlines():
            text = json.loads(line).get("question")
            if isinstance(text, str) and 20 <= len(text) <= 2000:
                found[text] = None
    return list(found)


def problems(data: Path, seed: int) -> Iterator[str]:
    """Distinct problems without end: first the real ones, mixed, then rounds of variations of them."""
    chance = random.Random(seed)
    real = real_problems(data)
    chance.shuffle(real)
    seen: set[bytes] = set()
    for text in real:
        seen.add(digest(text))
        yield text
    while True:
        for text in real:
            varied = variation(text, chance)
            if digest(varied) not in seen:
                seen.add(digest(varied))
                yield varied


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()


def variation(text: str, chance: random.Random) -> str:
    """``text`` with other numbers of about the same size, other names and other things, each name and thing alike
    throughout."""
    new: dict[str, str] = {}

    def other(choices: str) -> Callable[[re.Match[str]], str]:
        return lambda match: new.setdefault(match[0], chance.choice(choices.split()))

    def number(match: re.Match[str]) -> str:
        value = int(match[0])
        return match[0] if value < 2 else str(chance.randint(max(2, value // 2), 2 * value + 1))

    text = _NUMBER.sub(number, text)
    text = _THING.sub(other(THINGS), text)
    return _NAME.sub(other(NAMES), text)
