"""What every experience store must do, whatever keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mathagent.memory.base import ExperienceStore, Query
from mathagent.memory.experience import (
    Exemplar,
    Experience,
    Fact,
    Lesson,
    Provenance,
    StrategyStatistics,
    Template,
    Trust,
)
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.types import Check
from tests.unit.memory.word_embedder import WordEmbedder

Opener = Callable[[], ExperienceStore]


def sqlite_opener(folder: Path) -> Opener:
    return lambda: SqliteStore(folder / "memory.db", WordEmbedder())


OPENERS: dict[str, Callable[[Path], Opener]] = {"sqlite": sqlite_opener}


@pytest.fixture(params=OPENERS)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the same store again and again, as other processes would."""
    opened: list[ExperienceStore] = []

    def open_one() -> ExperienceStore:
        opened.append(OPENERS[request.param](tmp_path)())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.aclose()


@pytest.fixture
async def store(reopen: Opener) -> ExperienceStore:
    return reopen()


def exemplar(
    problem: str, answer: str = "7", *, program: str = "3 + 4", trust: Trust = "verified", **fields: object
) -> Experience:
    content = Exemplar(problem=problem, answer=answer, program=program)
    return Experience.model_validate({"content": content, "trust": trust, **fields})


def one_of_each() -> list[Experience]:
    check = Check(kind="recomputation", program="3 + 4", expected="7", outcome="holds", claim="the sum")
    origin = Provenance(run="r1", model="m", strategy="pal", dataset="gsm8k", item="12", source="s", created=5.0)
    shared = {"provenance": origin, "subject": "algebra", "uses": 4, "successes": 3}
    contents = [
        Exemplar(
            problem="Tom has 3 apples and 4 pears. How many?", choices=("6", "7"), program="3 + 4", answer="7"
        ),
        Lesson(problem="Half of 5 apples", mistake="5 // 2", fix="5 / 2", knowledge=("fractions", "½ = 0.5")),
        Template(problem_type="fruit", plan="count all", problem="3 apples and 4 pears"),
        Fact(title="Sum of apples", statement="$a + b = b + a$\n∑ 🍎", example="1 + 2", expected="3"),
        StrategyStatistics(problem="apples?", strategy="tora", model="n", success=False, tokens=7, seconds=1.5),
    ]
    return [
        Experience.model_validate({"content": content, "evidence": (check,), "score": 0.5, **shared})
        for content in contents
    ]


async def found(store: ExperienceStore, text: str, **fields: object) -> list[Experience]:
    hits = await store.search(Query.model_validate({"text": text, **fields}))
    return [hit.experience for hit in hits]


async def test_an_empty_store(store: ExperienceStore) -> None:
    assert await store.search(Query(text="apples")) == []
    assert await store.get(["a"]) == []
    assert [one async for one in store.scan()] == []
    assert await store.forget(["a"]) == 0
    assert (await store.statistics()).experiences == 0


async def test_every_kind_comes_back_whole_from_another_opening(store: ExperienceStore, reopen: Opener) -> None:
    written = one_of_each()
    added = await store.add(written)
    assert (added.new, added.merged, added.ids) == (5, 0, tuple(one.id for one in written))
    other = reopen()
    assert await other.get([one.id for one in reversed(written)]) == written[::-1]
    assert await other.get(["unknown", written[2].id]) == [written[2]]
    assert [one async for one in other.scan()] == written
    assert [one async for one in other.scan(["fact", "lesson"])] == [written[1], written[3]]
    assert {one.kind for one in await found(other, "apples", limit=9)} == {one.kind for one in written}


async def test_the_same_again_is_merged(store: ExperienceStore) -> None:
    first = exemplar("3 apples and 4 pears?", trust="judged", uses=2, successes=1)
    better = first.model_copy(update={"trust": "graded", "subject": "fruit", "uses": 1})
    worse = first.model_copy(update={"trust": "unchecked", "score": 0.1})
    assert (await store.add([first])).new == 1
    for again in (first, better, worse, better):
        added = await store.add([again])
        assert (added.new, added.merged, added.ids) == (0, 1, (first.id,))
    assert [one async for one in store.scan()] == [better.model_copy(update={"uses": 2, "successes": 1})]


async def test_near_duplicates_are_merged_and_the_better_trusted_stays(store: ExperienceStore) -> None:
    first = exemplar("Tom has 3 apples and 4 pears. How many fruits?", trust="judged", uses=2, successes=1)
    worse = exemplar("tom has three apples, and 4 pears: how many fruits", "7", program="4 + 3", trust="unchecked")
    better = exemplar("Tom has  3 apples and 4 pears.  How many fruits?", "7", program="sum([3, 4])", uses=5)
    assert (await store.add([first, worse])).ids == (first.id, first.id)
    assert (await store.add([better])).ids == (better.id,)
    assert [one async for one in store.scan()] == [better.model_copy(update={"uses": 7, "successes": 1})]
    assert await store.get([first.id]) == []


@pytest.mark.parametrize(
    "other",
    [
        exemplar("Tom has 3 apples and 5 pears. How many fruits?"),
        exemplar("Tom has 3 apples and 4 pears. How many fruits?", "8"),
        exemplar("Tom has 3 apples and 4 pears. How many fruits?", program=""),
        Experience(content=Lesson(problem="Tom has 3 apples and 4 pears. How many fruits?", mistake="a", fix="b")),
    ],
    ids=["numbers", "answer", "only words", "kind"],
)
async def test_what_differs_in_more_than_dress_stays(store: ExperienceStore, other: Experience) -> None:
    first = exemplar("Tom has 3 apples and 4 pears. How many fruits?")
    assert (await store.add([first, other])).new == 2
    assert [one async for one in store.scan()] == [first, other]


async def test_statistics_are_observations_each_of_which_counts(store: ExperienceStore) -> None:
    content = StrategyStatistics(problem="3 apples?", strategy="pal", model="m", success=True)
    runs = [Experience(content=content, provenance=Provenance(run=f"r{number}")) for number in range(3)]
    assert (await store.add([*runs, runs[0]])).new == 3
    assert len(await found(store, "apples", kinds=("statistics",), strategy="pal", model="m")) == 3
    assert await found(store, "apples", strategy="tora") == []


async def test_search_ranks_what_fits_first_and_says_how_it_was_found(store: ExperienceStore) -> None:
    texts = ["prime factors of a large integer", "the area of a circle", "the area of a triangle and its sides"]
    written = [exemplar(text, str(number)) for number, text in enumerate(texts)]
    await store.add(written)
    hits = await store.search(Query(text="area of a circle", limit=2, diversity=0))
    assert hits[0].experience == written[1]
    assert (hits[0].lexical_rank, hits[0].dense_rank) == (1, 1)
    assert hits[0].similarity == pytest.approx(4 / (4 * 5) ** 0.5, abs=1e-3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[1].experience == written[2]
    assert hits[0].alike


async def test_what_is_no_nearer_than_chance_is_found_but_not_alike(store: ExperienceStore) -> None:
    await store.add([exemplar("prime factors of a large integer"), exemplar("the area of a circle")])
    hits = await store.search(Query(text="zebra", diversity=0))
    assert [(hit.similarity, hit.alike) for hit in hits] == [(0, False)] * 2


async def test_what_was_written_is_found_at_once_by_another(store: ExperienceStore, reopen: Opener) -> None:
    other = reopen()
    for number in range(5):
        one = exemplar(f"unheard{number} of", str(number))
        await store.add([one])
        assert (await found(other, f"unheard{number}", limit=1)) == [one]


async def test_filters(store: ExperienceStore) -> None:
    made = {
        "plain": exemplar("apples and pears", "1", trust="unchecked"),
        "subject": exemplar("apples and plums", "2", subject="Algebra"),
        "trust": exemplar("apples and figs", "3", trust="person"),
        "strategy": exemplar("apples and nuts", "4", provenance=Provenance(strategy="tora", model="m")),
        "kind": Experience(content=Fact(title="apples", statement="and facts")),
    }
    await store.add(list(made.values()))
    assert await found(store, "apples", subject="algebra") == [made["subject"]]
    assert await found(store, "apples", least_trust="graded") == [made["trust"]]
    assert await found(store, "apples", strategy="tora", model="m") == [made["strategy"]]
    assert await found(store, "apples", strategy="tora", model="n") == []
    assert await found(store, "apples", kinds=("fact", "lesson")) == [made["kind"]]
    assert await found(store, "apples", kinds=()) == []
    assert len(await found(store, "apples", limit=10)) == 5


async def test_a_filter_reaches_what_hundreds_rank_before(store: ExperienceStore) -> None:
    crowd = [exemplar(f"apples apples {number}", str(number)) for number in range(700)]
    rare = [
        exemplar(f"an orchard of many trees that bear apples, and {number} other fruits", subject="rare")
        for number in range(3)
    ]
    await store.add([*crowd[:350], *rare, *crowd[350:]])
    assert {one.id for one in await found(store, "apples", subject="rare")} == {one.id for one in rare}
    assert len(await found(store, "apples", limit=400)) == 400


async def test_the_guard_keeps_out_the_problem_itself_and_fills_up_with_others(store: ExperienceStore) -> None:
    asked = "A farmer sells 12 baskets of apples at the market and then 30 boxes of pears. How many did he sell?"
    variants = [exemplar(asked.replace("12", str(number)), str(number)) for number in range(40, 140)]
    others = [exemplar(f"Which of the {number} apples is the heaviest one?", "1") for number in (8, 9)]
    await store.add([exemplar(asked, "42"), *variants, *others])
    assert len(await found(store, asked, limit=50)) == 50
    assert {one.id for one in await found(store, asked, guard=asked)} == {one.id for one in others}


async def test_the_guard_sees_a_short_problem_beside_what_else_is_said_of_it(store: ExperienceStore) -> None:
    """A type of problem before it, or choices behind it, are most of the text by which it is found."""
    asked = "What is 15% of 80?"
    kind = "Percentages: a share of a whole number is to be taken"
    template = Experience(content=Template(problem_type=kind, plan="Multiply.", problem=asked), trust="verified")
    choices = ("a dozen of them", "a score of them", "none of these at all")
    chosen = Experience(content=Exemplar(problem=asked, choices=choices, answer="A"), trust="graded")
    other = Experience(content=Template(problem_type=kind, plan="Multiply."), trust="verified")
    await store.add([template, chosen, other])
    assert len(await found(store, asked)) == 3
    assert [one.id for one in await found(store, asked, guard=asked)] == [other.id]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "zzqx wvvk",
        "\x00",
        "apples\x00pears",
        "\ud800 apples",
        "🍎🍎",
        "中文 απλές",
        '"apples" AND (pears OR NEAR(a b, 2)) -nuts* ^x key_text:apples {a b}: + \' ; -- %',
        "NOT",
        "AND OR NOT",
        '"',
        "$\\frac{1}{2}$ \\(x^2\\) apples",
        "x" * 100_000,
        "apples and pears " * 6000,
        " ".join(f"word{number}" for number in range(15_000)),
    ],
    ids=lambda text: ascii(text[:12]),
)
async def test_any_text_can_be_looked_for_and_remembered(store: ExperienceStore, text: str) -> None:
    await store.add([exemplar("apples and pears", "1"), exemplar("of oranges", "2")])
    hits = await store.search(Query(text=text))
    assert all(hit.score > 0 for hit in hits)
    if "apples" in text:
        assert hits[0].experience.content.key_text == "apples and pears"
    added = await store.add([exemplar(text, "3"), exemplar(f"{text} yes", "4")])
    assert added.new == 2
    kept = await store.get(added.ids)
    assert [one.id for one in kept] == list(added.ids)
    assert kept[1].key_text == f"{text} yes".replace("\ud800", "?")
    if any(map(str.isalnum, text)):
        assert set(added.ids) & {hit.experience.id for hit in await store.search(Query(text=text))}


async def test_uses_are_counted_with_the_write_that_ends_a_solve(store: ExperienceStore) -> None:
    first, second = exemplar("apples", "1"), exemplar("pears", "2", uses=5, successes=5)
    await store.add([first, second])
    assert (await store.add([], used=[first.id, "unknown", second.id], success=True)).ids == ()
    await store.add([exemplar("nuts", "3")], used=[first.id, first.id], success=False)
    await store.add([], used=[first.id], success=None)
    assert [(one.uses, one.successes) async for one in store.scan()] == [(2, 1), (6, 6), (0, 0)]


async def test_a_use_counts_for_what_the_experience_is_merged_into(store: ExperienceStore) -> None:
    shown = exemplar("Tom has 3 apples and 4 pears.", trust="judged", uses=1)
    better = exemplar("Tom has three apples and 4 pears", trust="graded")
    await store.add([shown])
    assert (await store.add([better], used=[shown.id], success=True)).ids == (better.id,)
    assert [one async for one in store.scan()] == [better.model_copy(update={"uses": 2, "successes": 1})]


async def test_forget(store: ExperienceStore) -> None:
    written = [exemplar(f"apples of {name}", "1") for name in ("Ann", "Ben", "Cid")]
    ids = [one.id for one in written]
    await store.add(written)
    assert await store.forget([ids[0], ids[2], "unknown", ids[0]]) == 2
    assert await found(store, "apples of Ann") == [written[1]]
    assert [one async for one in store.scan()] == [written[1]]
    assert (await store.add([written[0]])).new == 1
    assert (await found(store, "apples of Ann", limit=1)) == [written[0]]


async def test_ids_are_found_by_how_they_begin(store: ExperienceStore) -> None:
    ids = sorted(one.id for one in (exemplar(f"apples {number}", str(number)) for number in range(40)))
    await store.add([exemplar(f"apples {number}", str(number)) for number in range(40)])
    assert await store.ids_beginning(ids[3]) == [ids[3]]
    assert await store.ids_beginning(ids[3][:12]) == [ids[3]]
    of_first = [one for one in ids if one.startswith(ids[0][0])]
    assert await store.ids_beginning(ids[0][0], limit=100) == of_first
    assert await store.ids_beginning(ids[0][0], limit=1) == of_first[:1]
    assert await store.ids_beginning("0" * 31) == []


async def test_statistics(store: ExperienceStore) -> None:
    await store.add([*one_of_each(), exemplar("more", trust="person")])
    numbers = await store.statistics()
    assert numbers.experiences == 6
    assert numbers.by_kind == {"exemplar": 2, "lesson": 1, "template": 1, "fact": 1, "statistics": 1}
    assert numbers.by_trust == {"unchecked": 5, "person": 1}
    assert numbers.by_dataset == {"gsm8k": 5, "": 1}
    assert numbers.database_bytes > 0
    assert numbers.embedder == "words-1"


async def test_the_fingerprint_is_that_of_what_can_be_found(
    store: ExperienceStore, reopen: Opener, tmp_path: Path
) -> None:
    async def fingerprint(one: ExperienceStore = store) -> str:
        return (await one.statistics()).fingerprint

    written = one_of_each()
    seen = [await fingerprint()]
    await store.add(written)
    seen.append(await fingerprint())
    await store.add(written, used=[written[0].id], success=True)
    assert await fingerprint() == seen[-1] == await fingerprint(reopen())
    await store.add([written[0].model_copy(update={"trust": "person"})])
    seen.append(await fingerprint())
    await store.forget([written[1].id])
    seen.append(await fingerprint())
    assert len(set(seen)) == 4

    elsewhere = OPENERS["sqlite"](tmp_path / "elsewhere")()
    await elsewhere.add([one async for one in store.scan()][::-1])
    there, here = await elsewhere.statistics(), await store.statistics()
    assert there.fingerprint == here.fingerprint
    assert there.identity != here.identity
    await elsewhere.aclose()


async def test_many_tasks_at_once(store: ExperienceStore, reopen: Opener) -> None:
    stores = [store, reopen(), reopen()]

    async def task(number: int) -> None:
        one = exemplar(f"apples of pupil{'abcdef'[number % 6]}{'ghijk'[number // 6]}", str(number))
        await stores[number % 3].add([one])
        await stores[number % 3].add([], used=[one.id], success=True)
        assert one.id in {hit.id for hit in await found(stores[(number + 1) % 3], one.key_text)}

    await asyncio.gather(*(task(number) for number in range(30)))
    assert [one.uses async for one in store.scan()] == [1] * 30


async def test_closing_twice(store: ExperienceStore) -> None:
    await store.add(one_of_each())
    await store.aclose()
    await store.aclose()
