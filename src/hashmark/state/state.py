"""What is remembered between runs, in `.hashmark/state.sqlite`.

- digests: path and stamp → MD5, so that an unchanged file is not read twice;
- bases: what was last proven equal, per remote and key, so that a change can be told from a difference;
- facts: what a probe or a proof showed about a store;
- contents: MD5 and kind → what was found in those bytes, so that a file that was moved or copied is not decoded again;
- incomplete uploads and scratch keys: what a killed run leaves in the bucket, so that a later one continues or removes
  it;
- verify marks: what an interrupted verification has read, so that it resumes.

Everything here can be lost without losing content: digests are computed again, and without a base a changed
file is `differs` instead of `local-changed`. The file itself is the business of `state.database`. This module does not
decide what is worth remembering.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple, TypeVar

from hashmark.core.blocks import decode_all, make_rows
from hashmark.core.model import Base, Key, LocalFile, Problem, Stamp, key_bytes
from hashmark.state.database import MAX_SQL_VARIABLES, Database, Table

PAGE_ROWS = 4096

INTEGER_LIMIT = 1 << 63
"""SQLite's integers are less than this, and not less than its negative."""


class VerifyMark(NamedTuple):
    """Both sides of a key as they were when their bytes were read, and whether the bytes were the `same`.

    The object is identified by its ETag and its time, because a store may keep an ETag when the bytes change.
    """

    key: Key
    md5: str
    size: int
    etag: str | None
    last_modified: str | None
    same: bool


class OpenUpload(NamedTuple):
    """A multipart upload that has not completed, and the MD5 of the file that it is of (unknown before schema 4)."""

    upload_id: str
    md5: str | None


_BASES_OF = "SELECT key, md5, etag, size, common, last_modified FROM base WHERE remote = ?"

Row = TypeVar("Row", LocalFile, Base, VerifyMark)


class State:
    """The remembered state of one library."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or create the file at `path`.

        Never fails: an unusable file is set aside (`state.sqlite.damaged-1`) and named in `problem`, and where nothing
        can be written the state lives in memory for this run. Damage that shows only later is treated in the same way
        when it shows.
        """
        return cls(Database(path))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def problem(self) -> Problem | None:
        """What is wrong with the file, if anything."""
        return self._db.problem

    @property
    def persistent(self) -> bool:
        """Whether the state outlives this run."""
        return self._db.persistent

    # --- digests -----------------------------------------------------------------------------------------------------

    def digests(self, dataset: str, keys: Collection[str] | None = None) -> Iterator[LocalFile]:
        """Yield remembered digests in key order: all, or those of some keys."""
        select = "SELECT key, size, mtime_ns, ctime_ns, inode, device, md5 FROM digest WHERE dataset = ?"
        return self._rows(select, key_bytes(dataset), keys, _digests)

    def remember_digests(self, dataset: str, files: Iterable[LocalFile]) -> None:
        """Remember digests, in one transaction."""
        name = key_bytes(dataset)
        # Inode and device numbers may exceed SQLite's signed 64 bits, so they are kept as text. So may a time before
        # 1677 or after 2262: the digest of such a file is not kept, and the file is read each time.
        rows = [
            (name, key_bytes(f.key), f.size, at.mtime_ns, at.ctime_ns, str(at.inode), str(at.device), f.md5)
            for f, at in ((file, file.stamp) for file in files)
            if -INTEGER_LIMIT <= at.mtime_ns < INTEGER_LIMIT and -INTEGER_LIMIT <= at.ctime_ns < INTEGER_LIMIT
        ]
        self._db.insert("digest", rows)

    def forget_digests(self, dataset: str, keys: Collection[str] | None = None) -> None:
        """Forget digests of a dataset, all or those of some keys, so that the next status reads these files."""
        if keys is None:
            self._db.write("DELETE FROM digest WHERE dataset = ?", [(key_bytes(dataset),)])
        else:
            rows = [(key_bytes(dataset), key_bytes(key)) for key in keys]
            self._db.write("DELETE FROM digest WHERE dataset = ? AND key = ?", rows)

    # --- bases -------------------------------------------------------------------------------------------------------

    def bases(self, remote: str, keys: Collection[str] | None = None) -> Iterator[Base]:
        """Yield what was last proven equal with `remote`, in key order: all, or some keys."""
        return self._rows(_BASES_OF, _text(remote), keys, _bases)

    def has_bases(self, remote: str) -> bool:
        """Return whether anything was ever proven equal with `remote`."""
        return bool(self._db.read("SELECT key FROM base WHERE remote = ? LIMIT 1", (_text(remote),), _keys))

    def record_bases(self, remote: str, bases: Iterable[Base]) -> None:
        """Record what is proven equal now, in one transaction."""
        rows = [(_text(remote), key_bytes(b.key), *b[1:]) for b in bases]
        self._db.insert("base", rows)

    def forget_bases(self, remote: str, keys: Iterable[str]) -> None:
        """Forget the bases of keys that were deleted on both sides."""
        self._db.write("DELETE FROM base WHERE remote = ? AND key = ?", [(_text(remote), key_bytes(k)) for k in keys])

    def nth_key_after(self, dataset: str, remote: str, after: str, count: int) -> Key | None:
        """Return the key that comes `count` places after `after`, by what was proven equal, else by the digests.

        None where neither has so many.
        """
        base = "SELECT key FROM base WHERE remote = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?"
        digest = "SELECT key FROM digest WHERE dataset = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?"
        owned: tuple[tuple[str, str | bytes], ...] = ((base, _text(remote)), (digest, key_bytes(dataset)))
        for select, owner in owned:
            if found := self._db.read(select, (owner, key_bytes(after), count - 1), _keys):
                return found[0]
        return None

    # --- facts and contents ------------------------------------------------------------------------------------------

    def facts(self, store: str) -> dict[str, str]:
        """Return what is known about a store, by name."""
        return dict(self._db.read("SELECT name, value FROM fact WHERE store = ?", (_text(store),), _items))

    def record_facts(self, store: str, facts: dict[str, str]) -> None:
        """Remember what a probe or a proof showed about a store."""
        rows = [(_text(store), name, value) for name, value in facts.items()]
        self._db.insert("fact", rows)

    def contents(self, kind: str) -> dict[str, str]:
        """Return what was found in bytes, by their MD5."""
        return dict(self._db.read("SELECT md5, value FROM content WHERE kind = ?", (kind,), _items))

    def content_flags(self, kind: str, digests: Sequence[str]) -> dict[str, str]:
        """Return only the flags of what was found in the bytes of these MD5s; unknown ones are left out."""
        found: dict[str, str] = {}
        for start in range(0, len(digests), MAX_SQL_VARIABLES):
            some = digests[start : start + MAX_SQL_VARIABLES]
            marks = ", ".join("?" * len(some))
            query = f"SELECT md5, flags FROM content WHERE kind = ? AND md5 IN ({marks})"  # noqa: S608 - only marks
            found.update(self._db.read(query, (kind, *some), _items))
        return found

    def remember_contents(self, kind: str, rows: Iterable[tuple[str, str, str]]) -> None:
        """Remember MD5, flags and value of some bytes, in one transaction."""
        self._db.insert("content", [(kind, *row) for row in sorted(rows)])  # faster in the order of the table

    # --- what a killed or interrupted run leaves behind --------------------------------------------------------------

    def incomplete_uploads(self, store: str) -> dict[str, OpenUpload]:
        """Return this library's multipart uploads that have not completed, by the whole key."""
        query = "SELECT key, upload_id, md5 FROM incomplete_upload WHERE store = ?"
        return dict(self._db.read(query, (_text(store),), _open_uploads))

    def record_incomplete_upload(self, store: str, key: str, upload: OpenUpload) -> None:
        """Remember that a multipart upload has started."""
        rows = [(_text(store), key_bytes(key), *upload)]
        self._db.insert("incomplete_upload", rows)

    def forget_incomplete_upload(self, store: str, key: str) -> None:
        """Forget an upload that was completed or aborted."""
        self._db.write("DELETE FROM incomplete_upload WHERE store = ? AND key = ?", [(_text(store), key_bytes(key))])

    def scratch_keys(self, store: str) -> list[str]:
        """Return the whole keys of the scratch objects of probes that have not ended."""
        return [*self._db.read("SELECT key FROM scratch_key WHERE store = ?", (_text(store),), _keys)]

    def record_scratch_key(self, store: str, key: str) -> None:
        """Remember that a probe is about to write to this key."""
        self._db.insert("scratch_key", [(_text(store), key_bytes(key))])

    def forget_scratch_keys(self, store: str, keys: Iterable[str]) -> None:
        """Forget the scratch keys of probes whose objects were removed."""
        rows = [(_text(store), key_bytes(key)) for key in keys]
        self._db.write("DELETE FROM scratch_key WHERE store = ? AND key = ?", rows)

    def verify_marks(self, remote: str) -> Iterator[VerifyMark]:
        """Yield what an interrupted verification of `remote` has read, in key order."""
        select = "SELECT key, md5, size, etag, last_modified, same FROM verify_mark WHERE remote = ?"
        return self._rows(select, _text(remote), None, _verify_marks)

    def record_verify_mark(self, remote: str, mark: VerifyMark) -> None:
        """Remember that both sides of a key were read."""
        row = (_text(remote), key_bytes(mark.key), *mark[1:])
        self._db.insert("verify_mark", [row])

    def forget_verify_marks(self, remote: str) -> None:
        """Forget what was read, so that the next verification reads everything."""
        self._db.write("DELETE FROM verify_mark WHERE remote = ?", [(_text(remote),)])

    def _rows(
        self, select: str, owner: str | bytes, keys: Collection[str] | None, make: Callable[[Table], list[Row]]
    ) -> Iterator[Row]:
        if keys is not None:
            for wanted in sorted(set(map(key_bytes, keys))):
                yield from self._db.read(f"{select} AND key = ?", (owner, wanted), make)
            return
        after = b""
        # A page at a time: no cursor stays open, so writing meanwhile is safe.
        while rows := self._db.read(f"{select} AND key > ? ORDER BY key LIMIT {PAGE_ROWS}", (owner, after), make):
            yield from rows
            if len(rows) < PAGE_ROWS or (last := key_bytes(rows[-1].key)) <= after:
                return
            after = last


def _keys(table: Table) -> list[Key]:
    (keys,) = zip(*table, strict=True)
    return list(map(Key, decode_all(keys)))


def _digests(table: Table) -> list[LocalFile]:
    keys, sizes, mtimes, ctimes, inodes, devices, md5s = zip(*table, strict=True)
    stamps = make_rows(Stamp, sizes, mtimes, ctimes, map(int, inodes), map(int, devices))
    return make_rows(LocalFile, decode_all(keys), stamps, md5s, repeat(None))


def _bases(table: Table) -> list[Base]:
    keys, md5s, etags, sizes, common, modified = zip(*table, strict=True)
    return make_rows(Base, decode_all(keys), md5s, etags, sizes, map(bool, common), modified)


def _verify_marks(table: Table) -> list[VerifyMark]:
    keys, md5s, sizes, etags, modified, same = zip(*table, strict=True)
    return make_rows(VerifyMark, decode_all(keys), md5s, sizes, etags, modified, map(bool, same))


def _open_uploads(table: Table) -> list[tuple[str, OpenUpload]]:
    keys, upload_ids, md5s = zip(*table, strict=True)
    return list(zip(decode_all(keys), make_rows(OpenUpload, upload_ids, md5s), strict=True))


def _items(table: Table) -> list[tuple[str, str]]:
    return [(name, value) for name, value in table]


def _text(name: str) -> str:
    """Return the name in a form that SQLite can keep: bytes that are not UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
