"""Block dictionary: English hints behind the words of a question in another language.

Source: "Dictionary Insertion Prompting for Multilingual Reasoning on Multilingual Large Language Models" (arXiv
2411.01141). The form of a dictionary file is in mathagent/dictionaries/README.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from mathagent.errors import UsageError
from mathagent.types import Problem, Value

SAMPLES = ("sample-sw",)
"""Dictionaries that come with mathagent."""
FUNCTION = "function"
MAX_BYTES = 64 * 2**20

# Formulas and commands are no words; neither is what is in brackets behind a word already.
_KEPT = r"\$\$.*?\$\$|\$[^$\n]+\$|\\\(.*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+|https?://\S+"
_HINT = r" \([^()\n]+\)"
_NO_BRACKETS = str.maketrans("()", "[]")
"""Of a translation: brackets within those of a hint would not be known for a hint again."""
_MARKED = ((0x300, 0x1E00), (0xA66F, 0xABF0))
"""Where the combining marks of living scripts are: vowels of Hindi, Bengali, Telugu and Thai, tones of Yoruba."""
_JOINERS = "\u200c\u200d"
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that write no blanks between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
LONGEST_PIECE = 24
"""Characters of the longest word that is looked for in such a text."""
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])\s*[\"'“‘«(]*$")


class Entry(Value):
    """The English translation of a word (its first sense), and whether it is a function word."""

    translation: str
    function: bool = False


Dictionary = Mapping[str, Entry]


def read_dictionary(place: str) -> Dictionary:
    """The dictionary in file ``place``, or that of the sample of this name; "" is the empty one.

    Raises UsageError where it cannot be read, naming the line that is no entry.
    """
    return parse_dictionary(_text(place), place) if place else {}


def dictionary_hash(place: str) -> str:
    """Identity of a dictionary's text (hex, 16 characters); "" of the empty one. Raises UsageError."""
    return hashlib.sha256(_text(place).encode()).hexdigest()[:16] if place else ""


def parse_dictionary(text: str, place: str) -> Dictionary:
    """The entries of ``text`` by word in lower case. Raises UsageError naming ``place`` and line. Pure."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) < 2 or not fields[0] or not fields[1]:
            raise UsageError(
                f"{place}:{number} is no entry of a dictionary; write a word, a tab and its English translation"
            )
        entry = Entry(translation=fields[1].translate(_NO_BRACKETS), function=FUNCTION in fields[2:])
        entries.setdefault(_key(fields[0]), entry)
    return entries


def with_hints(
    text: str, dictionary: Dictionary, *, content_only: bool = False, names: bool = False, stem: int = 0
) -> str:
    """``text`` with the translation of each known word in brackets behind it: "mbwa" becomes "mbwa (dog)". Pure.

    Numbers, formulas and words that have brackets behind them stay as they are, so that a second pass changes nothing.
    ``content_only`` leaves function words out; a word with a capital letter inside of a sentence is a name, which has
    no hint unless ``names``. ``stem``: a word that is not in the dictionary takes the longest entry that it begins
    with, of so many letters at least (0: none). Where a script has no blanks between words, the longest entries from
    the left are the words.
    """
    if not dictionary:
        return text

    def hinted(match: re.Match[str]) -> str:
        word = match["word"]
        if word is None or match["hint"] is not None:
            return match.group()
        is_name = word[:1].isupper() and not _SENTENCE_START.search(
            text[max(0, match.start() - 20) : match.start()]
        )
        if is_name and not names:
            return word
        if _key(word) not in dictionary and _UNSPACED.search(word):
            return "".join(map(with_hint, _pieces(word, dictionary)))
        return with_hint(word)

    def with_hint(word: str) -> str:
        entry = _looked_up(word, dictionary, stem)
        return word if entry is None or (content_only and entry.function) else f"{word} ({entry.translation})"

    return _token().sub(hinted, text)


def hinted_problem(
    problem: Problem, dictionary: Dictionary, *, content_only: bool = False, names: bool = False, stem: int = 0
) -> Problem:
    """``problem`` with hints in its text and its choices; see ``with_hints``. Pure."""

    def hinted(text: str) -> str:
        return with_hints(text, dictionary, content_only=content_only, names=names, stem=stem)

    choices = tuple(map(hinted, problem.choices))
    return problem.model_copy(update={"text": hinted(problem.text), "choices": choices})


def _looked_up(word: str, dictionary: Dictionary, stem: int) -> Entry | None:
    key = _key(word)
    if key in dictionary or not stem:
        return dictionary.get(key)
    return next(
        (dictionary[key[:end]] for end in range(len(key) - 1, stem - 1, -1) if key[:end] in dictionary), None
    )


def _pieces(run: str, dictionary: Dictionary) -> list[str]:
    """``run`` divided into the longest entries from the left, and what stands between them."""
    run = unicodedata.normalize("NFC", run)
    key = _key(run) if len(_key(run)) == len(run) else run
    pieces, start, unknown = list[str](), 0, 0
    while start < len(run):
        ends = range(min(len(run), start + LONGEST_PIECE), start, -1)
        end = next((at for at in ends if key[start:at] in dictionary and _whole(run, at)), None)
        if end is None:
            start += 1
            continue
        pieces += [run[unknown:start], run[start:end]] if start > unknown else [run[start:end]]
        start = unknown = end
    return [*pieces, run[unknown:]] if unknown < len(run) else pieces


def _whole(run: str, end: int) -> bool:
    """Whether a letter ends at ``end``: no mark of it follows."""
    return end == len(run) or not unicodedata.category(run[end]).startswith("M")


@cache
def _token() -> re.Pattern[str]:
    """What a text consists of for hints: what is kept, and words (letters with their marks), each with its hint."""
    codes = (code for first, end in _MARKED for code in range(first, end))
    marks = "".join(char for char in map(chr, codes) if unicodedata.category(char).startswith("M"))
    letter = rf"[^\W\d_][{re.escape(marks)}{_JOINERS}]*"  # ``re`` counts no mark as a part of a word
    word = rf"(?:{letter})+(?:['’ʼ-](?:{letter})+)*"
    return re.compile(rf"(?P<kept>{_KEPT})|(?P<word>{word})(?P<hint>{_HINT})?", re.DOTALL)


def _key(word: str) -> str:
    """How a word is looked up: in lower case, with its letters and marks composed in one way."""
    return unicodedata.normalize("NFC", word.lower().replace("’", "'").replace("ʼ", "'"))


def _text(place: str) -> str:
    if place in SAMPLES:
        return files("mathagent").joinpath("dictionaries", f"{place}.tsv").read_text(encoding="utf-8")
    path = Path(place).expanduser()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"the dictionary {place} has over {MAX_BYTES // 2**20} MB; give one language's words")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        known = ", ".join(SAMPLES)
        raise UsageError(
            f"cannot read the dictionary {place}: {error.strerror}; give a file of words and translations, or {known}"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the dictionary {place} is not UTF-8 text") from error
