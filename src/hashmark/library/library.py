"""A library: a folder of datasets with `hashmark.toml` at its root. Finds its datasets, and opens its state and bucket.

The bucket and the state are opened when they are first needed. Does not know what is in sync.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from hashmark.core.display import shortened
from hashmark.core.errors import Busy, LocalError, NoSuchDataset, SettingsError, UsageError
from hashmark.core.ignored import IgnoredNames
from hashmark.core.keys import STATE_FOLDER, unsafe_reason
from hashmark.core.model import Problem
from hashmark.disk.private_folder import PrivateFolder, check_private_file, own_users, private_path
from hashmark.library.access import check_endpoint, check_owner
from hashmark.library.dataset import Dataset, number_of
from hashmark.library.root_folder import RootFolder, read_root
from hashmark.library.settings import SETTINGS, Settings, is_library, read_settings, unknown_datasets
from hashmark.s3.endpoint import Remote, named_endpoint
from hashmark.state.state import State

if TYPE_CHECKING:
    from hashmark.embedded.embedded_bucket import EmbeddedBucket
    from hashmark.s3.bucket import Bucket


class Library:
    """A folder of datasets. Use it as a context manager, or call `close`, so that nothing stays open."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.refused: dict[str, Problem] = {}
        """Folders on disk or in the bucket that can't be datasets, as far as seen."""
        self._unknown: list[Problem] = []
        self._bucket_folders: list[str] = []
        """The folders of the bucket, once they were listed."""
        self._objects_beside = IgnoredNames()
        """Objects of the bucket that lie in none of them, and in no dataset."""
        self._embedded: EmbeddedBucket | None = None
        self._owners = own_users() | {_owner(root / SETTINGS)}
        """The users who may own hashmark's folder: those of the settings, which were read."""
        self._opening = threading.Lock()
        """Held to open the state or the bucket: since Python 3.12, cached properties may run twice in two threads."""
        self._closed = False

    def __repr__(self) -> str:
        closed = ", closed" if self._closed else ""
        return f"<Library {shortened(str(self.root))}: {shortened(self.settings.remote.url)}{closed}>"

    @classmethod
    def open(cls, start: str | os.PathLike[str] | None = None) -> Library:
        """Open the library at `start`, by default the current folder, or in the nearest folder above it.

        Raises:
            SettingsError: there is none, or its settings are invalid.
        NotTrusted: its settings belong to another user.
        """
        here = _absolute(start or ".").resolve()
        for folder in (here, *here.parents):
            if is_library(folder):
                check_owner(folder)
                return cls(folder, read_settings(folder / SETTINGS))
        raise SettingsError(
            f"There is no {SETTINGS} in {here} or above it.",
            "Create a library with `hashmark init --remote s3://bucket/prefix`, or try `hashmark demo`.",
        )

    def own_folder(self, *names: str) -> Path:
        """Return `.hashmark`, hashmark's own folder, which is created, or one in it, which may be missing.

        Raises:
            UnsafePath: it would be reached by a symlink, or belongs to another user.
        """
        with contextlib.suppress(LocalError):  # a library that can't be written is compared all the same
            PrivateFolder(self.root, STATE_FOLDER, owners=self._owners).close()
        return private_path(self.root, STATE_FOLDER, *names, owners=self._owners)

    @property
    def trash(self) -> Path:
        """The folder for overwritten and deleted files, each at `BATCH/DATASET/KEY`."""
        return self.own_folder("trash")

    @property
    def remote_state(self) -> str:
        """The prefix of hashmark's own folder in the bucket, ending in `/`."""
        prefix = self.settings.remote.prefix
        return f"{prefix}/{STATE_FOLDER}/" if prefix else f"{STATE_FOLDER}/"

    @property
    def remote_trash(self) -> str:
        """The prefix of the bucket's trash, which has the layout of `trash`."""
        return f"{self.remote_state}trash/"

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False, busy: str = "Another process holds the lock.") -> Iterator[None]:
        """Hold the lock of this name against other processes of this machine, or share it with those that share it too.

        Raises:
            Busy: another process holds it. With `shared`, it is waited for instead.
            ReadOnly: the library can't be written.
        """
        folder = PrivateFolder(self.root, STATE_FOLDER, "locks", owners=self._owners)
        try:
            descriptor = folder.open(f"{name}.lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise _explained(error, folder.path) from None
        finally:
            folder.close()
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, no path
            try:
                fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(busy) from None
            except OSError as error:
                raise _explained(error, folder.path) from None
            yield

    @cached_property
    def state(self) -> State:
        """What is remembered between runs.

        Raises:
            UsageError: the library is closed.
        """
        with self._opening:
            self._check_open()
            if "state" not in self.__dict__:
                self.__dict__["state"] = State.open(check_private_file(self.own_folder() / "state.sqlite"))
            return cast(State, self.__dict__["state"])

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket; the embedded one is started.

        Raises:
            UsageError: the library is closed.
            StoreError, SettingsError: the settings or credentials can't be used.
            NotTrusted: the user never named the endpoint.
        """
        from hashmark.s3.bucket import Bucket  # noqa: PLC0415 - 70 ms of runtime, only where it is needed

        with self._opening:
            self._check_open()
            if "bucket" not in self.__dict__:
                self.check_endpoint()
                remote = self._started() if self.settings.embedded else self.settings.remote
                self.__dict__["bucket"] = Bucket(remote)
            return cast(Bucket, self.__dict__["bucket"])

    def check_endpoint(self) -> None:
        """Refuse an endpoint that the user never named.

        Raises:
            NotTrusted: it is such an endpoint.
        """
        if not self.settings.embedded:
            check_endpoint(self.settings.remote)

    def _started(self) -> Remote:
        from hashmark.embedded.embedded_bucket import EmbeddedBucket  # noqa: PLC0415 - only for libraries with an embedded bucket

        remote = self.settings.remote
        self._embedded = EmbeddedBucket(self.own_folder("bucket"), remote.bucket)
        return replace(
            remote,
            endpoint_url=self._embedded.address.endpoint_url,
            region="us-east-1",
            credentials_file=str(self._embedded.credentials_file),
            store_name=f"embedded:{self.root / STATE_FOLDER}",
        )

    @property
    def embedded(self) -> EmbeddedBucket | None:
        """The embedded bucket, if this library has one and it was used."""
        return self._embedded

    def close(self) -> None:
        """Close the state file, and stop using the embedded bucket. What needs either raises `UsageError` then."""
        with self._opening:
            self._closed = True
            state: State | None = self.__dict__.pop("state", None)
            self.__dict__.pop("bucket", None)
        if state:
            state.close()
        if self._embedded:
            self._embedded.close()

    def _check_open(self) -> None:
        if self._closed:
            text = "Open it again with `Library.open`, and use it and its datasets inside the `with` block."
            raise UsageError(f"The library {self.root} is closed.", text)

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warnings(self) -> list[Problem]:
        """Return what the user should know about the settings at every run."""
        seen = [*self.refused.values(), *self._unknown]
        anyone = "anyone on the network path can read and change the data"
        if not self.settings.remote.verify:
            text = f"TLS certificates are not checked (verify = false): {anyone}"
            seen.insert(0, Problem("", "tls-not-verified", text))
        endpoint = named_endpoint(self.settings.remote)
        if endpoint is not None and not endpoint.is_encrypted:
            text = f"Requests to {endpoint.url} are not encrypted: {anyone}"
            seen.insert(0, Problem("", "not-encrypted", text))
        return seen

    def datasets(self) -> list[Dataset]:
        """Return the datasets on disk, by name."""
        return self._named(self._folders())

    def remote_only(self) -> list[Dataset]:
        """Return the datasets that only the bucket has, by name.

        Raises:
            StoreError: the bucket can't be listed.
        """
        prefix = f"{self.settings.remote.prefix}/" if self.settings.remote.prefix else ""
        local = {dataset.name: dataset.prefix for dataset in self.datasets()}
        beside = IgnoredNames()
        folders = self._bucket_folders = self.bucket.folders(prefix, beside.add)
        # A dataset may have the library's own prefix; they are then part of it.
        named = self._named(sorted({*local, *self.settings.prefixes}))
        self._objects_beside = IgnoredNames() if prefix in {dataset.prefix for dataset in named} else beside
        self._unknown = unknown_datasets(self.settings, self._root().folders, folders)
        ignores = self.settings.pairing.ignores_by_settings
        found = [n for n in folders if not n.startswith(".") and not ignores(f"{n}/")]
        names = [n for n in found if f"{prefix}{n}/" not in local.values() and n not in local]
        return self._named([name for name in names if not self._refuses(name)])

    def ignored(self) -> dict[str, IgnoredNames]:
        """Return what belongs to no dataset in the library's root, by reason (see `core.ignored.ROOT_REASONS`).

        Once `remote_only` was called, also what belongs to none in the bucket's folder.
        """
        hidden = [name for name in self._bucket_folders if name.startswith(".") and name != STATE_FOLDER]
        found: dict[str, IgnoredNames] = {}
        for reason, name in [*self._root().ignored, *(("hidden-folder-in-bucket", name) for name in hidden)]:
            if reason != "cache-folder" or name not in self._bucket_folders:
                found.setdefault(reason, IgnoredNames()).add([name if reason == "file" else f"{name}/"])
        if self._objects_beside.count:
            found["object"] = self._objects_beside
        return found

    def require_in_sync(self, *names: str) -> None:
        """Raise an error unless these datasets, by default all on disk or in the bucket, are proven to be in sync.

        Raises:
            NotInSync: one is not in sync or is empty, or there is none.
            NoSuchDataset, StoreError: it can't be found or compared.
        """
        from hashmark.actions.require_in_sync import require_in_sync  # noqa: PLC0415 - a comparison uses the library

        require_in_sync(self, names)

    def _refuses(self, name: str) -> bool:
        """Return whether other machines or a bucket can't have a folder of this name; it is then added to `refused`."""
        reason = unsafe_reason(name)
        if reason:
            self.refused[name] = Problem(name, "refused-folder", f"is a folder whose name {reason}; it is left alone")
        return reason is not None

    def dataset(self, name: str | os.PathLike[str]) -> Dataset:
        """Return the dataset with that ID, folder name or path: on disk, in the settings, or else in the bucket.

        Raises:
            TypeError: the name is neither a string nor a path.
            NoSuchDataset: there is none (the message suggests similar names), or several have that number.
        """
        if not isinstance(name, str | os.PathLike):
            raise TypeError(f"A dataset's name is a string, such as '82', or a path, not {type(name).__name__}.")
        name = os.fspath(name)
        local = self._named(sorted({*self._folders(), *self.settings.prefixes}))
        found = self._match(name, local)
        if found is None and (refused := self._bare(name)) in self.refused:
            said = f"'{refused}' is left alone: it {unsafe_reason(refused)}."
            raise NoSuchDataset(said, "Rename the folder.")
        if found is None:
            remote = self.remote_only()
            found = self._match(name, remote)
        if found is None:
            self._refuse_ignored(self._bare(name))
            names = [n for d in (*local, *remote) for n in (d.name, d.id)]
            import difflib  # noqa: PLC0415 - only for an unknown name

            near = difflib.get_close_matches(name, names, 3, 0.4)
            hint = f"Did you mean {' or '.join(repr(n) for n in dict.fromkeys(near))}?" if near else ""
            folders = (self.root, *(dataset.path for dataset in local))
            if any(os.path.isfile(folder / name) for folder in folders):  # noqa: PTH113 - pathlib's may raise
                raise NoSuchDataset(f"There is no dataset '{name}': it is a file.", "Name its dataset; use --select.")
            raise NoSuchDataset(f"There is no dataset '{name}' in {self.root} or in the bucket.", hint)
        return found

    def _refuse_ignored(self, name: str) -> None:
        """Say why a folder of this name is no dataset, if it is one that is ignored.

        Raises:
            NoSuchDataset: it is.
        """
        reason = next((reason for reason, other in self._root().ignored if other == name), "file")
        if reason == "hidden-folder":
            raise NoSuchDataset(f"'{name}' is ignored: it is a hidden folder.", "Rename it without the dot.")
        if reason == "settings":
            raise NoSuchDataset(f"'{name}' is ignored by [pairing] `ignore` in {SETTINGS}.", "Remove it from there.")
        if reason == "cache-folder":
            said = f"'{name}' is ignored: it is named like a trainer's cache and has no image directly in it."
            table = f'[datasets."{name}"] with prefix = "{name}"'
            raise NoSuchDataset(said, f"If it is a dataset, add {table} to {SETTINGS}.")

    def _bare(self, name: str) -> str:
        """Return the folder's name from its name or a path to it."""
        path = _absolute(name)
        return path.name if path.parent.resolve() == self.root.resolve() else name.rstrip("/")

    def _match(self, name: str, candidates: list[Dataset]) -> Dataset | None:
        plain = self._bare(name)
        exact = [d for d in candidates if plain in {d.name, d.id}]
        if exact:
            return exact[0]
        numbered = [d for d in candidates if number_of(d.name) == plain]
        if len(numbered) > 1:
            names = ", ".join(d.name for d in numbered)
            raise NoSuchDataset(f"Several datasets have the number {name}: {names}.", "Give the folder's name.")
        return numbered[0] if numbered else None

    def _root(self) -> RootFolder:
        try:
            return read_root(self.root, self.settings)
        except OSError as error:
            raise _explained(error, self.root) from None

    def _folders(self) -> list[str]:
        return [name for name in self._root().datasets if not self._refuses(name)]

    def _named(self, names: list[str]) -> list[Dataset]:
        """Return datasets with their IDs: the number, unless another dataset here has it or is named like it."""
        every = {*names, *self._folders(), *self.settings.prefixes}
        numbers = Counter([*map(number_of, every), *every])
        found = [Dataset(self, n, number if (number := number_of(n)) and numbers[number] == 1 else n) for n in names]
        for one, other in pairwise(sorted(found, key=lambda dataset: dataset.prefix)):
            if other.prefix.startswith(one.prefix):
                raise SettingsError(
                    f"'{one.name}' and '{other.name}' overlap in the bucket: {one.prefix or '/'} holds {other.prefix}.",
                    "Give each its own `prefix` under [datasets].",
                )
        return found


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without `.` and `..`; its last part may be a symlink."""
    try:
        return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - pathlib's raises without a home
    except FileNotFoundError:
        raise LocalError("The current folder was deleted.", "Change to another folder.") from None


def _owner(path: Path) -> int:
    try:
        return path.stat().st_uid
    except OSError:
        return os.geteuid()


def _explained(error: OSError, folder: Path) -> LocalError:
    from hashmark.disk.durable import as_local_error  # noqa: PLC0415 - only after an error

    return as_local_error(error, os.fspath(folder))
