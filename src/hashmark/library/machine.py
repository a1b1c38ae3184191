"""The ID under which this machine's copy of a library appears in the names of batches, which others see in the bucket.

It is random, so it tells nothing about the machine or its user.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashmark.library.library import Library

MACHINE_ID = re.compile(r"[0-9a-f]{8}")

_STORE, _NAME = "this machine", "id"
"""Where the state keeps it, among the facts about stores."""


def machine_id(library: Library) -> str:
    """Return the ID of this machine for this library, which is made when it is first needed and kept in the state.

    It is bound to hashmark's folder: a library that was copied to another machine with its state gets an ID of its own.
    A lost state means a new ID, under which earlier batches count as another machine's.
    """
    folder = library.own_folder()
    inode = folder.stat().st_ino if folder.is_dir() else 0
    name = f"{_NAME} {inode}"
    known = library.state.facts(_STORE).get(name, "")
    if not MACHINE_ID.fullmatch(known):
        known = secrets.token_hex(4)
        library.state.record_facts(_STORE, {name: known})
        known = library.state.facts(_STORE).get(name, known)  # another process may have made one at the same time
    return known
