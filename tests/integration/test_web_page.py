"""The web page in a real browser over the real server: asking, watching, stopping, helping, looking back, comparing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_endpoint import Behaviour
from page_driver import BROWSER, shown
from serve_process import KEY, ServeProcess, serving

from mathagent.config import read_settings
from mathagent.errors import ModelFileError
from mathagent.memory.experience import Exemplar, Experience, Fact, Provenance
from mathagent.memory.opening import open_store
from mathagent.models.catalog import entry
from mathagent.models.pull import pull

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright", reason="pip install playwright")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome"),
    pytest.mark.timeout(600),
]

WORDS = "Since $6 \\cdot 7 = 42$,\n\\[\n\\frac{84}{2} = 42.\n\\]\n\n- **So** it is \\boxed{42}."
PROGRAM = "I compute it.\n```python\ndef solution():\n    print('by hand')\n    return 6 * 7  # forty-two\n```"
PROBLEM = "What is $6 \\cdot 7$?"
TRAINS = Experience(
    content=Exemplar(problem="Two trains meet after $\\frac{1}{2}$ hour.", program="1 / 2", answer="\\frac{1}{2}"),
    trust="verified",
)
CUBES = Experience(
    content=Fact(title="Sum of cubes", statement="$\\sum k^3 = (\\sum k)^2$"),
    provenance=Provenance(source="sums.md"),
)


def said(body: dict[str, Any], index: int) -> str:
    asked = json.dumps(body["messages"]).lower()
    return PROGRAM if "python" in asked else WORDS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("page")
    memory = folder / "memory.db"

    async def fill() -> None:
        store = open_store(memory)
        await store.add([TRAINS, CUBES])
        await store.aclose()

    asyncio.run(fill())
    options = ("-s", "cot", "--memory", str(memory), "--memory-mode", "read")
    with serving(folder, *options, behaviour=Behaviour(text=said)) as running:
        yield running


@pytest.fixture(autouse=True)
def usual_behaviour(server: ServeProcess) -> Iterator[None]:
    yield
    server.endpoint.fake.script = []
    server.endpoint.fake.behaviour = Behaviour(text=said)


def test_a_problem_is_asked_previewed_and_solved(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().problem.fill(PROBLEM)
        assert page.seen(".preview .katex").count() == 1
        page.ask(PROBLEM, "pal").becomes("done")
        assert page.answer == "42"
        assert page.status == "Done: 42"
        card = page.seen(".card")
        assert card.locator("pre").first.inner_text().strip().endswith("return 6 * 7  # forty-two")
        assert card.locator(".py-keyword").first.inner_text() == "def"
        assert card.locator(".py-comment").inner_text() == "# forty-two"
        assert "by hand" in card.locator(".output").inner_text()
        assert page.seen(".meter").inner_text().count("1 call") == 1
        assert re.search(r"\d+ tokens? written", page.seen(".meter").inner_text())


def test_words_and_formulas_are_rendered(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().ask(PROBLEM).becomes("done")
        words = page.seen(".card .words")
        assert words.locator(".katex-display").count() == 1
        assert words.locator(".katex").count() == 3
        assert words.locator("li strong").inner_text() == "So"
        assert "$" not in words.inner_text()
        font = page.page.evaluate("[...document.fonts].filter((one) => one.status === 'loaded').length")
        assert font > 0


def test_it_is_watched_helped_stopped_and_goes_on(server: ServeProcess, browser: Browser) -> None:
    fake = server.endpoint.fake
    fake.script = [Behaviour(text=lambda body, index: "Let $x^2$ be it."), Behaviour(delay_s=None)]
    with shown(browser, server.url) as page:
        page.open().ask(PROBLEM)
        page.seen(".card .words .katex").wait_for()  # the first reply, while the second never comes
        assert page.seen(".run").get_attribute("aria-busy") == "true"
        page.seen(".hint input").fill("count in sevens")
        page.press("Give")
        page.seen(".line.hint", has_text="count in sevens").wait_for()
        page.page.keyboard.press("Escape")
        page.becomes("done")
        assert "No answer was found" in page.seen(".answer").inner_text()
        assert "It was stopped" in page.seen(".answer").inner_text()
        before = len(fake.bodies)
        page.press("Go on")
        page.seen(".run[data-state='done'] .answer-value .katex").first.wait_for()
        assert page.answer == "42"
    assert "count in sevens" in json.dumps(fake.bodies[before:])


def test_who_leaves_at_once_leaves(server: ServeProcess, browser: Browser) -> None:
    fake = server.endpoint.fake
    fake.behaviour = Behaviour(delay_s=None)
    gone = fake.disconnected
    with shown(browser, server.url) as page:
        page.open().ask("What is 6*8?").becomes("running")
        server.endpoint.until(lambda fake: fake.open == 1)
        page.page.route("**/stop", lambda route: route.abort())  # the server cannot be told
        page.press("Stop")
        page.becomes("failed")
        assert "Left." in page.status
    server.endpoint.until(lambda fake: fake.disconnected > gone)


def test_trying_again_takes_the_next_seed(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().ask(PROBLEM).becomes("done")
        before = len(server.endpoint.fake.bodies)
        page.press("Try again, seed 1")
        page.page.get_by_role("button", name="Try again, seed 2").wait_for()
        page.becomes("done")
    assert server.endpoint.fake.bodies[before]["seed"] is not None


def test_the_evidence_is_seen_and_run_again(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().ask(PROBLEM, "pal").becomes("done")
        check = page.seen(".evidence .check").first
        check.locator("summary").click()
        assert "return 6 * 7" in check.inner_text()
        assert check.locator("dd").first.inner_text() == "42"
        page.press("Run the checks again")
        page.seen(".verified", has_text="Run again just now").wait_for()
        assert page.seen(".evidence .check .mark.holds").count() >= 1


@pytest.mark.parametrize(
    ("change", "button", "answer"), [(None, "Run it", "42"), ("6 * 8", "Run it as edited", "48")]
)
def test_a_program_waits_for_its_user(
    server: ServeProcess, browser: Browser, change: str | None, button: str, answer: str
) -> None:
    with shown(browser, server.url) as page:
        page.open().with_options()
        page.page.get_by_label("Ask me before each program runs").first.check()
        page.ask(PROBLEM, "pal").becomes("person")
        program = page.page.get_by_role("textbox", name="Program")
        assert "return 6 * 7" in program.input_value()
        if change is not None:
            program.fill(program.input_value().replace("6 * 7", change))
        page.press(button)
        page.becomes("done")
        assert page.answer == answer
        assert page.seen(".card .part.code").count() == 1


def test_a_program_may_be_refused(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().with_options()
        page.page.get_by_label("Ask me before each program runs").first.check()
        page.ask(PROBLEM, "pal").becomes("person")
        page.page.get_by_label("Why not, if you refuse").fill("it prints")
        page.press("Refuse")
        page.seen(".run[data-state='person'], .run[data-state='done']").wait_for()
        assert "was not allowed to run" in page.seen(".run").inner_text()


def test_past_solves_are_browsed_asked_again_and_forgotten(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().ask("What is $6 \\cdot 7$, again?", "pal").becomes("done")
        page.open("past").seen(".past li").first.wait_for()
        first = page.seen(".past-problem").first
        assert first.locator(".katex").count() == 1
        first.click()
        page.seen(".answer").wait_for()
        assert page.answer == "42"
        assert "return 6 * 7" in page.seen(".card").inner_text()
        page.press("Run the checks again")
        page.seen(".verified", has_text="Run again just now").wait_for()
        record = page.page.url
        page.press("Ask it again")
        page.page.wait_for_url(re.compile(r"#/$"))
        assert page.problem.input_value() == "What is $6 \\cdot 7$, again?"
        page.page.goto(record)
        page.press("Forget it")
        page.press("Really forget it?")
        page.page.wait_for_url(re.compile(r"#/past$"))
        page.page.goto(record)
        page.seen(".problem-note", has_text="There is no solve").wait_for()


def test_a_solve_that_was_broken_off_goes_on_from_the_past(server: ServeProcess, browser: Browser) -> None:
    fake = server.endpoint.fake
    fake.script = [Behaviour(text=lambda body, index: "Well."), Behaviour(delay_s=None)]
    with shown(browser, server.url) as page:
        page.open().ask("What is 6 times 7 in all?").becomes("running")
        server.endpoint.until(lambda fake: len(fake.script) == 0 and fake.open == 1)
        page.press("Stop")
        page.becomes("done")
        page.open("past").seen(".past-problem").first.click()
        page.press("Go on")
        page.becomes("done")
        assert page.answer == "42"


def test_strategies_are_compared(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open("compare")
        page.press("Add a strategy")
        page.page.get_by_label("Strategy 3").select_option("zero-shot-cot")
        page.problem.fill(PROBLEM)
        page.problem.press("Control+Enter")
        page.columns_become("done", 3)
        assert [one.inner_text() for one in page.seen(".column h2").all()] == ["pal", "cot", "zero-shot-cot"]
        rows = page.seen(".results tbody tr")
        assert rows.count() == 3
        assert all(one.locator("annotation").text_content() == "42" for one in rows.all())
        lefts = {round(one.bounding_box()["x"]) for one in page.seen(".column").all()}  # type: ignore[index]
        assert len(lefts) == 3


def test_a_comparison_is_stopped_as_a_whole(server: ServeProcess, browser: Browser) -> None:
    server.endpoint.fake.behaviour = Behaviour(delay_s=None)
    with shown(browser, server.url) as page:
        page.open("compare").problem.fill("What is 6*9?")
        page.press("Compare")
        server.endpoint.until(lambda fake: fake.open == 2)
        page.press("Stop all")
        page.columns_become("done", 2)
        assert page.seen(".results tbody").inner_text().count("none") >= 2


def test_memory_is_listed_searched_and_opened(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open("memory").seen(".past li").first.wait_for()
        assert page.seen(".past li").count() == 2
        page.page.get_by_label("Search").fill("cubes")
        page.page.keyboard.press("Enter")
        page.seen(".past li", has_text="Sum of cubes").wait_for()
        page.page.get_by_label("Search").fill("")
        page.page.get_by_label("Kind").select_option("exemplar")
        page.seen(".past li", has_text="trains").wait_for()
        page.seen(".past-problem").first.click()
        page.seen("h2", has_text="Program").wait_for()
        assert page.seen(".view").locator("annotation").first.text_content() == "\\frac{1}{2}"
        page.page.go_back()
        page.seen(".past li").first.wait_for()


def test_a_key_is_asked_for_and_kept_as_its_user_wishes(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url, key=None) as page:
        page.open().seen("dialog").wait_for()
        key = page.page.get_by_label("Key", exact=True)
        key.fill("not-the-key-0123456789")
        page.page.keyboard.press("Enter")
        page.seen(".wrong", has_text="does not know that key").wait_for()
        key.fill(KEY)
        page.page.keyboard.press("Enter")
        page.seen("details.options").wait_for()
        assert page.page.evaluate("[sessionStorage['mathagent.key'], localStorage['mathagent.key']]") == [
            KEY,
            None,
        ]
        page.ask(PROBLEM).becomes("done")
        assert KEY not in page.page.content()
        page.page.locator("#key").click()
        page.press("Forget it")
        page.seen("dialog", has_text="This server needs a key").wait_for()
        page.press("Cancel")
        page.seen(".wrong", has_text="This server needs a key.").wait_for()
        page.page.locator("button", has_text="Ask").last.wait_for()


def test_refusals_and_failures_are_sentences(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().problem.press("Control+Enter")
        page.seen(".wrong", has_text="Type a problem first.").wait_for()
        page.with_options()
        page.page.get_by_label("Strategy", exact=True).select_option("(composition)")
        page.page.get_by_label("Composition").fill("pal | no-such")
        page.problem.fill(PROBLEM)
        page.problem.press("Control+Enter")
        page.becomes("failed")
        assert "no-such" in page.seen(".problem-note").inner_text()
        page.page.route("**/v1/solve", lambda route: route.abort())
        page.ask(PROBLEM).seen(".problem-note", has_text="The connection to the server broke").wait_for()
        page.page.unroute("**/v1/solve")
        server.endpoint.fake.will(status=400, raw=b'{"error": {"message": "no"}}')
        page.ask("What is 1+1?").seen(".problem-note", has_text="endpoint failed").wait_for()


def test_limits_and_settings_reach_the_server(server: ServeProcess, browser: Browser) -> None:
    sent: list[dict[str, Any]] = []
    with shown(browser, server.url) as page:
        page.page.on(
            "request", lambda one: sent.append(one.post_data_json) if one.url.endswith("/v1/solve") else None
        )
        page.open().with_options()
        page.page.get_by_label("Most calls").first.fill("3")
        page.page.get_by_label("Seed").first.fill("7")
        page.page.get_by_label("Least confidence").first.fill("0.9")
        page.page.get_by_label("Strategy", exact=True).select_option("self-consistency")
        page.seen("details.inner > summary").click()
        page.page.get_by_label("n", exact=True).fill("2")
        page.ask(PROBLEM, "self-consistency").becomes("done")
        page.page.get_by_label("Least confidence").first.fill("2")
        page.problem.press("Control+Enter")
        page.seen(".wrong", has_text="Least confidence").wait_for()
    assert len(sent) == 1
    assert sent[0]["budget"] == {"max_calls": 3}
    assert (sent[0]["seed"], sent[0]["min_confidence"], sent[0]["settings"]) == (7, 0.9, {"n": 2})


def test_pictures_are_refused_with_the_reason(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().problem.focus()
        page.page.evaluate(
            """() => {
              const data = new DataTransfer();
              data.items.add(new File(["x"], "photo.png", { type: "image/png" }));
              const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
              document.activeElement.dispatchEvent(event);
            }"""
        )
        page.seen(".wrong", has_text="photos cannot be read").wait_for()


@pytest.mark.model
def test_a_real_model_solves_on_a_server_without_a_key(browser: Browser, own_home: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    try:
        pull(entry("smollm2-135m"), read_settings().models_dir)
    except ModelFileError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "mathagent", "serve", "--port", "0", "--model", "embedded:smollm2-135m"]
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "-s", "zero-shot-cot", "--max-tokens", "96"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "MATHAGENT_HOME": str(own_home)},
        )
    try:
        assert process.stdout is not None
        said_first = process.stdout.readline()
        assert said_first.startswith("serving at http://"), (tmp_path / "log").read_text(encoding="utf-8")
        with shown(browser, said_first.split()[-1], key=None) as page:
            page.page.set_default_timeout(300_000)
            page.open().ask("What is 2 + 3?", "zero-shot-cot").becomes("done")
            assert page.status.startswith("Done")
            assert len(page.seen(".card .words").first.inner_text()) > 10
            assert re.search(r"[1-9]\d* tokens? written", page.seen(".meter").inner_text())
    finally:
        process.terminate()
        process.wait(60)
