"""MGSM: 250 GSM8K questions in English and ten other languages; ``mgsm:de`` is one of them."""

from typing import Any

from mathagent.evals.datasets.source import Hub, Source, Subset

LANGUAGES = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
_HUB = {
    language: Hub(
        repo="juletxara/mgsm", config=language, fields={"answer": "answer_number"}, add={"language": language}
    )
    for language in LANGUAGES
}


def with_family(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the GSM8K item that it translates: item n of every language is item n of GSM8K's test part."""
    return {**row, "origin_id": row.get("origin_id") or f"gsm8k/test/{number}", "subject": row.get("language")}


DATASET = Source(
    name="mgsm",
    title="MGSM (11 languages)",
    paper="Shi et al. 2022, arXiv 2210.03057",
    licence="CC-BY-4.0",
    languages=LANGUAGES,
    answer="whole number (may hold commas)",
    answer_type="integer",
    note="subject = language; the exemplars are the eight worked examples of each language.",
    family="origin_id",
    keep=("origin_id",),
    adapt=with_family,
    subsets={
        "all": Subset(files=("mgsm.test",), hub=tuple(_HUB.values())),
        **{
            language: Subset(files=("mgsm.test",), hub=(_HUB[language],), where={"language": language})
            for language in LANGUAGES
        },
        "exemplars": Subset(files=("mgsm.exemplars",)),
    },
)
