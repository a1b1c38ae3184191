"""A small library on a real bucket, served with its door, fresh for each test that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hashmark import push
from hashmark.library.library import Library
from hashmark.library.settings import create
from support.datasets import STYLE, LibraryMaker, write_pairs
from support.stores import BUCKET, Store
from support.web.serving import Served, serving


@pytest.fixture
def library(seaweedfs: Store, library_on: LibraryMaker) -> Library:
    """Three pairs, in sync; then the caption of the second was edited on disk, its size kept."""
    made = library_on(seaweedfs)
    folder = write_pairs(made.root, STYLE, 3)
    push(made.dataset("82"))
    (folder / "0001.txt").write_text("a stellar sketch, number !\n")
    return made


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves a library until the test ends."""
    with ExitStack() as stack:
        yield lambda library, **options: stack.enter_context(serving(library, **options))


@pytest.fixture
def served(library: Library, serve: Callable[..., Served]) -> Served:
    return serve(library)


@pytest.fixture(scope="module")
def served_once(seaweedfs: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that the tests of a module share, because they only ask: the same library as `library`."""
    root = tmp_path_factory.mktemp("once")
    prefix = f"once{abs(hash(str(root))):x}"
    create(root, {"url": f"s3://{BUCKET}/{prefix}", "endpoint_url": seaweedfs.endpoint_url, "region": "us-east-1"})
    folder = write_pairs(root, STYLE, 3)
    with Library.open(root) as found:
        own = found.settings
        with Library(root, type(own)(seaweedfs.remote(prefix), False, own.pairing, own.prefixes)) as made:
            push(made.dataset("82"))
            (folder / "0001.txt").write_text("a stellar sketch, number !\n")
            with serving(made) as running:
                running.compared("82")
                yield running
