"""The datasets to measure on. A seed makes them the same on every machine."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

CHUNK_BYTES = 1 << 20

CHANGED = 271
"""How many captions change, as in the case that the project began with."""


@dataclass(frozen=True)
class Input:
    """A dataset: the number of its images, the bytes of each, and whether they have captions."""

    name: str
    images: int
    size: int
    captions: bool = True

    @property
    def files(self) -> int:
        return self.images * (2 if self.captions else 1)

    @property
    def described(self) -> str:
        size = f"{self.images * self.size / 1e6:,.0f} MB" if self.size > 1000 else f"images of {self.size} bytes"
        return f"{self.files:,} files, {size}"


STORY = Input("82_story", 271, 1_000_000)
PAIRS = Input("83_pairs", 5_000, 64_000)
TINY = Input("84_tiny", 100_000, 100)
LARGE = Input("85_large", 10, 200_000_000, captions=False)

MIDDLE = Input("87_middle", 100, 1_000_000, captions=False)


def smaller(item: Input) -> Input:
    """Return the input for a quick run."""
    images, size = {
        "82_story": (271, 100_000),
        "83_pairs": (500, 64_000),
        "84_tiny": (2_000, 100),
        "87_middle": (20, 1_000_000),
    }.get(item.name, (2, 100_000_000))
    return replace(item, images=images, size=size)


def build(folder: Path, item: Input) -> None:
    """Write the dataset into a new `folder`, and wait until its digests can be cached."""
    folder.mkdir(parents=True)
    source = random.Random(item.name)
    for n in range(item.images):
        with (folder / f"{n:06d}.png").open("wb") as file:
            # In chunks: a child's reported peak memory is never below what this process has held.
            for at in range(0, item.size, CHUNK_BYTES):
                file.write(source.randbytes(min(CHUNK_BYTES, item.size - at)))
        if item.captions:
            (folder / f"{n:06d}.txt").write_text(f"a stellar sketch, number {n:06d}, {source.random():.12f}\n")
    time.sleep(3)


def change(folder: Path, count: int) -> None:
    """Change the first captions and keep their sizes."""
    for path in _captions(folder, count):
        path.write_text(path.read_text().replace("stellar sketch", "stellar Sketch"))


def _captions(folder: Path, count: int) -> Iterator[Path]:
    return (folder / f"{n:06d}.txt" for n in range(count))
