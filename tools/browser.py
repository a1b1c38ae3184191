"""Finds the Chromium that the tests and screenshots drive, and on a fresh machine installs one.

`$HASHMARK_CHROMIUM` comes first, then what is on PATH, then Playwright's own. Where there is none: Debian's package,
if this may install packages; else Playwright's download.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NAMED = "HASHMARK_CHROMIUM"
ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What it is started with beside Playwright's own flags: it talks to nobody but the page's server."""

HOW = (
    "There is no Chromium for the tests of the page. Install one (Debian: `apt-get install chromium`; elsewhere: "
    f"`python -m playwright install --with-deps chromium`), or name one: {NAMED}=/path/to/chromium."
)


class NoBrowser(Exception):
    """There is none that runs, and what to do about it."""


def find() -> Path:
    """A Chromium that starts.

    Raises:
        NoBrowser: there is none.
    """
    if named := os.environ.get(NAMED):
        if _runs(Path(named)):
            return Path(named)
        raise NoBrowser(f"{NAMED} is {named}, which does not start. {HOW}")
    for path in _candidates():
        if path and _runs(Path(path)):
            return Path(path)
    raise NoBrowser(HOW)


def _candidates() -> Iterator[str | None]:
    yield from map(shutil.which, ON_PATH)
    yield _playwrights_own()  # last, and only when it is asked for: it starts Playwright


def _runs(path: Path) -> bool:
    """Whether it starts: Ubuntu's `chromium-browser` may be a note that tells to install something else."""
    try:
        done = subprocess.run([path, "--version"], check=False, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _playwrights_own() -> str | None:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where it is installed
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return str(playwright.chromium.executable_path)


def install() -> None:
    """Install one, the way this machine allows; says what it runs, and goes on where that fails."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n"] if _may_sudo() else None
    if root is not None and _is_debian():
        _run([*root, "apt-get", "update", "-qq"])
        if _run([*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "chromium"]):
            return
    _run([sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root is not None else []), "chromium"])


def _is_debian() -> bool:
    """Debian itself: Ubuntu's package of that name needs snapd, which containers lack."""
    try:
        return platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        return False


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0


def _run(command: list[str]) -> bool:
    print("+", *command, flush=True)
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    """Make sure that there is one."""
    try:
        find()
    except NoBrowser as missing:
        if os.environ.get(NAMED):
            sys.exit(str(missing))
        print("The tests of the page need a Chromium, and there is none yet.", flush=True)
        install()
        try:
            print(f"Chromium: {find()}")
        except NoBrowser as still_missing:
            sys.exit(str(still_missing))


if __name__ == "__main__":
    main()
