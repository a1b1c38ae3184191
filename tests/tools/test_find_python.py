"""`make` finds a Python that can run hashmark, or says in one line what to install."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make") or pytest.fail("make is not on PATH")
INSTALL = "Install it (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3"

MakeVenv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make_venv(tmp_path: Path) -> MakeVenv:
    """Has make create the virtual environment, with these Pythons alone on PATH. Each answers what the probe prints."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "touch", "git"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)

    def run(pythons: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        for name, answer in pythons.items():
            python = programs / name
            python.write_text(
                "#!/bin/sh\n"
                f'case $1 in -c) {answer} ;; --version) echo "{name}, as it calls itself" ;;\n'
                f'-m) mkdir -p "$3" && echo {name} > "$3/made-by" ;; esac\n'
            )
            python.chmod(0o755)
        venv = tmp_path / "venv"
        command = [MAKE, "--silent", f"VENV={venv}", *arguments, f"{venv}/.stamps/venv"]
        return subprocess.run(
            command, cwd=ROOT, env={"PATH": str(programs)}, check=False, capture_output=True, encoding="utf-8"
        )

    return run


@pytest.mark.parametrize(
    ("pythons", "newest"),
    [
        ({"python3": "echo 311 venv"}, "python3"),
        ({"python3": "echo 313 venv", "python3.11": "echo 311 venv"}, "python3"),
        ({"python3": "echo 311 venv", "python3.13": "echo 313 venv"}, "python3.13"),
        ({"python3": "echo 309 venv", "python3.12": "echo 312 venv"}, "python3.12"),
        ({"python3": "echo 315 venv", "python3.14": "echo 314 venv"}, "python3"),
        # Debian packages venv by itself: a Python without it is no use where another has it.
        ({"python3": "echo 312 venv", "python3.14": "echo 314 no-venv"}, "python3"),
        # pyenv puts a name on PATH for each version it has, and most of them do not run.
        ({"python3": "echo 311 venv", "python3.14": "exit 127"}, "python3"),
    ],
)
def test_the_newest_suitable_python_is_used_and_named(
    make_venv: MakeVenv, tmp_path: Path, pythons: dict[str, str], newest: str
) -> None:
    done = make_venv(pythons)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "venv" / "made-by").read_text() == f"{newest}\n"
    assert done.stdout == f"Using {newest}, as it calls itself ({tmp_path}/bin/{newest})\n"


def test_a_named_python_wins(make_venv: MakeVenv, tmp_path: Path) -> None:
    done = make_venv({"python3": "echo 314 venv", "python3.11": "echo 311 venv"}, "PYTHON=python3.11")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "venv" / "made-by").read_text() == "python3.11\n"


@pytest.mark.parametrize(
    ("pythons", "named", "message"),
    [
        ({}, "", f"hashmark needs Python 3.11 or later. {INSTALL}"),
        ({"python3": "echo 309 venv"}, "", f"python3 is Python 3.9; hashmark needs Python 3.11 or later. {INSTALL}"),
        (
            {"python3": "echo 313 no-venv"},
            "",
            "python3 has no venv module. Install it (Debian: apt-get install python3-venv), then run make again.",
        ),
        (
            {"python3": "echo 311 venv"},
            "python3.13",
            "PYTHON=python3.13 does not run. Name a Python 3.11 or later: make PYTHON=/path/to/python3",
        ),
    ],
)
def test_one_line_says_what_to_install(
    make_venv: MakeVenv, tmp_path: Path, pythons: dict[str, str], named: str, message: str
) -> None:
    done = make_venv(pythons, f"PYTHON={named}")
    assert done.returncode != 0
    first, last = done.stderr.splitlines()
    assert first == message
    assert last.startswith("make: ***")  # make's own word, which cannot be turned off
    assert not (tmp_path / "venv").exists()
