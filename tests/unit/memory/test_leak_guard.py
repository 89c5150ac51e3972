"""The leak guard: what it must catch, what it must let through, measured on real variants."""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mathagent.agents.problem_text import problem_text
from mathagent.memory.experience import Exemplar, Template
from mathagent.memory.leak_guard import LeakGuard
from mathagent.types import Problem

EGGS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends"
    " every day with four. She sells the remainder at the farmers' market daily for $2 per fresh duck egg. How much in"
    " dollars does she make every day at the farmers' market?"
)
OTHER_EGGS = EGGS.replace("16", "1,600").replace("three", "11").replace("four", "7").replace("$2", "$0.50")
TILES = "What is the largest number of tiles of 3 by 5 inches that fit into a floor of 45 by 60 inches?"


def read(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode().split("\n") if line]


@pytest.mark.parametrize(
    ("key", "kinship"),
    [
        (EGGS, "same"),
        (EGGS.upper().replace("$", r"\$"), "same"),
        (OTHER_EGGS, "other-numbers"),
        (EGGS.replace("Janet", "Olivia").replace("ducks", "geese").replace("duck", "goose"), "other-names"),
        (
            "Every day 16 eggs are laid by the ducks of Janet. For breakfast she eats 3 and for muffins she needs 4."
            " At the market each of the others brings $2. What does she make at the farmers' market?",
            "other-words",
        ),
        (f"A note about ducks and geese in Canada.\n{EGGS}\nThink well.", "other-names"),
        (f"{'Ducks are birds that lay eggs and swim on ponds. ' * 8}{OTHER_EGGS}", "part"),
    ],
)
def test_leaks(key: str, kinship: str) -> None:
    guard = LeakGuard(EGGS)
    assert guard.kinship(key) == kinship
    assert guard.forbids(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        TILES,
        "Tom's hens lay 9 eggs per day. He gives 4 away and sells the others for $3. How much does he make in a week?",
        "A farmer sells eggs at the market for $2 each. How many must he sell to make $40?",
        "Pythagoras: in a right triangle the squares of the legs add up to the square of the hypotenuse.",
    ],
)
def test_what_may_be_shown(key: str) -> None:
    assert not LeakGuard(EGGS).forbids(key)


def test_numbers_are_all_that_a_wordless_problem_has() -> None:
    guard = LeakGuard("4 9 10 13")
    assert guard.forbids("4, 9, 10, 13")
    assert not guard.forbids("1 4 8 8")
    assert not LeakGuard("((-1 + 2 + 9 * 5) - 4) =").forbids("((-3 + 2 + 7 * 6) - 8) =")


def test_a_formula_of_the_same_kind_is_no_leak() -> None:
    guard = LeakGuard("Solve for $x$: $2^{2x} = 256^\\frac{1}{2}$.")
    assert not guard.forbids("Solve for $x$: $5^{x + 4} = 125^x$.")
    assert guard.forbids("Solve for $x$: $3^{4x} = 81^\\frac{1}{5}$")


def test_choices_are_compared_as_they_are_stored() -> None:
    choices = ("12 cm", "15 cm", "18 cm", "21 cm")
    problem = Problem(text="How long is the side?", choices=choices)
    guard = LeakGuard(problem_text(problem))
    assert guard.kinship(Exemplar(problem=problem.text, choices=choices, answer="A").key_text) == "same"
    assert not guard.forbids("How wide is the river?\nAbout a mile\nTwo miles")


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        (r"Compute $\dbinom{8}{4}$.", r"Evaluate $\binom{8}{4}$."),
        ("What is 17*23?", "Compute $17 \\times 23$."),
        (r"What is the value of $\sin 60^\circ$?", r"Compute $\sin 60^{\circ}$."),
        ("Simplify $\\sqrt{180}$.", "Write $\\sqrt{180}$ in simplest form."),
        ("Solve $x^2 - 5x + 6 = 0$.", "Find all solutions of $x^2-5x+6=0$."),
    ],
)
def test_a_short_problem_is_the_same_however_it_is_asked(asked: str, stored: str) -> None:
    assert LeakGuard(asked).kinship(stored) == "same"
    assert LeakGuard(stored).kinship(asked) == "same"


def test_a_short_problem_with_other_numbers_is_known_however_it_is_asked() -> None:
    guard = LeakGuard("Find the units digit of $18^6.$")
    assert guard.kinship("What is the units digit of $3^{2004}$?") == "other-numbers"
    assert guard.kinship("What is the tens digit of $18^6$?") is None
    assert LeakGuard("Factor $x^2 - 9$.").kinship("Expand $x^2 - 9$.") is None
    assert LeakGuard("What is $12 + 5$?").kinship("Compute $7 + 9$.") is None
    assert LeakGuard("What is it?").kinship("Find the value.") is None


def test_a_note_that_holds_a_short_problem_leaks() -> None:
    note = "Logarithms\nA worked example: evaluate $\\log_2(4^2)$, which is 4, since $4^2 = 2^4$."
    assert LeakGuard("What is $\\log_2 (4^2)$?").kinship(note) == "part"
    assert not LeakGuard("What is $\\log_2 (8^2)$?").forbids(note)
    assert not LeakGuard("Compute $\\sin 60^\\circ$.").forbids(
        "Trigonometry\nThe sine of 60 degrees is sqrt(3)/2."
    )


def test_choices_do_not_hide_a_problem_with_numbers_of_its_own() -> None:
    problem = Problem(text="What is 15% of 80?", choices=("a dozen", "a score", "none of these"))
    assert LeakGuard(problem_text(problem)).kinship("Compute 15% of 80.") == "same"
    which = Problem(text="Which of these is true?", choices=("Dogs bark.", "Cows fly."))
    assert not LeakGuard(problem_text(which)).forbids("Which of these is true?\nIce is hot.\nFire is cold.")


def test_a_template_that_quotes_the_problem_leaks() -> None:
    template = Template(problem_type="packing rectangles", plan="Divide the sides.", problem=TILES)
    assert LeakGuard(TILES).forbids(template.key_text)
    assert not LeakGuard(EGGS).forbids(template.key_text)


@pytest.mark.parametrize("text", ["", "?", "the", "\x00", "\ud800", "小明有3个苹果，吃了1个，还剩几个？"])
def test_odd_texts(text: str) -> None:
    guard = LeakGuard(text)
    assert guard.forbids(text)
    assert not guard.forbids(EGGS)
    assert not LeakGuard(EGGS).forbids(text)


def caught(pairs: list[tuple[str, str]]) -> float:
    return sum(LeakGuard(a).forbids(b) for a, b in pairs) / len(pairs)


def test_variants_of_gsm8k_are_caught(shared_data: Path) -> None:
    """A sample of each; the floors lie a little under what was measured on all (leak_guard.py)."""
    pick = random.Random(5)
    originals = {item["id"]: item["question"] for item in read(shared_data / "gsm8k.test.jsonl")}
    hard = [
        (originals[item["origin_id"]], item["question"])
        for item in read(shared_data / "gsm_hard.test.jsonl")
        if item["origin_id"] in originals
    ]
    assert caught(pick.sample(hard, 150)) >= 0.98
    english = [item for item in read(shared_data / "mgsm.test.jsonl") if item["language"] == "en"]
    assert caught([(originals[item["origin_id"]], item["question"]) for item in english]) == 1
    plus = defaultdict(list)
    for item in read(shared_data / "gsm_plus.testmini.jsonl.gz"):
        plus[item["subject"]].append((item["seed_question"], item["question"]))
    floors = {
        "numerical substitution": 0.98,
        "digit expansion": 0.97,
        "integer-decimal-fraction conversion": 0.94,
        "adding operation": 0.96,
        "critical thinking": 0.95,
        "distraction insertion": 0.9,
        "reversing operation": 0.7,
        "problem understanding": 0.55,
    }
    assert {name: share for name, floor in floors.items() if (share := caught(plus[name][:80])) < floor} == {}


def test_other_names_are_caught(shared_data: Path) -> None:
    """The placeholders of "Lost in Cultural Translation", each filled with another entity of its kind."""
    pick = random.Random(5)
    items = [item for item in read(shared_data / "cultural_gsm.templates.jsonl") if "{" in item["gsm_symbolic"]]
    entities = defaultdict(set)
    for item in items:
        for one in item["mappings"]:
            entities[one["placeholder"]].add(one["entity"])
    pairs = []
    for item in pick.sample(items, 150):
        chosen = {name: pick.choice(sorted(found)) for name, found in sorted(entities.items())}
        swapped = re.sub(r"\{[^}]*\}", lambda match, c=chosen: c.get(match[0], "Zorn"), item["gsm_symbolic"])
        pairs.append((item["question"], swapped.removeprefix("Question:")))
    assert caught(pairs) >= 0.95


def instance(template: str, pick: random.Random) -> str:
    """An instance of a template of GSM-Symbolic: ``{name,Janet}`` with another value, from its list if it has one."""
    text, _, rules = template.partition("#init")
    lists = dict(re.findall(r"^- \$?(\w+) = sample\((\['[^\]]*'\])\)", rules, re.MULTILINE))
    chosen: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2].strip()
        if name in lists:
            new = str(pick.choice(ast.literal_eval(lists[name])))
        elif re.fullmatch(r"[\d,./%$]+", default):
            new = str(pick.randint(3, 900))
        else:
            new = pick.choice(["Noor", "Bao", "Ines", "Femi", "Lars"]) if "name" in name else default
        return chosen.setdefault(name, new)

    return re.sub(r"\{(\w+),\s*([^{}]*)\}", value, text).strip()


def test_instances_of_a_template_are_caught(shared_data: Path) -> None:
    templates = [item["question_annotated"] for item in read(shared_data / "gsm_symbolic.templates.jsonl")]
    pick = random.Random(5)
    assert caught([(instance(one, pick), instance(one, pick)) for one in templates]) >= 0.94


def test_distractors_in_chinese_are_caught(shared_data: Path) -> None:
    items = read(shared_data / "cmath_distractor.test.jsonl")
    assert caught([(item["original"], item["question"]) for item in items]) >= 0.93


def nearest(questions: list[str], corpus: list[str], count: int) -> list[tuple[str, str]]:
    """Each question with the ``count`` texts that share most rare words with it."""
    words = [frozenset(re.findall(r"[a-z]{3,}", text.lower())) for text in corpus]
    holders = defaultdict(list)
    for index, found in enumerate(words):
        for word in found:
            holders[word].append(index)
    pairs = []
    for question in questions:
        scores: dict[int, float] = defaultdict(float)
        for word in set(re.findall(r"[a-z]{3,}", question.lower())):
            if len(holders[word]) < len(corpus) / 10:
                for index in holders[word]:
                    scores[index] += 1 / (len(holders[word]) * len(words[index]) ** 0.5)
        pairs += [(question, corpus[index]) for index in sorted(scores, key=lambda i: -scores[i])[:count]]
    return pairs


def test_similar_problems_are_let_through_quickly(shared_data: Path) -> None:
    train = [item["question"] for item in read(shared_data / "gsm8k.train.jsonl.gz")]
    test = [item["question"] for item in read(shared_data / "gsm8k.test.jsonl")]
    pairs = nearest(test[:100], train, 20)
    guards = {question: LeakGuard(question) for question, _ in pairs}
    started = time.perf_counter()
    forbidden = [(a, b) for a, b in pairs if guards[a].forbids(b)]
    assert time.perf_counter() - started < 10
    assert len(pairs) == 2000
    assert len(forbidden) <= 6


def test_contamination_of_math_is_found(shared_data: Path) -> None:
    """Four problems of the training part stand in the test part, in other dress; one of them in MATH-500."""
    train = {item["id"]: item["question"] for item in read(shared_data / "math.train.jsonl.gz")}
    test = {item["id"]: item["question"] for item in read(shared_data / "math500.test.jsonl")}
    guard = LeakGuard(test["math500/test/386"])
    assert guard.kinship(train["math/train/873"]) == "same"
    started = time.perf_counter()
    assert sum(guard.forbids(question) for question in list(train.values())[:2000]) <= 20
    assert time.perf_counter() - started < 10
