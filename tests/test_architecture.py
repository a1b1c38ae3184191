"""ARCHITECTURE.md names files and modules that exist, and stays short enough to be read in one sitting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "hashmark"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
NAMES = sorted(set(re.findall(r"`([^`\s]+)`", TEXT)))
PATHS = [name for name in NAMES if "/" in name and name.endswith((".py", ".ts", ".md")) and name.islower()]
MODULES = [name for name in NAMES if re.fullmatch(rf"({'|'.join(ROOMS)})(\.\w+)+", name)]


def test_it_can_be_read_in_one_sitting() -> None:
    assert len(TEXT.splitlines()) <= 120


@pytest.mark.parametrize("path", PATHS)
def test_a_path_it_names_exists(path: str) -> None:
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_it_names_exists(name: str) -> None:
    """The last part may be something that the module defines."""
    parts = name.split(".")
    module = PACKAGE.joinpath(*parts).with_suffix(".py")
    home = PACKAGE.joinpath(*parts[:-1]).with_suffix(".py")
    defines = home.exists() and re.search(rf"\b{parts[-1]}\b", home.read_text(encoding="utf-8"))
    assert module.exists() or PACKAGE.joinpath(*parts).is_dir() or defines


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_row(room: str) -> None:
    assert f"| `{room}/` |" in TEXT
