"""A library: a folder of datasets with `hashmark.toml` at its root. Finds, reads and names things.

Opens the bucket and the state when they are first needed. What is in sync is not known here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from hashmark.core.errors import Busy, LocalError, NoSuchDataset, SettingsError
from hashmark.core.keys import STATE_FOLDER, unsafe_reason
from hashmark.core.model import Problem
from hashmark.core.pairs import Pairing
from hashmark.library.settings import SETTINGS, Settings, is_library, nowhere, read_settings
from hashmark.s3.endpoint import Remote
from hashmark.state.state import State

if TYPE_CHECKING:
    from hashmark.embedded.store import EmbeddedBucket
    from hashmark.s3.bucket import Bucket


@dataclass(frozen=True)
class Dataset:
    """One folder of a library, and the folder of the bucket that mirrors it.

    `id` is the number in front of the folder's name where it is the only one with it, else the whole name.
    """

    library: Library = field(repr=False, compare=False)
    name: str
    id: str

    @property
    def path(self) -> Path:
        """The folder on disk; it need not exist."""
        return self.library.root / self.name

    @property
    def prefix(self) -> str:
        """What every key of this dataset begins with in the bucket; ends in `/`, or is empty."""
        own = self.library.settings.prefixes.get(self.name, self.name)
        whole = "/".join(part for part in (self.library.settings.remote.prefix, own) if part)
        return f"{whole}/" if whole else ""

    @property
    def remote(self) -> str:
        """The name under which bases of this dataset are remembered."""
        return f"{self.library.bucket.store}/{self.prefix}"

    @property
    def pairing(self) -> Pairing:
        """Which files are captions, and which are ignored."""
        return self.library.settings.pairing

    @property
    def cleaning(self) -> dict[str, Any]:
        """How its captions are cleaned, as `hashmark.toml` has it; empty where that says nothing."""
        return self.library.settings.cleaning.get(self.name, {})

    def lock(self) -> AbstractContextManager[None]:
        """Keep other hashmarks on this machine from changing this dataset meanwhile.

        Raises (once entered):
            Busy: one is at it.
            ReadOnly: the library can't be written.
        """
        # By a digest of the name, which may itself be as long as a name can be.
        digest = hashlib.md5(os.fsencode(self.name), usedforsecurity=False).hexdigest()
        return self.library.lock(digest, busy=f"Another hashmark is changing '{self.name}'.")


class Library:
    """A folder of datasets. Use it as a context manager, or call `close`, so that nothing stays open."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.refused: dict[str, Problem] = {}
        """Folders seen, on disk or in the bucket, that can't be datasets."""
        self._nowhere: list[Problem] = []
        self._box: EmbeddedBucket | None = None
        self._opening = threading.Lock()
        """Held to open the state or the bucket: since Python 3.12, cached properties may run twice in two threads."""

    @classmethod
    def open(cls, start: str | os.PathLike[str] | None = None) -> Library:
        """The library at `start` or in the nearest folder above it; the current folder where none is given.

        Raises:
            SettingsError: there is none, or its settings are wrong.
        """
        here = _absolute(start or ".").resolve()
        for folder in (here, *here.parents):
            if is_library(folder):
                return cls(folder, read_settings(folder / SETTINGS))
        raise SettingsError(
            f"There is no {SETTINGS} in {here} or above it.",
            "Make a library with `hashmark init --remote s3://bucket/prefix`, or try `hashmark demo`.",
        )

    @property
    def state_folder(self) -> Path:
        """Where hashmark keeps its own things."""
        return self.root / STATE_FOLDER

    @property
    def trash(self) -> Path:
        """Where overwritten and deleted files are kept: `BATCH/DATASET/KEY` under it."""
        return self.state_folder / "trash"

    @property
    def remote_state(self) -> str:
        """The prefix of hashmark's own folder in the bucket, ending in `/`."""
        prefix = self.settings.remote.prefix
        return f"{prefix}/{STATE_FOLDER}/" if prefix else f"{STATE_FOLDER}/"

    @property
    def remote_trash(self) -> str:
        """The prefix of the bucket's trash, laid out as `trash`."""
        return f"{self.remote_state}trash/"

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False, busy: str = "Another hashmark is at it.") -> Iterator[None]:
        """Hold the lock of this name among the hashmarks of this machine: alone, or with all who share it.

        Raises:
            Busy: another holds it; those who share it wait instead.
            ReadOnly: the library can't be written.
        """
        folder = self.state_folder / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / f"{name}.lock").open("a+")
        except OSError as error:
            raise _explained(error, folder) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(busy) from None
            except OSError as error:
                raise _explained(error, folder) from None
            yield

    @cached_property
    def state(self) -> State:
        """What is remembered between runs."""
        with self._opening:
            if "state" not in self.__dict__:
                self.__dict__["state"] = State.open(self.state_folder / "state.sqlite")
            return cast(State, self.__dict__["state"])

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket; the embedded one is started.

        Raises:
            StoreError, SettingsError: the settings or credentials can't be used.
        """
        from hashmark.s3.bucket import Bucket  # noqa: PLC0415 - 70 ms of runtime, only where it is needed

        with self._opening:
            if "bucket" not in self.__dict__:
                remote = self._started() if self.settings.embedded else self.settings.remote
                self.__dict__["bucket"] = Bucket(remote)
            return cast(Bucket, self.__dict__["bucket"])

    def _started(self) -> Remote:
        from hashmark.embedded.store import EmbeddedBucket  # noqa: PLC0415 - only libraries with a bucket in a box

        remote = self.settings.remote
        self._box = EmbeddedBucket(self.state_folder / "bucket", remote.bucket)
        return replace(
            remote,
            endpoint_url=self._box.address.endpoint_url,
            region="us-east-1",
            credentials_file=str(self._box.credentials_file),
            store_name=f"embedded:{self.state_folder}",
        )

    @property
    def embedded(self) -> EmbeddedBucket | None:
        """The bucket in a box, if this library has one and it was used."""
        return self._box

    def close(self) -> None:
        """Let go of the state file and of the embedded bucket."""
        if "state" in self.__dict__:
            self.state.close()
        if self._box:
            self._box.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warnings(self) -> list[Problem]:
        """What the user should know about the settings at every run."""
        seen = [*self.refused.values(), *self._nowhere]
        if self.settings.remote.verify:
            return seen
        text = "TLS certificates are not checked (verify = false): anyone in between can read and change the data"
        return [Problem("", "tls-not-verified", text), *seen]

    def datasets(self) -> list[Dataset]:
        """The datasets on disk, by name."""
        return self._named(self._folders())

    def remote_only(self) -> list[Dataset]:
        """The datasets that only the bucket has, by name.

        Raises:
            StoreError: the bucket can't be listed.
        """
        prefix = f"{self.settings.remote.prefix}/" if self.settings.remote.prefix else ""
        local = {dataset.name: dataset.prefix for dataset in self.datasets()}
        folders = self.bucket.folders(prefix)
        self._nowhere = nowhere(self.settings, self._all_folders(), folders)
        found = [n for n in folders if not n.startswith(".")]
        names = [n for n in found if f"{prefix}{n}/" not in local.values() and n not in local]
        return self._named([name for name in names if not self._refuses(name)])

    def _refuses(self, name: str) -> bool:
        """Whether a folder's name can't be a dataset on other machines or in a bucket; it is then in `refused`."""
        reason = unsafe_reason(name)
        if reason:
            self.refused[name] = Problem(name, "refused-folder", f"is a folder whose name {reason}; it is left alone")
        return reason is not None

    def dataset(self, name: str) -> Dataset:
        """The dataset with that id, folder name or path, on disk, in the settings, or else in the bucket.

        Raises:
            NoSuchDataset: there is none (the nearest names are given), or the number fits several.
        """
        local = self._named(sorted({*self._folders(), *self.settings.prefixes}))
        found = self._match(name, local)
        if found is None and (refused := self._bare(name)) in self.refused:
            said = f"'{refused}' is left alone: it {unsafe_reason(refused)}."
            raise NoSuchDataset(said, "Rename the folder.")
        if found is None:
            remote = self.remote_only()
            found = self._match(name, remote)
        if found is None:
            names = [n for d in (*local, *remote) for n in (d.name, d.id)]
            import difflib  # noqa: PLC0415 - only for a name that is not there

            near = difflib.get_close_matches(name, names, 3, 0.4)
            hint = f"Did you mean {' or '.join(repr(n) for n in dict.fromkeys(near))}?" if near else ""
            raise NoSuchDataset(f"There is no dataset '{name}' in {self.root} nor in the bucket.", hint)
        return found

    def _bare(self, name: str) -> str:
        """The folder's name, of what may be a path to it."""
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
            raise NoSuchDataset(f"The number {name} fits several datasets: {names}.", "Give the folder's name.")
        return numbered[0] if numbered else None

    def _all_folders(self) -> list[str]:
        try:
            with os.scandir(self.root) as scan:
                return [e.name for e in scan if not e.name.startswith(".") and _is_folder(e)]
        except OSError as error:
            raise _explained(error, self.root) from None

    def _folders(self) -> list[str]:
        names = self._all_folders()
        return sorted(n for n in names if not self.settings.pairing.ignores(f"{n}/") and not self._refuses(n))

    def _named(self, names: list[str]) -> list[Dataset]:
        """Datasets with their ids: the number where no other dataset here has it, or is called that."""
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
    """The path from the root, without `.` and `..`; its last name may be a symlink."""
    try:
        return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - pathlib's raises without a home
    except FileNotFoundError:
        raise LocalError("The current folder was deleted.", "Go to another one.") from None


def _explained(error: OSError, folder: Path) -> LocalError:
    from hashmark.disk.durable import explain  # noqa: PLC0415 - only where something is wrong

    return explain(error, os.fspath(folder))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink that leads in a circle, or where we may not look
        return False


def number_of(folder: str) -> str | None:
    """The number in front of a folder's name: kohya's repeats, and our id (`82_stellar_sketch` → `82`)."""
    match = re.match(r"(\d+)_", folder)
    return match.group(1) if match else None
