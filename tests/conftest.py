"""Every test stores what it stores in a folder of its own; weights come from the shared model folder."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from pathlib import Path

import hypothesis
import pytest
import zygote_park

import mathagent
from mathagent.config import read_settings, settings
from mathagent.sandbox.zygote_host import ZygoteHost

MODELS_DIR = read_settings().models_dir
"""Where the weights lie that the user (or an earlier test run) has fetched."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


hypothesis.settings.register_profile("without deadlines", deadline=None)
hypothesis.settings.load_profile("without deadlines")  # a noisy machine takes its time


def pytest_configure(config: pytest.Config) -> None:
    """Compiles mathagent once, before the workers start.

    Where PYTHONDONTWRITEBYTECODE is set and the checkout is fresh, each process would compile it anew: measured, 3.5
    of the 6 CPU seconds of an import of the solver. What pytest itself compiles of the tests is kept, too.
    """
    sys.dont_write_bytecode = False
    zygote_park.open_park()
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(mathagent.__file__).parent, quiet=2)


def pytest_unconfigure() -> None:
    """Ends the zygotes that no test has any more."""
    zygote_park.close_park()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MATHAGENT_HOME lies in tmp_path, with the user's models linked in; no key, endpoint or web search is set."""
    keys = ("OPENAI_API_KEY", "TAVILY_API_KEY", "BRAVE_API_KEY", "WOLFRAM_APP_ID")
    for name in (*keys, "OPENAI_BASE_URL", "MATHAGENT_MODEL", "MATHAGENT_WEB", "MATHAGENT_SEARXNG_URL"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    MODELS_DIR.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(MODELS_DIR, target_is_directory=True)
    monkeypatch.setenv("MATHAGENT_HOME", str(home))
    settings.cache_clear()
    return home


@pytest.fixture(scope="module", autouse=True)
def lent_zygotes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sandboxes borrow their zygotes (zygote_park.py), but in modules about zygotes: those are marked, or lie in a
    folder whose conftest.py has a fixture of this name."""
    own = request.node.get_closest_marker("own_zygotes") is not None
    with zygote_park.none_lent() if own else nullcontext():
        yield


@pytest.fixture
def cold_zygotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zygotes import and warm up nothing for programs: most of the CPU seconds of their start.

    For tests that start many sandboxes, with programs that use no library.
    """
    start = ZygoteHost.__init__

    def start_cold(host: ZygoteHost, without: Collection[str] = (), preload: tuple[str, ...] | None = ()) -> None:
        start(host, without, preload or None)  # the answer code of ConfinedCalls stays preloaded

    monkeypatch.setattr(ZygoteHost, "__init__", start_cold)


@pytest.fixture
def shared_data() -> Path:
    """The folder of benchmark data beside the checkout; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the benchmark data (../shared/data) is not here")
    return SHARED_DATA
