"""What `serve --open` gives to the browser: a private file, never the link, and not for longer than needed."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from hashmark.web.server import browser_file
from hashmark.web.server.browser_file import BrowserFile
from support.command import Shell, end
from support.command import library as init
from support.datasets import STYLE, write_pairs
from support.stores import Store, free_port
from support.waiting import wait_for
from support.web.serving import log_in

LINK = "http://127.0.0.1:8271/?token=abc"

BROWSER = """#!{python}
import pathlib, sys
there = pathlib.Path({seen!r})
there.with_suffix(".part").write_text("\\n".join(sys.argv[1:]))
there.with_suffix(".part").rename(there)
"""


def path_of(url: str) -> Path:
    assert url.startswith("file:///")
    return Path(unquote(urlsplit(url).path))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library whose `BROWSER` is a program that notes what it is started with, in `browser.txt`."""
    made = init(seaweedfs, tmp_path / "library", prefix)
    write_pairs(tmp_path / "library", STYLE, 1)
    script = tmp_path / "browser"
    script.write_text(BROWSER.format(python=sys.executable, seen=str(tmp_path / "browser.txt")))
    script.chmod(0o755)
    (tmp_path / "runtime").mkdir()
    own = {"BROWSER": f"{script} %s", "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    return Shell(made.cwd, made.environment | own)


@pytest.fixture
def start(shell: Shell) -> Iterator[Callable[[], tuple[Popen[str], str]]]:
    """Starts `serve --open`; returns the process and the printed link."""
    with ExitStack() as stack:

        def run() -> tuple[Popen[str], str]:
            process = shell.start("serve", "--port", free_port(), "--open")
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout
            return process, process.stdout.readline().removeprefix("Open ").strip()

        yield run


def opened(tmp_path: Path) -> tuple[str, Path]:
    """Return what the browser was started with, and the file."""
    seen = tmp_path / "browser.txt"
    wait_for(seen.exists)
    return seen.read_text(), path_of(seen.read_text())


@pytest.mark.parametrize("ending", ["the link is used", signal.SIGINT, signal.SIGTERM])
def test_the_browser_is_given_a_private_file_that_is_deleted_afterwards(
    start: Callable[[], tuple[Popen[str], str]], tmp_path: Path, ending: object
) -> None:
    """The command line of every process can be read by every user."""
    process, link = start()
    arguments, file = opened(tmp_path)
    assert "token" not in arguments
    assert httpx.URL(link).params["token"] not in arguments
    assert file.is_relative_to(tmp_path / "runtime")
    assert (mode(file), mode(file.parent), file.stat().st_uid) == (0o600, 0o700, os.getuid())
    assert f'url={link}"' in file.read_text()
    if isinstance(ending, signal.Signals):
        assert "Traceback" not in end(process, ending).err
    else:
        with httpx.Client(timeout=60) as browser:
            assert log_in(browser, link).status_code == 303
    wait_for(lambda: list((tmp_path / "runtime").iterdir()) == [])


def test_without_open_there_is_no_file(shell: Shell, tmp_path: Path) -> None:
    process = shell.start("serve", "--port", free_port())
    assert process.stdout
    assert process.stdout.readline().startswith("Open ")
    assert list((tmp_path / "runtime").iterdir()) == []
    end(process, signal.SIGINT)


def test_the_file_is_deleted_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_file, "BROWSER_FILE_LIMIT_S", 0.1)
    path = path_of(BrowserFile(LINK).url)
    wait_for(lambda: not path.parent.exists())


@pytest.mark.parametrize("runtime", ["", "/nowhere/at/all"])
def test_without_a_runtime_folder_it_is_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = BrowserFile(LINK)
    assert path_of(file.url).is_relative_to(tmp_path)
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_file_holds_nothing_but_the_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = BrowserFile('http://x/?token=a&b="><script>')
    text = path_of(file.url).read_text()
    assert "<script" not in text
    assert re.findall(r"https?:[^;\s]+", text) == ["http://x/?token=a&amp", "http://x/?token=a&amp"]
    file.remove()
