"""A private file that takes a browser to a login link.

A browser that is given the link itself shows it in its command line, which every user of the machine can read. So it is
given the address of this file, which only its owner can read. Does not know how a browser is started.
"""

from __future__ import annotations

import html
import os
import shutil
import tempfile
import threading
from pathlib import Path

from hashmark.disk.durable import as_local_error

BROWSER_FILE_LIMIT_S = 300
"""The file is deleted after this long, whether or not a browser opened it."""

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0;url={link}"><title>hashmark</title><a href="{link}">Open hashmark</a></html>'
)


class BrowserFile:
    """The file, in a folder of its own. `remove` deletes both; it may be called from any thread, and twice.

    Raises:
        LocalError: it can't be written.
    """

    def __init__(self, link: str) -> None:
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        parent = runtime if os.access(runtime, os.W_OK | os.X_OK) else None
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="hashmark-", dir=parent))  # with mode 0700
        except OSError as error:
            raise as_local_error(error, str(parent or tempfile.gettempdir())) from None
        path = self._folder / "open.html"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                file.write(_PAGE.format(link=html.escape(link)))
        except OSError as error:
            self.remove()
            raise as_local_error(error, str(path)) from None
        self.url = path.as_uri()
        self._timer = threading.Timer(BROWSER_FILE_LIMIT_S, self.remove)
        self._timer.daemon = True
        self._timer.start()

    def remove(self) -> None:
        """Delete the file."""
        shutil.rmtree(self._folder, ignore_errors=True)
