"""Photos on the web page, in a real browser over the real server, whose model's endpoint looks at what it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from fake_endpoint import Behaviour
from page_driver import BROWSER, Shown, shown
from serve_process import ServeProcess, serving

from mathagent.evals.probe.image_tests import grey_png, number_png

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright", reason="pip install playwright")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome"),
    pytest.mark.timeout(600),
]

PNG = number_png("4072")
PROBLEM = "What is $6 \\cdot 7$?"
PHOTO_FILE = {"name": "photo.png", "mimeType": "image/png", "buffer": PNG}
GIVEN_BY_HAND = """([kind, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "photo", { type }));
  const options = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, ...options })
    : new DragEvent("drop", { dataTransfer: data, ...options });
  document.activeElement.dispatchEvent(event);
}"""


def pictures(body: dict[str, Any]) -> list[str]:
    """The data URLs of the pictures in a request."""
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [part["image_url"]["url"] for parts in contents for part in parts if part["type"] == "image_url"]


def replies(body: dict[str, Any], index: int) -> str:
    return PROBLEM if pictures(body) else "So it is \\boxed{42}."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A server whose model is known, by the user's word, to see pictures."""
    folder = tmp_path_factory.mktemp("photo")
    config = folder / "config.toml"
    config.write_text('[capabilities."openai:m"]\nimages = true\n')
    with serving(folder, "-s", "cot", behaviour=Behaviour(text=replies), MATHAGENT_CONFIG=str(config)) as running:
        yield running


@pytest.fixture(autouse=True)
def usual_behaviour(server: ServeProcess) -> Iterator[None]:
    yield
    server.endpoint.fake.behaviour = Behaviour(text=replies)


def ready(page: Shown, view: str = "") -> Shown:
    """The page once it knows that photos can be read."""
    page.open(view).seen(".photo button:enabled").wait_for()
    return page


def choose(page: Shown, file: dict[str, Any]) -> None:
    """Presses Photo and picks ``file``."""
    with page.page.expect_file_chooser() as chooser:
        page.press("Photo")
    chooser.value.set_files([file])  # type: ignore[arg-type]


def is_read(page: Shown) -> None:
    page.seen(".photo", has_text="Read from the photo").wait_for()


def sent_pictures(server: ServeProcess, since: int) -> list[str]:
    return [url for body in server.endpoint.fake.bodies[since:] for url in pictures(body)]


def test_a_photo_is_read_checked_and_solved(server: ServeProcess, browser: Browser) -> None:
    before = len(server.endpoint.fake.bodies)
    with shown(browser, server.url) as page:
        choose(ready(page), PHOTO_FILE)
        is_read(page)
        assert page.problem.input_value() == PROBLEM
        assert page.seen(".preview .katex").count() == 1
        page.press("Ask")
        page.becomes("done")
        assert page.answer == "42"
    assert sent_pictures(server, before) == [f"data:image/png;base64,{base64.b64encode(PNG).decode()}"]
    assert not pictures(server.endpoint.fake.bodies[-1])  # the solve itself is of the text


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_it_may_be_pasted_and_dropped_and_what_was_typed_stays(
    server: ServeProcess, browser: Browser, kind: str
) -> None:
    before = len(server.endpoint.fake.bodies)
    with shown(browser, server.url) as page:
        ready(page, "compare").problem.fill("Part b) only.")
        page.page.evaluate(GIVEN_BY_HAND, [kind, "image/png", list(PNG)])
        is_read(page)
        assert page.problem.input_value() == f"Part b) only.\n\n{PROBLEM}"
    assert len(sent_pictures(server, before)) == 1


def test_a_large_picture_is_sent_smaller(server: ServeProcess, browser: Browser) -> None:
    """Noise, which no encoder makes small: as PNG it has three megabytes, more than the server takes."""
    noise = Random(1)
    large = grey_png([noise.randbytes(3000) for _ in range(1000)])
    before = len(server.endpoint.fake.bodies)
    with shown(browser, server.url) as page:
        ready(page)
        choose(page, {**PHOTO_FILE, "buffer": large})
        is_read(page)
    (url,) = sent_pictures(server, before)
    head, _, sent = url.partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(sent).startswith(b"\xff\xd8\xff")
    assert len(sent) < 2**20


def test_what_goes_wrong_is_told_and_it_may_be_tried_again(server: ServeProcess, browser: Browser) -> None:
    with shown(browser, server.url) as page:
        ready(page)
        server.endpoint.fake.will(text=lambda body, index: "NONE")
        choose(page, PHOTO_FILE)
        page.seen(".wrong", has_text="reads no problem in the picture").wait_for()
        choose(page, {**PHOTO_FILE, "buffer": b"no picture at all"})
        page.seen(".wrong", has_text="is no picture").wait_for()
        choose(page, {"name": "x.bmp", "mimeType": "image/bmp", "buffer": b"no picture at all"})
        page.seen(".wrong", has_text="cannot open the picture").wait_for()
        server.endpoint.fake.will(text=replies)
        choose(page, PHOTO_FILE)
        is_read(page)
        assert page.seen(".problem-field .wrong").all() == []


def test_where_the_model_sees_nothing_the_button_is_off_and_says_why(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, "-s", "cot") as blind:
        with shown(browser, blind.url) as page:
            page.open().seen(".photo", has_text="not known to see pictures").wait_for()
            assert page.page.get_by_role("button", name="Photo", exact=True).is_disabled()
            page.problem.focus()
            page.page.evaluate(GIVEN_BY_HAND, ["paste", "image/png", list(PNG)])
            page.seen(".wrong", has_text="photos cannot be read").wait_for()
        with blind.http() as http:
            refused = http.post("/v1/problems/transcribe", json={"image": base64.b64encode(PNG).decode()})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "images")
        assert blind.endpoint.fake.bodies == []


def test_a_call_of_a_tool_is_shown_and_may_be_allowed_for_the_whole_solve(
    server: ServeProcess, browser: Browser
) -> None:
    """What a server sends that waits for a person's word on a tool is played, and what the page answers is caught."""
    given = (
        '{"to": "a@b.example", "cc": [], "text": "<b>\\"{1, 2}\\"</b>", "number": 12345678901234567890,'
        ' "deep": {"x": [1, 2]}}'
    )
    waits = {
        "kind": "approve-tool",
        "tool": "mail.send",
        "description": "Sends a letter.",
        "arguments": given,
    }
    answers: list[Any] = []

    def waiting(route: Any) -> None:
        body = route.request.post_data_json
        if "answer" in body:
            answers.append(body["answer"])
        events: list[dict[str, Any]] = [
            {"kind": "solve-started", "solve_id": "s1", "strategy": "cot", "resumed": False},
            {"kind": "solve-finished", "solution": {"solve_id": "s1", "waiting_for": waits, **NOTHING_YET}},
        ]
        text = "".join(f"event: {one['kind']}\ndata: {json.dumps(one)}\n\n" for one in events)
        route.fulfill(status=200, content_type="text/event-stream", body=text)

    with shown(browser, server.url) as page:
        page.page.route("**/v1/solve", waiting)
        page.page.route("**/v1/solutions/s1/resume", waiting)
        page.open().problem.fill("Write to her.")
        page.press("Ask")
        page.seen(".person", has_text="mail.send").wait_for()
        assert page.seen(".tool-arguments").inner_text().splitlines() == [
            "{",
            '  "to": "a@b.example",',
            '  "cc": [],',
            '  "text": "<b>\\"{1, 2}\\"</b>",',
            '  "number": 12345678901234567890,',
            '  "deep": {',
            '    "x": [',
            "      1,",
            "      2",
            "    ]",
            "  }",
            "}",
        ]
        for button in ("Always for this solve", "Allow it", "Refuse"):
            page.press(button)
            page.seen(".run[data-state='person'] .person").wait_for()
    assert answers == [
        {"kind": "approved", "always": True},
        {"kind": "approved"},
        {"kind": "refused", "reason": ""},
    ]


NOTHING_YET: dict[str, Any] = {
    "answer": None,
    "candidates": [],
    "certificate": [],
    "usage": {"calls": 1, "prompt_tokens": 1, "completion_tokens": 1, "cached_calls": 0},
    "seconds": 1.0,
    "stopped": "waiting",
    "resumable": True,
    "by_model": [],
}
