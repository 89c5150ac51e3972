"""Every test stores what it stores in a folder of its own; weights come from the shared model folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.config import read_settings, settings

MODELS_DIR = read_settings().models_dir
"""Where the weights lie that the user (or an earlier test run) has fetched."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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


@pytest.fixture
def shared_data() -> Path:
    """The folder of benchmark data beside the checkout; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the benchmark data (../shared/data) is not here")
    return SHARED_DATA
