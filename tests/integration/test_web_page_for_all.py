"""The web page on a phone, in the dark, by the keyboard alone, for who hears it; and under hostile texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fake_endpoint import Behaviour
from page_driver import BROWSER, Shown, shown
from serve_process import ServeProcess, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright", reason="pip install playwright")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome"),
    pytest.mark.timeout(600),
]

LONG = " + ".join(f"\\frac{{{k}}}{{{k + 1}}}" for k in range(1, 30))
WIDE = f"It is $${LONG}$$ and inline ${LONG}$, with `{'x' * 200}` and {'w' * 200}. \\boxed{{{LONG}}}"
WIDE_PROGRAM = f"```python\ndef solution():\n    print('{'o' * 300}')\n    return 42  # {'c' * 300}\n```"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PAYLOADS = (
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "<svg onload=\"document.title='run'\"></svg>",
    "$\\href{javascript:document.title='run'}{x}$",
    "$\\includegraphics{http://127.0.0.1:9/x.png}$",
    "$\\htmlStyle{position:fixed}{x}\\htmlData{a=b}{y}$",
    "$\\text{<img src=x onerror=document.title='run'>}$",
    "[x](javascript:document.title='run')",
    "<iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
    "<a href=\"javascript:document.title='run'\">x</a>",
    "$\\def\\a{\\a\\a}\\a$",
    "$" + "{" * 3000 + "}" * 3000 + "$",
)
HOSTILE = "\n\n".join(PAYLOADS)


def replies(body: dict[str, Any], index: int) -> str:
    return "6 times 7 is $42$: \\boxed{42}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    with serving(tmp_path_factory.mktemp("page"), "-s", "cot", behaviour=Behaviour(text=replies)) as running:
        yield running


@pytest.fixture(autouse=True)
def usual_behaviour(server: ServeProcess) -> Iterator[None]:
    yield
    server.endpoint.fake.behaviour = Behaviour(text=replies)


@pytest.mark.parametrize(("strategy", "reply"), [("cot", WIDE), ("pal", WIDE_PROGRAM)])
def test_a_phone_scrolls_no_page_sideways(
    server: ServeProcess, browser: Browser, strategy: str, reply: str
) -> None:
    server.endpoint.fake.behaviour = Behaviour(text=lambda body, index: reply)
    with shown(browser, server.url, **PHONE) as page:
        page.open().with_options()
        assert page.sideways() == 0
        page.ask(f"What is $${LONG}$$ {'q' * 300}", strategy).becomes("done")
        for check in page.seen(".check > summary").all():
            check.click()
        assert page.sideways() == 0
        wide = page.seen(".katex-display" if strategy == "cot" else ".card pre").first
        assert wide.evaluate(
            "(one) => { const box = one.closest('.wide, pre'); return box.scrollWidth > box.clientWidth; }"
        )
        for view in ("compare", "past", "memory"):
            page.open(view).page.wait_for_timeout(300)
            assert page.sideways() == 0, view
        page.open("past").seen(".past-problem").first.click()
        page.seen(".card").first.wait_for()
        assert page.sideways() == 0


def test_columns_stand_below_each_other_on_a_phone(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url, **PHONE) as page:
        page.open("compare").problem.fill("What is 6*7?")
        page.press("Compare")
        page.columns_become("done", 2)
        assert len({round(one.bounding_box()["x"]) for one in page.seen(".column").all()}) == 1  # type: ignore[index]
        assert page.sideways() == 0


def test_buttons_are_large_enough_to_be_touched(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url, **PHONE) as page:
        page.open().seen("details.options").wait_for()
        for control in page.seen("button, nav a").all():
            box = control.bounding_box()
            assert box is not None
            assert box["height"] >= 34, control.inner_text()


def test_dark_and_light_follow_the_system_and_the_button(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url, color_scheme="light") as page:
        assert page.open().brightness() > 200
    with shown(browser, server.url, color_scheme="dark") as page:
        assert page.open().brightness() < 60
        button = page.page.locator("#theme")
        button.click()
        assert "Light" in button.inner_text()
        assert page.brightness() > 200
        page.page.reload()
        page.page.wait_for_selector("html[data-ready]")
        assert page.brightness() > 200
        button.click()
        button.click()
        assert "Auto" in button.inner_text()
        assert page.brightness() < 60


def contrast(page: Shown, selector: str) -> float:
    """WCAG's contrast of the text of the first ``selector`` against what lies behind it."""
    ratio: float = page.page.evaluate(
        """(selector) => {
          const element = document.querySelector(selector);
          const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
          let behind = element;
          const isClear = (one) => (channels(getComputedStyle(one).backgroundColor)[3] ?? 1) === 0;
          while (behind && isClear(behind)) behind = behind.parentElement;
          const light = (colour) => {
            const [r, g, b] = channels(colour).slice(0, 3).map((one) => one / 255)
              .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const both = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)];
          return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        }""",
        selector,
    )
    return ratio


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(server: ServeProcess, browser: Browser, scheme: str) -> None:
    with shown(browser, server.url, color_scheme=scheme) as page:
        page.open().ask("What is 6*7?").becomes("done")
        for selector in (
            "h1",
            ".about",
            "nav a",
            "nav a[aria-current]",
            "button.primary",
            ".meter",
            ".facts dt",
            ".pill",
        ):
            assert contrast(page, selector) >= 4.5, selector


def test_the_keyboard_is_enough(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().seen("details.options").wait_for()
        keyboard = page.page.keyboard
        focused = page.page.locator(":focus")
        keyboard.press("Tab")
        assert focused.inner_text() == "Skip to the content"
        keyboard.press("Enter")
        for _ in range(12):
            keyboard.press("Tab")
            if focused.evaluate("(one) => one.tagName") == "TEXTAREA":
                break
        assert focused.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
        keyboard.type("What is 6*7?")
        keyboard.press("Tab")
        keyboard.press("Enter")
        assert page.seen("details.options").get_attribute("open") is not None
        keyboard.press("Enter")
        server.endpoint.fake.behaviour = Behaviour(delay_s=None)
        keyboard.press("Tab")
        assert focused.inner_text() == "Ask"
        keyboard.press("Enter")
        page.becomes("running")
        keyboard.press("Escape")
        page.becomes("done")
        server.endpoint.fake.behaviour = Behaviour(text=replies)
        page.problem.focus()
        keyboard.press("Control+Enter")
        page.seen(".answer.finished").wait_for()
        assert page.answer == "42"
        page.page.get_by_role("link", name="Past").focus()
        keyboard.press("Enter")
        page.seen(".past li").first.wait_for()
        assert focused.inner_text() == "Past solves"


def test_what_happens_is_told_to_who_cannot_see_it(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        page.open().ask("What is 6*7?").becomes("done")
        assert page.seen(".run [role=status]").first.inner_text() == "Done: 42"
        unnamed = page.page.evaluate(
            """() => {
              const all = document.querySelectorAll("input, select, textarea, button, progress:not([aria-hidden])");
              const isNamed = (one) => one.labels?.length || one.ariaLabel || one.textContent.trim();
              return [...all].filter((one) => !isNamed(one)).length;
            }"""
        )
        assert unnamed == 0
        assert page.page.locator("h1:visible").count() == 1
        assert page.page.title() == "Ask a problem · mathagent"


def test_whoever_wants_less_motion_gets_none(server: ServeProcess, browser: Browser) -> None:
    server.endpoint.fake.behaviour = Behaviour(delay_s=None)
    with shown(browser, server.url, reduced_motion="reduce") as page:
        page.open().ask("What is 6*7?").becomes("running")
        name = page.seen(".status").first.evaluate("(one) => getComputedStyle(one, '::before').animationName")
        assert name == "none"
        page.page.keyboard.press("Escape")
        page.becomes("done")


def hostile(body: dict[str, Any], index: int) -> str:
    if "python" in str(body["messages"]).lower():
        printed = "\n".join(f"    print({payload[:200]!r})" for payload in PAYLOADS)
        return (
            f"{HOSTILE}\n```python\n# {PAYLOADS[1]}\ndef solution():\n{printed}\n    return {PAYLOADS[0]!r}\n```"
        )
    return f"{HOSTILE}\n\n\\boxed{{\\text{{{PAYLOADS[1]}}}}}"


@pytest.mark.parametrize("strategy", ["cot", "pal"])
def test_hostile_texts_stay_texts(server: ServeProcess, browser: Browser, strategy: str) -> None:
    server.endpoint.fake.behaviour = Behaviour(text=hostile)
    with shown(browser, server.url) as page:
        page.open().ask(HOSTILE, strategy)
        page.seen(".run[data-state='done']").wait_for()
        page.seen("details.how > summary").click()
        for fold in page.seen("details > summary").all():
            fold.click()
        inert(page)
        assert PAYLOADS[1] in page.page.inner_text("main")
        page.open("past").seen(".past-problem").first.wait_for()
        inert(page)
        page.seen(".past-problem").first.click()
        page.seen(".card").first.wait_for()
        inert(page)
        page.open("compare").problem.fill(HOSTILE)
        inert(page)
        page.complaints[:] = [one for one in page.complaints if not is_harmless(one)]


def is_harmless(complaint: str) -> bool:
    """Whether the policy has kept KaTeX from giving a style to hidden MathML."""
    return "style-src" in complaint


def inert(page: Shown) -> None:
    """Nothing of PAYLOADS ran, or became anything but text."""
    assert page.page.title().endswith("· mathagent")
    made = "script, iframe, img, object, embed, form[action], a[href^=javascript], [onerror], [onload], [style*=fixed]"
    assert page.page.locator(f"main :is({made})").count() == 0


def test_the_payloads_would_run_in_a_page_that_lets_them(browser: Browser) -> None:
    naive = browser.new_page()
    naive.set_content(f"<title>Safe</title><body>{PAYLOADS[1]}")
    naive.wait_for_function("document.title === 'run'")
    naive.close()


def test_the_browser_itself_refuses_markup_scripts_and_other_places(
    server: ServeProcess, browser: Browser
) -> None:
    with shown(browser, server.url) as page:
        page.open()
        refused = page.page.evaluate(
            """async () => {
              await new Promise((resolve) => setTimeout(resolve)); // out of the debugger's call, which may evaluate
              const tried = {};
              const attempt = async (name, work) => {
                try { await work(); tried[name] = "done"; } catch (error) { tried[name] = error.name; }
              };
              await attempt("markup", () => { document.body.innerHTML += "<b>x</b>"; });
              await attempt("code", () => new Function("return 1")());
              await attempt("elsewhere", () => fetch("http://127.0.0.1:9/"));
              return tried;
            }"""
        )
        assert refused["markup"] == "TypeError"
        assert refused["code"] in ("EvalError", "TypeError")
        assert refused["elsewhere"] == "TypeError"
        page.complaints.clear()
        page.asked[:] = [one for one in page.asked if not one.startswith("http://127.0.0.1:9/")]


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("it costs $5 and then $6", []),
        ("$x$ and \\(y\\)", ["x", "y"]),
        ("$$x$$ \\[y\\]", ["x", "y"]),
        ("\\$3 is $3$", ["3"]),
        ("so \\boxed{\\frac{1}{2}} it is", ["\\boxed{\\frac{1}{2}}"]),
        ("\\boxed{unclosed", []),
        ("a $ b $ c", []),
        ("\\begin{align}x\\\\y\\end{align}", ["\\begin{align}x\\\\y\\end{align}"]),
        ("$never closed", []),
        ("line $a\nb$ end", ["a\nb"]),
        ("two $a\n\nb$ parts", []),
    ],
)
def test_formulas_are_told_from_money(
    server: ServeProcess, browser: Browser, text: str, formulas: list[str]
) -> None:
    with shown(browser, server.url) as page:
        found = page.open().page.evaluate(
            """async (text) => {
              const { segments } = await import(new URL("js/math.js", document.baseURI).href);
              return segments(text);
            }""",
            text,
        )
    assert [one["tex"] for one in found if "tex" in one] == formulas
    assert "".join(one.get("source", one.get("text", "")) for one in found) == text.replace("\\$", "$")
