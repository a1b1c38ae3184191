"""What the user has allowed: endpoints that may receive signed requests, other users' libraries, embedded buckets.

It is kept outside every library, in the user's state directory (XDG Base Directory Specification), where nothing that
comes with an unpacked or cloned folder can put it. Each permission is a file of its own, named by a digest: checking
one parses nothing, and two processes that add one do not get in each other's way. Knows no libraries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from hashmark.core.errors import LocalError


def state_directory() -> Path:
    """Return the user's state directory for hashmark: `$XDG_STATE_HOME/hashmark`, by default `~/.local/state/hashmark`.

    Raises:
        LocalError: the user has no home directory.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 - the specification says to ignore a relative path
        return Path(named, "hashmark")
    try:
        return Path.home() / ".local" / "state" / "hashmark"
    except RuntimeError:
        raise LocalError("There is no home directory to remember things in.", "Set XDG_STATE_HOME.") from None


def is_known(kind: str, *what: str) -> bool:
    """Return whether the user has allowed this. `kind` is `endpoint`, `library` or `bucket`."""
    with contextlib.suppress(LocalError):
        return _path(kind, *what).is_file()
    return False


def remember(kind: str, *what: str) -> None:
    """Allow this from now on.

    Raises:
        LocalError: it can't be written.
    """
    from hashmark.disk.durable import as_local_error, replace_file  # noqa: PLC0415 - a check only reads

    path = _path(kind, *what)
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise as_local_error(error, os.fspath(path.parent)) from None
    replace_file(path, f"{json.dumps([kind, *what])}\n".encode())


def forget(kind: str, *what: str) -> bool:
    """Allow this no longer. Return whether it was allowed.

    Raises:
        LocalError: it can't be removed.
    """
    from hashmark.disk.durable import as_local_error  # noqa: PLC0415 - as above

    path = _path(kind, *what)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise as_local_error(error, os.fspath(path)) from None
    return True


def known() -> list[tuple[str, ...]]:
    """Return everything that is allowed, each as `(kind, …)`, sorted."""
    found = []
    with contextlib.suppress(OSError, LocalError):
        for path in _path("").parent.iterdir():
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(tuple(map(str, json.loads(path.read_bytes()))))
    return sorted(found)


def _path(kind: str, *what: str) -> Path:
    name = hashlib.sha256("\0".join((kind, *what)).encode("utf-8", "surrogateescape")).hexdigest()
    return state_directory() / "trust" / name
