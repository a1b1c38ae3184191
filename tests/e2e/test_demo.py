"""The sample library from the first line to the last, and rclone as a second opinion at each step."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from hashmark.embedded.embedded_bucket import read_credentials
from support.command import Shell, end
from support.stores import SCRIPTS
from support.waiting import wait_for

STYLE = "82_stellar_sketch"


def processes_in(folder: Path) -> list[str]:
    """Command lines of all processes that name `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):  # a bare Debian has no `ps`
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(path.read_text("utf-8", "replace").replace("\0", " "))
    return [line for line in found if str(folder) in line]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str]:
    """A finished demo, and what it printed."""
    shell = Shell(tmp_path_factory.mktemp("demo"), {})
    ran = shell("demo", "--dir", "X", "--no-serve", timeout=170)
    assert ran.status == 0, ran.out + ran.err
    return Shell(shell.cwd / "X", {}), ran.out


def rclone_check(shell: Shell) -> list[str]:
    """The files that rclone finds different or missing, by its own reading of both sides."""
    box = shell.cwd / ".hashmark" / "bucket"
    access, secret = read_credentials(box / "credentials")
    url = re.search(r'"endpoint_url": "([^"]+)"', (box / "address.json").read_text())
    assert url
    environment = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BOX_TYPE": "s3",
        "RCLONE_CONFIG_BOX_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_BOX_ENDPOINT": url.group(1),
        "RCLONE_CONFIG_BOX_ACCESS_KEY_ID": access,
        "RCLONE_CONFIG_BOX_SECRET_ACCESS_KEY": secret,
    }
    command: list[str | Path] = [
        SCRIPTS / "rclone",
        "check",
        STYLE,
        f"box:training-data/styles/{STYLE}",
        "--combined",
        "-",
    ]
    done = subprocess.run(
        command, cwd=shell.cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 542, done.stderr
    return [line for line in lines if not line.startswith("= ")]


@pytest.mark.slow
def test_the_demo_runs_to_the_end_and_ends_green(played: tuple[Shell, str]) -> None:
    shell, out = played
    before, after = out.split("$ hashmark push 82")
    assert "82_stellar_sketch: uploaded 542" in before
    assert re.search(r"82_stellar_sketch +\S+ +271 synced · 271 local-changed", before)
    assert re.search(r"82_stellar_sketch +\S+ +542 synced", after)
    images = [p for p in (shell.cwd / STYLE).iterdir() if p.suffix in {".png", ".jpg"}]
    assert len(images) == 271
    assert len({p.read_bytes() for p in images}) == 271, "every image differs"


@pytest.mark.slow
def test_the_demo_leaves_nothing_running_and_nothing_outside_its_folder(played: tuple[Shell, str]) -> None:
    shell, _ = played
    assert sorted(p.name for p in shell.cwd.parent.iterdir()) == ["X"]
    assert processes_in(shell.cwd) == []


@pytest.mark.slow
def test_a_second_demo_goes_on_where_the_first_ended(played: tuple[Shell, str]) -> None:
    shell, _ = played
    ran = Shell(shell.cwd.parent, {})("demo", "--dir", "X", "--no-serve")
    assert ran.status == 0
    assert "Drawing" not in ran.err
    assert "82_stellar_sketch: nothing to do" in ran.out


@pytest.mark.slow
def test_the_cleaning_of_the_demo_is_taken_back_and_done_again_and_an_unseen_edit_is_found(
    played: tuple[Shell, str],
) -> None:
    """In this order: nobody's later edit is taken back."""
    shell, _ = played
    the_cleaning_is_taken_back_and_done_again(shell)
    an_unseen_edit_is_named_shown_and_pushed_and_rclone_agrees(shell)


def the_cleaning_is_taken_back_and_done_again(shell: Shell) -> None:
    """The bucket has the clean captions: without them 271 are red, with them all is green; nothing is sent."""
    assert shell("undo", "last").status == 0
    assert "271 synced · 271 local-changed" in shell("status", "82").out
    ran = shell("clean", "82")
    assert (ran.status, "271 of 271 captions would change" in ran.out) == (1, True)
    assert shell("clean", "82", "--apply").status == 0
    assert "542 synced" in shell("status", "82").out


def an_unseen_edit_is_named_shown_and_pushed_and_rclone_agrees(shell: Shell) -> None:
    serving = Shell(shell.cwd.parent, {}).start("demo", "--dir", "X")
    address = shell.cwd / ".hashmark" / "bucket" / "address.json"
    wait_for(address.exists)
    assert shell("status", "82").status == 0
    assert rclone_check(shell) == []

    caption = shell.cwd / STYLE / "0007.txt"
    facts = caption.stat()
    text = caption.read_text()
    word = next(word for word in re.findall(r"[a-z]{5,}", text))
    caption.write_text(text.replace(word, word[::-1].swapcase(), 1))
    os.utime(caption, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (caption.stat().st_size, caption.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)

    ran = shell("status", "82")
    assert ran.status == 1
    assert re.findall(r"✗ (\S+)", ran.out) == ["0007.txt"]
    assert rclone_check(shell) == ["* 0007.txt"]
    ran = shell("diff", "82")
    assert (ran.status, f"[-{word}-]{{+{word[::-1].swapcase()}+}}" in ran.out) == (1, True)
    assert shell("push", "82").status == 0
    assert rclone_check(shell) == []
    assert shell("status", "82").status == 0

    ran = end(serving, signal.SIGINT)
    assert ran.status == 0, ran.err
    assert "Press Ctrl-C to stop the page and the bucket." in ran.out
    assert re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", ran.out)
    wait_for(lambda: processes_in(shell.cwd) == [], seconds=30)


@pytest.mark.slow
def test_an_interrupted_demo_goes_on_and_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {})
    process = shell.start("demo", "--dir", "Y", "--no-serve")
    style = tmp_path / "Y" / STYLE
    wait_for(lambda: style.is_dir() and sum(1 for _ in style.iterdir()) > 20)
    ran = end(process, signal.SIGINT)
    assert (ran.status, "Traceback" in ran.err) == (130, False)
    drawn = {p.name: p.read_bytes() for p in style.iterdir() if not p.name.endswith(".part")}
    ran = shell("demo", "--dir", "Y", "--no-serve", timeout=170)
    assert ran.status == 0, ran.out + ran.err
    assert re.search(r"82_stellar_sketch +\S+ +271 synced · 271 local-changed", ran.out)
    images = {name: data for name, data in drawn.items() if not name.endswith(".txt")}
    assert all((style / name).read_bytes() == data for name, data in images.items())

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    ran = shell("demo", "--dir", "mine", "--no-serve")
    assert (ran.status, "is not empty" in ran.err) == (2, True)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
