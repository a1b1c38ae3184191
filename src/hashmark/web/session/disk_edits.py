"""What becomes of files that changed on disk: they are compared again by themselves, without the rest. Until then, what
was said of them is in doubt.

Reads the disk, for as long as that takes. When it is asked for, and who is told, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping

from hashmark.actions.status import Rescan
from hashmark.core.encoding import decode
from hashmark.core.errors import HashmarkError
from hashmark.core.lint.texts import caption_facts
from hashmark.core.model import FileStatus, Key, Kind, Verdict
from hashmark.disk.read import read_file
from hashmark.disk.walk import SelectedWalk
from hashmark.library.library import Dataset
from hashmark.web.session.board import Read

CHANGED = "it changed on disk since it was compared"

LONGEST = 1 << 16
"""Bytes of a caption that are searched and shown in a list."""


def look_again(
    dataset: Dataset, edited: Mapping[Key, FileStatus | None]
) -> tuple[dict[Key, FileStatus | None], dict[Key, Read]]:
    """The status of these keys now, against what was listed before, and the texts of those that are captions.

    `edited` is what is known of each; None in what is given back stands for a key that neither side holds any more.

    Raises:
        HashmarkError: they can't be compared.
    """
    listed = [row.remote for row in edited.values() if row and row.remote]
    found = list(Rescan(dataset, edited, listed))
    here: dict[Key, FileStatus | None] = {key: None for key, row in edited.items() if row}
    return here | {row.key: row for row in found}, texts_of(dataset, [r for r in found if r.kind is Kind.CAPTION])


def in_doubt(
    dataset: Dataset, edited: Mapping[Key, FileStatus], reason: str, settle: str | None
) -> dict[Key, FileStatus]:
    """Of these rows, those whose file is not the one that was compared, as what can't be told now.

    A row stays that an edit can't make untrue: the bucket has no such object, or the key is refused. So does one of a
    file that has the stamp with which it was compared, say because a job put it there.
    """
    there = {file.key: file for file in SelectedWalk(dataset.path, edited, dataset.pairing.ignores)}
    doubted = {}
    for key, row in edited.items():
        before, now = row.local, there.get(key)
        same = before.stamp == now.stamp and not now.trouble if before and now else before is now
        if row.remote and row.verdict is not Verdict.REFUSED and not same:
            doubted[key] = row._replace(
                verdict=Verdict.UNVERIFIED, evidence=None, reason=reason, settle=settle, detail=None
            )
    return doubted


def texts_of(dataset: Dataset, rows: list[FileStatus]) -> dict[Key, Read]:
    """The first part of these captions as they are on disk, each with the digest it belongs to."""
    return {row.key: _read(dataset, row.key, row.local.md5 if row.local else None) for row in rows}


def _read(dataset: Dataset, key: Key, md5: str | None) -> Read:
    try:
        found = read_file(dataset.path, key, LONGEST, head=True)
    except HashmarkError:
        return Read(md5, "")  # its badge says why
    return Read(md5, decode(found[0])[0], caption_facts(found[0]).flags) if found else Read(md5, "")
