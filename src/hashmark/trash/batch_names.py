"""The names of batches, and the journal that lies beside what a batch that can be undone has put aside.

What a journal says is `trash.journal`; what is done by it, `trash.batches` and `trash.undoing`. Knows no bucket.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from hashmark.core.errors import Unreadable, UsageError
from hashmark.disk.walk import Walk
from hashmark.library.library import Library
from hashmark.trash.journal import Journal

_BATCH = re.compile(r"\d{8}T\d{6}Z-(push|pull|delete|edit|restore|clean|undo)-[0-9a-f]{4,8}")
"""The names that runs give their batches."""

JOURNAL_LIMIT = 1 << 28
"""Bytes of a journal that is read: a million files."""


def new_batch_name(kind: str) -> str:
    """A name for what one run puts aside: when (UTC), what it did, and a few digits so that two never share one."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{kind}-{secrets.token_hex(4)}"


def journal_path(library: Library, batch: str) -> Path:
    """Where the journal of a batch that can be undone is (see `trash.batches`); no dataset's name begins so.

    Raises:
        UsageError: `batch` is not the name of a batch.
    """
    check_batch_name(batch)
    return library.trash / batch / ".journal.json"


def read_journal(path: Path) -> Journal | None:
    """The journal at `path`; None where there is none.

    Raises:
        Unreadable, ValueError: it can't be read, or is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(JOURNAL_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{path} can't be read: {error.strerror}.") from None
    return Journal.parse(data)


def drop_journal(library: Library, batch: str) -> None:
    """Remove the journal of a batch that holds no file any more, and the batch; leave one that does."""
    path = journal_path(library, batch)
    if any(True for file in Walk(path.parent) if "/" in file.key):
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for folder, _, _ in os.walk(path.parent, topdown=False):
            Path(folder).rmdir()


def is_batch_name(name: str) -> bool:
    """Whether runs give such names to their batches."""
    return _BATCH.fullmatch(name) is not None


def check_batch_name(batch: str) -> None:
    """See that runs give such names.

    Raises:
        UsageError: they do not.
    """
    if not is_batch_name(batch):
        # Not the empty text of an unset variable, which would mean everything, and no path out of the trash.
        raise UsageError(f"'{batch}' is not the name of a batch.", "See `hashmark trash list`.")
