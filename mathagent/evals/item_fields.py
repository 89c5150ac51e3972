"""The fields of an item, under the names that people give them: in any letter case, some of them nested. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from pydantic import JsonValue

from mathagent.answers.extract import extract_reference, last_boxed
from mathagent.errors import UsageError
from mathagent.types import Problem

QUESTION_FIELDS = ("question", "problem", "prompt", "input", "query", "inputs", "problem_text", "messages")
ANSWER_FIELDS = (
    "answer",
    "expected_answer",
    "final_answer",
    "target",
    "ground_truth",
    "gold",
    "gold_answer",
    "correct_answer",
    "reference_answer",
    "answers",
    "reward_model.ground_truth",
    "extra_info.answer",
    "answer_key",
    "answerkey",
    "correct",
    "label",
    "targets",
    "solution",
)
CHOICE_FIELDS = ("choices", "options", "multiple_choice_targets")
ID_FIELDS = ("id", "unique_id", "uuid", "problem_id", "question_id")
METADATA_FIELDS = {
    "subject": ("subject", "type", "category", "topic"),
    "level": ("level", "difficulty", "grade"),
    "family": ("family", "template_id", "group_id", "origin_id"),
    "answer_type": ("answer_type",),
}
_LONGEST_BARE = 60
"""Characters of a solution without any mark that may still be the answer itself."""


class ItemFields:
    """Finds question, answer, choices and the rest in one item. ``where`` is for messages."""

    def __init__(self, item: Mapping[str, Any], where: str) -> None:
        self._where = where
        self._fields: dict[str, Any] = {}
        for name, value in item.items():  # an exact name wins over another spelling of it
            self._fields.setdefault(_plain_name(name), value)
        self._fields.update({name: value for name, value in item.items() if name == _plain_name(name)})

    def problem(self, default_id: str) -> Problem:
        """The item as a problem. Raises UsageError, with ``where`` it stands, without question or answer."""
        question = self.question()
        choices = self.choices()
        language = self._fields.get("language", self._fields.get("lang"))
        return Problem(
            text=question,
            id=self._id(default_id),
            choices=choices,
            language=language if isinstance(language, str) and language else None,
            reference=self.reference(choices),
            metadata=self.metadata(),
        )

    def question(self) -> str:
        """The text; of chat messages, what the user says. A body of its own (SVAMP, ASDiv) comes before it."""
        found = next((text for name in QUESTION_FIELDS if (text := _text(self._fields.get(name)))), "")
        if not found.strip():
            raise UsageError(f"{self._where}: no text under any of {', '.join(QUESTION_FIELDS)}")
        body = self._fields.get("body")
        return f"{body.strip()} {found}" if isinstance(body, str) and body.strip() else found

    def reference(self, choices: Sequence[str]) -> str:
        """The answer. Of a solution only what it marks counts: after ``####`` or in ``\\boxed``."""
        for name in ANSWER_FIELDS:
            raw = self._at(name)
            if raw is None or raw in ("", [], {}) or raw != raw:  # NaN is what tables have for nothing
                continue
            answer = _answer(raw, choices)
            if name == "solution" and not _states(answer):
                continue
            found = extract_reference(answer)
            if found is not None:
                return found.raw
        raise UsageError(f"{self._where}: no answer under any of {', '.join(ANSWER_FIELDS)}")

    def choices(self) -> tuple[str, ...]:
        """The choices: a list, letter → text, or text and label side by side."""
        for name in CHOICE_FIELDS:
            found = self._fields.get(name)
            if isinstance(found, Mapping):
                found = found.get("text", list(found.values()))
            if isinstance(found, list) and found:
                return tuple(str(choice) for choice in found)
        return ()

    def metadata(self) -> dict[str, JsonValue]:
        """Subject, level, family and answer type, where the item has them."""
        found: dict[str, JsonValue] = {}
        for name, spellings in METADATA_FIELDS.items():
            value = next((self._fields[one] for one in spellings if _is_word(self._fields.get(one))), None)
            if value is not None:
                found[name] = value
        return found

    def _id(self, default: str) -> str:
        return next((str(self._fields[name]) for name in ID_FIELDS if _is_word(self._fields.get(name))), default)

    def _at(self, path: str) -> Any:
        head, _, rest = path.partition(".")
        value = self._fields.get(head)
        return value.get(rest) if rest and isinstance(value, Mapping) else None if rest else value


def _plain_name(name: str) -> str:
    return re.sub(r"[\s-]+", "_", str(name).strip().lower())


def _is_word(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _text(value: object) -> str:
    """A text, or what the user says in a list of chat messages (the last turn)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        said = [one.get("content") for one in value if isinstance(one, Mapping) and one.get("role") == "user"]
        return next((one for one in reversed(said) if isinstance(one, str)), "")
    return ""


def _answer(raw: Any, choices: Sequence[str]) -> str:
    """An answer as text. A number that is no choice's own text is the place of one, from 0; so is a list with one."""
    if isinstance(raw, list) and len(raw) == 1 and not isinstance(raw[0], list | Mapping):
        raw = raw[0]
    if isinstance(raw, int) and not isinstance(raw, bool) and choices and str(raw) not in choices:
        return ascii_uppercase[raw] if 0 <= raw < min(len(choices), 26) else str(raw)
    return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)


def _states(solution: str) -> bool:
    short = "\n" not in solution.strip() and len(solution.strip()) <= _LONGEST_BARE
    return "####" in solution or last_boxed(solution) is not None or short
