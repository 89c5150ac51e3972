"""Every test stores what it stores in a folder of its own; weights come from the shared model folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.config import read_settings, settings


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MATHAGENT_HOME points into tmp_path, no key and no endpoint is set."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MATHAGENT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MATHAGENT_HOME", str(tmp_path / "home"))
    settings.cache_clear()


@pytest.fixture
def shared_data() -> Path:
    """The folder of benchmark data beside the checkout; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the benchmark data (../shared/data) is not here")
    return folder


def user_models_dir() -> Path:
    """Where a user's weights lie, whatever MATHAGENT_HOME a test has set."""
    return read_settings().model_copy(update={"home": None}).models_dir
