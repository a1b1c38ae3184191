"""The public API is a fixed list, and the documentation shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hashmark
from hashmark import Library
from hashmark.cli.commands import SUMMARIES
from hashmark.cli.runner import parser_of
from support.datasets import LibraryMaker
from support.stores import Store

DOCS = Path(__file__).parent.parent


def test_the_public_names_are_these() -> None:
    values = "Applied CaptionDiff Check Dataset DatasetStatus Direction Evidence FileStatus Finding HashmarkError"
    more = (
        "JobState Kind Library LintReport Location NotInSync Planned Preview RestoreResult Result Side TrashEntry "
        "UndoResult Verdict __version__"
    )
    compare = "apply clean delete diff doctor init lint ls_remote plan plan_delete preview pull push run status"
    trash = "trash_empty trash_list trash_restore undo verify"
    assert hashmark.__all__ == f"{values} {more} {compare} {trash}".split()
    for name in hashmark.__all__:
        assert getattr(hashmark, name) is not None
    assert not hasattr(hashmark, "nothing_like_it")


def test_dir_lists_the_public_names() -> None:
    assert dir(hashmark) == sorted(hashmark.__all__)


def test_every_public_function_is_documented_and_explains_itself() -> None:
    text = (DOCS / "docs" / "python.md").read_text()
    for name in hashmark.__all__:
        assert f"`{name}" in text or f" {name}(" in text or f"hashmark.{name}" in text, f"{name} is not in python.md"
        assert getattr(hashmark, name).__doc__, f"{name} has no docstring"


def test_importing_hashmark_imports_nothing_else_of_it() -> None:
    code = "import sys, hashmark; print(sorted(m for m in sys.modules if m.startswith(('hashmark', 'pycurl', 'rich'))))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "['hashmark', 'hashmark._version']\n"


def test_the_readme_s_python_runs_as_it_stands(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_on(seaweedfs)
    folder = library.root / "82_stellar_sketch"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"image")
    (folder / "a.txt").write_text("a stellar sketch")
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL)
    monkeypatch.setattr(Library, "open", lambda _path: library)
    exec(snippet, {})
    assert hashmark.status(library_on(seaweedfs).dataset("82")).in_sync


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "docs" / "commands.md").read_text()
    for name, summary in SUMMARIES.items():
        assert f"hashmark {name}" in text or f"{name}|" in text or f"|{name} " in text, f"{name} is not documented"
        assert summary, f"{name} has no help"
        for action in parser_of(name)._actions:
            assert action.help, f"{name} {action.dest} has no help"
            for option in action.option_strings:
                assert not option.startswith("--") or option in text, f"{name} {option} is not documented"
