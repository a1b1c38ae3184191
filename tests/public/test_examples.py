"""The examples of `docs/python.md` do what they say, against a real store."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import hashmark
from hashmark import Library
from support.datasets import LibraryMaker, dataset_of, fill, pairs
from support.stores import BUCKET, Store

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(name="examples", scope="module")
def fixture_examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("python_examples", DOCS / "python_examples.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="library")
def fixture_library(seaweedfs: Store, library_on: LibraryMaker) -> Library:
    """A library with a dataset of five pairs, all pushed."""
    library = library_on(seaweedfs)
    hashmark.push(dataset_of(library))
    return library


def test_the_page_shows_these_examples() -> None:
    code = (DOCS / "python_examples.py").read_text()
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    shown = [block for block in blocks if "def " in block]
    assert len(shown) >= 8
    for block in shown:
        assert block in code, f"python_examples.py lacks:\n{block}"


def test_a_library_is_made(
    examples: ModuleType, seaweedfs: Store, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "styles" / "82_stellar_sketch").mkdir(parents=True)
    names = examples.start(tmp_path / "styles", f"s3://{BUCKET}/{prefix}", seaweedfs.endpoint_url)
    assert names[0] == "82_stellar_sketch"
    assert "82_stellar_sketch" in examples.report(tmp_path / "styles")
    assert examples.report(tmp_path).startswith("settings: There is no hashmark.toml")


def test_comparing_and_moving(examples: ModuleType, library: Library) -> None:
    dataset = library.dataset("82")
    assert examples.compare(library) == []
    fill(dataset, {"0000.txt": b"a new caption\n"})
    assert examples.compare(library) == ["0000.txt"]
    assert examples.words_that_differ(dataset)["0000.txt"]
    assert examples.upload_captions(dataset).done
    library.bucket.put(dataset.prefix + "0001.txt", b"theirs")
    fill(dataset, {"0001.txt": b"mine, edited", "only-here.txt": b"x"})
    with pytest.raises(SystemExit, match=r"0001\.txt"):
        examples.upload_captions(dataset)
    assert examples.download(dataset).done
    assert hashmark.status(dataset).in_sync
    assert examples.with_progress(dataset)[-1].startswith("11 of 11 files")


def test_cleaning_and_deleting(examples: ModuleType, library: Library) -> None:
    fill(library.dataset("82"), {"0000.txt": b"a,  b, a\n"})
    assert examples.clean_captions(library) == 1
    assert (library.dataset("82").path / "0000.txt").read_bytes() == b"a,  b, a\n"
    (library.dataset("82").path / "0001.txt").rename(library.dataset("82").path / "lone.txt")
    assert ["lone.txt"] in examples.what_to_do_for_kohya(library.dataset("82")).values()
    (library.dataset("82").path / "lone.txt").rename(library.dataset("82").path / "0001.txt")
    assert examples.delete_and_restore(library) == 4
    assert set(pairs()) == {row.key for row in hashmark.ls_remote(library.dataset("82"))}
