"""Which language a question is in, and whether a translation kept its numbers."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.language import detected, language_name, language_of, lost_numbers
from mathagent.types import Problem

SAMPLES = {
    "en": "A farmer has 12 cows and buys 5 more. How many cows does he have?",
    "de": "Ein Bauer hat 12 Kühe und kauft noch 5 dazu. Wie viele Kühe hat er?",
    "es": "Un granjero tiene 12 vacas y compra 5 más. ¿Cuántas vacas tiene en total?",
    "fr": "Un fermier a 12 vaches et il en achète 5 de plus. Combien de vaches a-t-il ?",
    "it": "Un contadino ha 12 mucche e ne compra altre 5. Quante mucche ha in totale?",
    "pt": "Um agricultor tem 12 vacas e compra mais 5. Quantas vacas ele tem?",
    "nl": "Een boer heeft 12 koeien en koopt er nog 5. Hoeveel koeien heeft hij?",
    "sw": "Mkulima ana ng'ombe 12 na alinunua 5 zaidi. Ana ng'ombe wangapi kwa jumla?",
    "ru": "У фермера было 12 коров, он купил ещё 5. Сколько у него коров?",
    "zh": "农夫有12头牛，又买了5头。他一共有几头牛？",
    "ja": "農夫は12頭の牛を持っていて、さらに5頭買いました。全部で何頭ですか？",
    "ko": "농부는 소 12마리를 가지고 있고 5마리를 더 샀습니다. 모두 몇 마리입니까?",
    "th": "ชาวนามีวัว 12 ตัว และซื้อเพิ่มอีก 5 ตัว เขามีวัวกี่ตัว",
    "bn": "একজন কৃষকের ১২টি গরু আছে এবং তিনি আরও ৫টি কেনেন। তাঁর কতটি গরু আছে?",
    "te": "ఒక రైతు వద్ద 12 ఆవులు ఉన్నాయి, మరో 5 కొన్నాడు. అతని వద్ద ఎన్ని ఆవులు ఉన్నాయి?",
    "hi": "एक किसान के पास 12 गायें हैं और वह 5 और खरीदता है। उसके पास कितनी गायें हैं?",
    "ar": "لدى مزارع 12 بقرة واشترى 5 أخرى. كم بقرة لديه؟",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_a_question_of_two_sentences_tells_its_language(code: str) -> None:
    assert detected(SAMPLES[code]) == code
    assert language_name(code) != code


@pytest.mark.parametrize("text", ["", "2 + 2 = ?", "$\\frac{x}{2}$", "Xyzzy plugh 5"])
def test_too_little_is_no_language(text: str) -> None:
    assert detected(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "У фермера було 12 корів, він купив ще 5. Скільки у нього корів?",
        "کشاورز ۱۲ گاو دارد و ۵ تای دیگر می‌خرد. او چند گاو دارد؟",
        "शेतकऱ्याकडे १२ गायी आहेत आणि तो आणखी ५ घेतो. मुळात किती होत्या?",
    ],
)
def test_a_language_of_a_shared_script_is_not_taken_for_another(text: str) -> None:
    assert detected(text) is None


def test_the_problem_says_it_itself() -> None:
    assert language_of(Problem(text=SAMPLES["en"], language="pt_BR")) == "pt"
    assert language_of(Problem(text=SAMPLES["de"])) == "de"
    assert language_of(Problem(text="x", language="English")) == "en"
    assert language_name(None) == "the language of the question"
    assert language_name("yo") == "yo"


@pytest.mark.parametrize(
    ("original", "translation", "lost"),
    [
        ("Er hat 1.250 Euro und 3 Äpfel.", "He has 1,250 euros and three apples.", []),
        ("১২টি গরু", "12 cows", []),
        ("12 and 30", "12 and 13", ["30"]),
        ("5", "five", []),
        ("2,50 Euro", "2.50 euros", []),
        ("1,00,000 रुपये और 12,34,567", "100,000 rupees and 1,234,567", []),
        ("1,00,000 रुपये", "10,000 rupees", ["100000"]),
        ("12,34,567 hat er", "12,34,56", ["1234567"]),
        ("他有15万元", "He has 150,000 yuan", []),
        ("他有15万元", "He has 15万 yuan", []),
        ("他有15万元", "He has 15,000 yuan", ["15"]),
        ("인구는 25만 명", "250,000 people", []),
    ],
)
def test_numbers_that_a_translation_loses(original: str, translation: str, lost: list[str]) -> None:
    assert lost_numbers(original, translation) == lost
