"""The web page in a real headless Chromium: opened for one test, and what goes wrong in it is that test's failure."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from serve_process import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
PATIENCE_MS = 200_000
"""Machines that test are slow now and then; nothing here depends on how slow."""


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Shown:
    """A page that is open. ``complaints`` are errors of scripts and breaches of the policy, ``asked`` all addresses
    that were asked for."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("request", lambda request: self.asked.append(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):  # a refusal of the API
            self.complaints.append(text)

    def open(self, view: str = "") -> Shown:
        self.page.goto(f"{self.url}/#/{view}")
        self.page.wait_for_selector("html[data-ready]")
        return self

    def seen(self, selector: str, **more: Any) -> Locator:
        """What of ``selector`` is in the view that is open."""
        return self.page.locator(f":is({selector}):visible", **more)

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("textbox", name="Problem")

    def press(self, name: str) -> None:
        """Presses the button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def with_options(self) -> Shown:
        """Opens the options."""
        self.seen("details.options > summary").click()
        return self

    def ask(self, text: str, strategy: str = "cot") -> Shown:
        """Asks ``text`` of ``strategy``."""
        self.problem.fill(text)
        options = self.seen("details.options")
        if options.get_attribute("open") is None:
            self.with_options()
        self.page.get_by_label("Strategy", exact=True).select_option(strategy)
        self.problem.press("Control+Enter")
        return self

    def becomes(self, state: str) -> Shown:
        """Returns once the solve that is shown is in ``state``; where it fails instead, so does the test."""
        run = self.seen(f".run:is([data-state='{state}'], [data-state='failed'])").first
        run.wait_for()
        if state != "failed":
            assert run.get_attribute("data-state") != "failed", run.inner_text()
        return self

    def columns_become(self, state: str, count: int) -> Shown:
        """Returns once ``count`` solves that stand side by side are in ``state``."""
        self.seen(f".column .run[data-state='{state}']").nth(count - 1).wait_for()
        return self

    @property
    def status(self) -> str:
        return self.seen(".run .status").first.inner_text()

    @property
    def answer(self) -> str:
        """The answer's text as KaTeX was given it, or as it stands."""
        value = self.seen(".answer-value").first
        source = value.locator("annotation")
        return source.text_content() or "" if source.count() else value.inner_text()

    def sideways(self) -> int:
        """By how many pixels the page is wider than its window."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    def brightness(self) -> float:
        """Of what lies behind the text, from 0 to 255."""
        colour = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


@contextmanager
def shown(browser: Browser, url: str, *, key: str | None = KEY, **context: Any) -> Iterator[Shown]:
    """The page at ``url`` in a browser of its own, which knows ``key``; nothing may have gone wrong in it at the end,
    and it may have asked nobody but its server."""
    opened = browser.new_context(**context)
    try:
        if key is not None:
            opened.add_init_script(f"localStorage.setItem('mathagent.key', '{key}')")
        page = Shown(opened.new_page(), url)
        yield page
        assert page.complaints == []
        assert [one for one in page.asked if not one.startswith(f"{url}/")] == []
    finally:
        opened.close()
