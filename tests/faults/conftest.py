"""A world for each fault test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.faults.world import World, world_of
from support.stores import Store


@pytest.fixture
def world(seaweedfs: Store, prefix: str, tmp_path: Path) -> Iterator[World]:
    with world_of(seaweedfs, prefix, tmp_path) as made:
        yield made
