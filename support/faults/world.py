"""Libraries that reach a store through the proxy or directly, and the state of both sides after a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hashmark import Dataset, Library, status
from hashmark.library.settings import Settings
from hashmark.s3.bucket import Bucket
from support.faults.proxy import Proxy, proxied
from support.file_trees import tree
from support.stores import Store

NAME = "82_x"
TEXT = b"a stellar sketch\n"


@dataclass
class World:
    """A store, the proxy in front of it, and the machines that use it. Each has its own library and state."""

    store: Store
    prefix: str
    folder: Path
    proxy: Proxy
    _libraries: dict[str, Library] = field(default_factory=dict)

    def machine(self, name: str = "here", root: Path | None = None) -> Dataset:
        """Return the dataset of a machine that reaches the store through the proxy."""
        return self._dataset(name, self.proxy.url, root)

    def other(self, name: str = "there") -> Dataset:
        """Return the dataset of a machine that reaches the store directly."""
        return self._dataset(name, self.store.endpoint_url, None)

    @property
    def bucket(self) -> Bucket:
        """The bucket, without the proxy."""
        return self.other().library.bucket

    def _dataset(self, name: str, url: str, root: Path | None) -> Dataset:
        if name not in self._libraries:
            folder = root or self.folder / name
            (folder / NAME).mkdir(parents=True, exist_ok=True)
            remote = replace(self.store.remote(self.prefix), endpoint_url=url, store_name="the store")
            self._libraries[name] = Library(folder, Settings(remote))
        return self._libraries[name].dataset("82")

    def close(self) -> None:
        for library in self._libraries.values():
            library.close()


@contextmanager
def world_of(store: Store, prefix: str, folder: Path) -> Iterator[World]:
    with proxied(store.endpoint_url) as proxy:
        world = World(store, prefix, folder, proxy)
        try:
            yield world
        finally:
            world.close()


def on_disk(dataset: Dataset) -> dict[str, bytes]:
    """Read every file of the dataset, temporary ones included."""
    return tree(dataset.path)


def in_bucket(dataset: Dataset) -> dict[str, bytes]:
    bucket = dataset.library.bucket
    return {row.key: bucket.get(dataset.prefix + row.key) for row in bucket.objects(dataset.prefix)}


def in_trash(dataset: Dataset) -> set[bytes]:
    """Read the contents in the trash of both sides."""
    library = dataset.library
    kept = {library.bucket.get(library.remote_trash + row.key) for row in library.bucket.objects(library.remote_trash)}
    return kept | (set(tree(library.trash).values()) if library.trash.exists() else set())


def verdicts(dataset: Dataset) -> dict[str, str]:
    return {str(row.key): str(row.verdict) for row in status(dataset).files}


def incomplete_uploads(bucket: Bucket, prefix: str) -> int:
    """Count the incomplete multipart uploads under a prefix."""
    query = {"uploads": "", "prefix": prefix}
    return bucket.client.call("ListMultipartUploads", "GET", query=query).body.count(b"<UploadId>")
