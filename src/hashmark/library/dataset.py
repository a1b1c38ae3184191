"""One dataset: a folder of a library, and the folder of the bucket that mirrors it. Names things; opens nothing."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashmark.core.display import shortened
from hashmark.core.pairs import Pairing

if TYPE_CHECKING:
    from hashmark.library.library import Library


@dataclass(frozen=True)
class Dataset:
    """One folder of a library, and the folder of the bucket that mirrors it.

    `id` is the number at the start of the folder's name if no other dataset has it, else the whole name.
    """

    library: Library = field(repr=False, compare=False)
    name: str
    id: str

    def __repr__(self) -> str:
        return f"<Dataset {shortened(self.name)}>"

    @property
    def path(self) -> Path:
        """The folder on disk; it need not exist."""
        return self.library.root / self.name

    @property
    def prefix(self) -> str:
        """What every key of this dataset starts with in the bucket; ends in `/`, or is empty."""
        own = self.library.settings.prefixes.get(self.name, self.name)
        whole = "/".join(part for part in (self.library.settings.remote.prefix, own) if part)
        return f"{whole}/" if whole else ""

    @property
    def remote(self) -> str:
        """The name under which the state keeps the bases of this dataset."""
        return f"{self.library.bucket.store}/{self.prefix}"

    @property
    def pairing(self) -> Pairing:
        """Which files are captions, and which are ignored."""
        return self.library.settings.pairing

    @property
    def cleaning(self) -> dict[str, Any]:
        """The settings for cleaning its captions from `hashmark.toml`; empty where there are none."""
        return self.library.settings.cleaning.get(self.name, {})

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes of this machine from changing this dataset meanwhile.

        Raises (once entered):
            Busy: another process holds the lock.
            ReadOnly: the library can't be written.
        """
        # A digest, because the name may itself be as long as a file name can be.
        digest = hashlib.md5(os.fsencode(self.name), usedforsecurity=False).hexdigest()
        return self.library.lock(digest, busy=f"Another process holds the lock of '{self.name}'.")


def number_of(folder: str) -> str | None:
    """Return the number at the start of a folder's name: kohya's repeats, and our ID (`82_stellar_sketch` → `82`)."""
    match = re.match(r"(\d+)_", folder)
    return match.group(1) if match else None
