"""The file in a library's state folder by which `hashmark serve --logout-all` reaches the running servers.

Each server reads it once a second. Its content is random: any new content is a request. Does not know sessions.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from hashmark.disk.durable import replace_file
from hashmark.disk.private_folder import check_private_file
from hashmark.library.library import Library


def _path(library: Library) -> Path:
    return check_private_file(library.own_folder() / "logout-all")


def request_logout(library: Library) -> None:
    """Ask every running server of this library to end all sessions.

    Raises:
        LocalError: the file can't be written.
    """
    replace_file(_path(library), secrets.token_hex(16).encode())


class LogoutFile:
    """What a running server has seen of the file."""

    def __init__(self, library: Library) -> None:
        self._path = _path(library)
        self._seen = self._read()

    def is_new_request(self) -> bool:
        """Whether all sessions were to be ended since this was asked last."""
        before, self._seen = self._seen, self._read() or self._seen
        return self._seen != before

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None
