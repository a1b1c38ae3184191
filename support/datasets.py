"""Files of datasets, and the verdicts of their statuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from hashmark import Dataset, Library, Verdict
from hashmark.core.report import DatasetStatus
from support.file_trees import write_files

STYLE = "82_stellar_sketch"
"""The folder of the dataset `82`."""

LibraryMaker = Callable[..., Library]
"""Makes a library that mirrors a store: `library_on(store, "name")`."""


def fill(dataset: Dataset, files: Mapping[str, bytes]) -> None:
    write_files(dataset.path, files)


def pairs(count: int = 5) -> dict[str, bytes]:
    images = {f"{n:04d}.png": f"not really an image {n}".encode() * 100 for n in range(count)}
    captions = {f"{n:04d}.txt": f"a stellar sketch, number {n}\n".encode() for n in range(count)}
    return images | captions


def dataset_of(library: Library, files: dict[str, bytes] | None = None) -> Dataset:
    (library.root / STYLE).mkdir(exist_ok=True)
    dataset = library.dataset("82")
    fill(dataset, pairs() if files is None else files)
    return dataset


def write_pairs(root: Path, name: str, count: int, size: int = 2000) -> Path:
    """Write a dataset of `count` pairs with images of about `size` bytes."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (folder / f"{n:04d}.png").write_bytes(f"image {n} ".encode() * (size // 8))
        (folder / f"{n:04d}.txt").write_text(f"a stellar sketch, number {n}\n")
    return folder


def verdicts(found: DatasetStatus) -> dict[str, Verdict]:
    return {row.key: row.verdict for row in found.files}


def not_synced(found: DatasetStatus) -> dict[str, Verdict]:
    return {key: verdict for key, verdict in verdicts(found).items() if verdict is not Verdict.SYNCED}


def edit_keeping_size_and_time(path: Path) -> None:
    """Edit a file in the way that tools miss when they compare size and time."""
    facts = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_size == facts.st_size
    assert path.stat().st_mtime_ns == facts.st_mtime_ns
