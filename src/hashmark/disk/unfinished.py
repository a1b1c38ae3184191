"""Files that new content is written to before it is put in its place, and how many new files are put in theirs at once.

Such a file has no name where the system allows that, so that nothing is left of it if the process is killed. What its
place holds, and what becomes of that, is the business of `disk.place`. Does not know where content comes from.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from hashmark.core.errors import LocalError
from hashmark.core.etags import MultipartHasher
from hashmark.core.model import Stamp
from hashmark.disk.durable import as_local_error, noting, temporary_name, write_all
from hashmark.disk.hashing import CHUNK_BYTES
from hashmark.disk.place import Slot
from hashmark.disk.walk import stamp_of


class Unfinished:
    """An open file in the folder of a place. It must be dropped or closed in the end.

    Without `name`, it is a new file that has none, or a temporary name where the system demands one.
    """

    def __init__(self, slot: Slot, name: str | None = None) -> None:
        self.slot = slot
        self.name = name
        self._descriptor: int | None = None

    def begun(self, hasher: MultipartHasher, most: int) -> int:
        """Hash what an interrupted download has left under the name. Return its number of bytes, at most `most`.

        Anything else with that name is removed.

        Raises:
            LocalError: it cannot be read.
        """
        try:
            self._descriptor = self.slot.open_existing(self.name or "")
            facts, size = os.fstat(self._descriptor), 0
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_size <= most:
                while data := os.read(self._descriptor, CHUNK_BYTES):
                    hasher.update(data)
                    size += len(data)
        except FileNotFoundError:
            return 0
        except OSError as error:
            if self._descriptor is not None:
                raise as_local_error(error, self.slot.key) from None
            size = 0
        if not size:
            self.drop()
        return size

    def fill(self, chunks: Iterable[bytes], hasher: MultipartHasher | None = None, *, start: int = 0) -> int:
        """Write all content, from the byte `start` on if there are so many already, and hash it with `hasher`.

        Return the size. It is not synced yet.

        Raises:
            LocalError: it cannot be written.
        """
        try:
            descriptor = self._opened()
            if start:
                os.lseek(descriptor, start, os.SEEK_SET)
            return write_all(descriptor, chunks, hasher, start=start)
        except OSError as error:
            raise as_local_error(error, self.slot.key) from None

    def sync(self) -> None:
        """Sync the content to the device.

        Raises:
            LocalError: the system refuses.
        """
        try:
            os.fsync(self._opened())
        except OSError as error:
            raise as_local_error(error, self.slot.key) from None

    def stamp(self) -> Stamp:
        """Return the file's current stamp."""
        return stamp_of(os.fstat(self._opened()))

    def link(self) -> Stamp:
        """Link the content to its place, which must be empty. Return the stamp that it had before.

        Raises:
            FileChanged, UnsafePath: it is not.
            LocalError: the system refuses.
        """
        try:
            descriptor = self._opened()
            made = stamp_of(os.fstat(descriptor))
            if self.name is None and not self.slot.link_open(descriptor):
                self._give_name(descriptor)
                made = self.stamp()
            if self.name is not None:
                self.slot.link_new(self.name)
                self.slot.drop(self.name)
        except OSError as error:
            raise as_local_error(error, self.slot.key) from None
        return made

    def _give_name(self, descriptor: int) -> None:
        """Copy the content to a synced file with a temporary name."""
        self._descriptor, self.name = self.slot.open_new(temporary_name())
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            write_all(self._descriptor, iter(lambda: os.read(descriptor, CHUNK_BYTES), b""))
            os.fsync(self._descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close the file; what is under its name stays there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def drop(self) -> None:
        """Close the file, and remove its temporary name if it has one. It can be filled again."""
        self.close()
        if self.name is not None:
            self.slot.drop(self.name)

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor, self.name = self.slot.open_new(self.name)
        return self._descriptor


def put_all(files: Sequence[Unfinished]) -> list[Stamp | LocalError | None]:
    """Put new files in their places, which must be empty: sync all of them, link each, then sync each folder once.

    Return for each its stamp (None if another program changed it at once), or why it was not put there. Syncing many
    together costs a journal of the file system little more than one.
    """
    folders: dict[tuple[int, int], list[Slot]] = {}
    errors: dict[str, LocalError] = {}
    made: dict[str, Stamp] = {}
    for file in files:
        with noting(errors, file.slot.key):
            file.sync()
    for file in files:
        if (key := file.slot.key) not in errors:
            with noting(errors, key):
                made[key] = file.link()
                folders.setdefault(file.slot.folder_id(), []).append(file.slot)
    for slots in folders.values():
        try:
            slots[0].sync_folder()
        except LocalError as error:
            errors |= {slot.key: error for slot in slots}
    return [errors.get(file.slot.key) or _unchanged(file.stamp(), made[file.slot.key]) for file in files]


def _unchanged(there: Stamp, made: Stamp) -> Stamp | None:
    return there if there._replace(ctime_ns=made.ctime_ns) == made else None  # a link changes the ctime
