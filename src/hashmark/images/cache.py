"""Caches finished thumbnails in a folder, by content and size. The cache can be lost at any time.

So nothing is synced, and a thumbnail that cannot be written is not cached. Only the user can read it, since some of the
images can only be read by the user. Does not know how thumbnails are made.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

MAX_SIDE_PX = 4096
"""The largest side of a thumbnail."""

_DIGEST = re.compile(r"[0-9a-f-]{8,80}")


class Cache:
    """Thumbnails under `folder`, which is created with the first one.

    Earlier versions let every user read them. What they left becomes private: folders at once, files when read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with contextlib.suppress(OSError):
            _make_private(folder, 0o700)
            for part in folder.iterdir():
                if part.is_symlink():
                    part.unlink()  # hashmark makes none: it would lead thumbnails to another folder
                elif part.is_dir():
                    _make_private(part, 0o700)

    def path(self, digest: str, side: int) -> Path:
        """Return the path of a thumbnail.

        Raises:
            ValueError: `digest`, which becomes part of a path, is invalid, or `side` is not 1 to `MAX_SIDE_PX`.
        """
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a digest")
        if not 1 <= side <= MAX_SIDE_PX:
            raise ValueError(f"a thumbnail's side is 1 to {MAX_SIDE_PX} pixels, not {side}")
        return self._folder / digest[:2] / f"{digest}-{side}.webp"

    def read(self, digest: str, side: int) -> bytes | None:
        """Return the thumbnail, or None. A damaged one is deleted.

        Raises:
            ValueError: as `path`.
        """
        path = self.path(digest, side)
        try:
            with path.open("rb") as file:
                _make_private(file.fileno(), 0o600)
                data = file.read()
        except OSError:
            return None
        # Its length field reveals a file whose end never reached the disk.
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and int.from_bytes(data[4:8], "little") + 8 == len(data):
            return data
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def write(self, digest: str, side: int, data: bytes) -> None:
        """Cache the thumbnail, if it can be written.

        Raises:
            ValueError: as `path`.
        """
        path = self.path(digest, side)
        temporary = path.with_name(f".hashmark-{os.getpid()}-{secrets.token_hex(6)}.part")
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                    file.write(data)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)


def _make_private(file: Path | int, mode: int) -> None:
    """Set the mode of a file or folder that others have rights to.

    Raises:
        OSError: it does not exist, or belongs to somebody else.
    """
    if stat.S_IMODE(os.stat(file).st_mode) & 0o077:  # noqa: PTH116 - may be a descriptor
        os.chmod(file, mode)  # noqa: PTH101 - may be a descriptor
