"""One renderer with real processes for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hashmark.images.renderer import Renderer


@pytest.fixture(scope="session")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renderer]:
    with Renderer(tmp_path_factory.mktemp("thumbnails"), 2) as made:
        yield made
