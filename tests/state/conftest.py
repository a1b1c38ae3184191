"""Where a test's state lies."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    return tmp_path / ".hashmark/state.sqlite"
