"""Where no Chromium can be installed, one line says how to get one."""

import os
import subprocess
import sys
from pathlib import Path

from tools import browser

ROOT = Path(__file__).resolve().parents[2]


def run(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs it with this PATH, where nothing can be downloaded."""
    nowhere = {"PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9", "PLAYWRIGHT_BROWSERS_PATH": str(path / "browsers")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HASHMARK_", "PLAYWRIGHT_"))}
    return subprocess.run(
        [sys.executable, "tools/browser.py"],
        cwd=ROOT,
        env=kept | nowhere | variables | {"PATH": str(path)},
        check=False,
        capture_output=True,
        encoding="utf-8",
    )


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_one_line_says_how_to_get_one_where_none_can_be_installed(tmp_path: Path) -> None:
    program(tmp_path / "apt-get", "echo 'a lot of progress'; echo 'E: Unable to fetch some archives'; exit 100")
    (tmp_path / "env").symlink_to("/usr/bin/env")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"{browser.HOW}\n"
    assert "a lot of progress" not in done.stdout
    installs = done.stdout.split("\n+ ")[1:]
    assert installs
    assert all(len(install.splitlines()) == 2 for install in installs), "each says why it failed, in one line"


def test_a_named_chromium_that_does_not_start_is_reported_and_nothing_is_installed(tmp_path: Path) -> None:
    program(tmp_path / "broken", "exit 1")
    done = run(tmp_path, HASHMARK_CHROMIUM=str(tmp_path / "broken"))
    assert done.returncode == 1
    assert done.stderr == f"HASHMARK_CHROMIUM is {tmp_path}/broken, which does not start. {browser.HOW}\n"
    assert done.stdout == ""


def test_one_on_the_path_is_enough(tmp_path: Path) -> None:
    program(tmp_path / "chromium", "echo Chromium 1")
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
