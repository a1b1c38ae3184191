"""Each rule of tools/names.py fails on a small tree that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools import names

Check = Callable[..., list[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Writes a tree of these sources and checks it: `check({"src/hashmark/a.py": "X = 1"}, stems={...})`."""

    def run(
        files: Mapping[str, str], *, stems: Mapping[str, str] | None = None, classes: Mapping[str, str] | None = None
    ) -> list[str]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(names.problems(tmp_path, stems or {}, classes or {}))

    return run


def test_a_tree_of_distinct_names_passes(check: Check) -> None:
    files = {
        "src/hashmark/__init__.py": "from hashmark.core.plan import Plan",
        "src/hashmark/core/__init__.py": "",
        "src/hashmark/core/plan.py": "class Plan:\n    steps: list[str]\n\nclass _Step: ...",
        "src/hashmark/core/join.py": "class _Step: ...\n\ndef lookup(key): ...",
        "support/stores.py": "import hashmark.core.plan",
        "tests/core/test_plan.py": "from support.stores import Store",
        "bench/page.py": "from tools.browser import launch",
    }
    assert check(files) == []


def test_two_modules_of_one_stem_are_refused(check: Check) -> None:
    files = {"src/hashmark/state/store.py": "", "src/hashmark/embedded/store.py": ""}
    (found,) = check(files)
    assert found.startswith("src/hashmark/embedded/store.py:1: these modules share the stem 'store': ")
    assert check(files, stems={"store": "a reason"}) == []


def test_a_command_may_be_named_after_its_use_case_and_after_nothing_else(check: Check) -> None:
    files = {"src/hashmark/cli/lint.py": "", "src/hashmark/actions/lint.py": ""}
    assert check(files) == []
    (found,) = check(files | {"src/hashmark/core/lint.py": ""})
    assert "share the stem 'lint'" in found


def test_two_public_classes_of_one_name_are_refused(check: Check) -> None:
    files = {"src/hashmark/core/a.py": "class Side: ...", "src/hashmark/web/b.py": "\nclass Side: ..."}
    assert check(files) == [
        "src/hashmark/core/a.py:1: several classes are named 'Side': src/hashmark/core/a.py:1, src/hashmark/web/b.py:2"
    ]
    assert check(files, classes={"Side": "a reason"}) == []


def test_an_exception_that_is_no_longer_needed_is_reported(check: Check) -> None:
    found = check(
        {"src/hashmark/store.py": "class Side: ..."}, stems={"store": "a reason"}, classes={"Side": "another"}
    )
    assert found == [
        "names.py: SHARED_STEMS lists 'store', which only one module has",
        "names.py: SHARED_CLASSES lists 'Side', which only one class has",
    ]


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("src/hashmark/web/a.py", "class Desk: ...", "Desk"),
        ("src/hashmark/web/a.py", "class _Back: ...", "_Back"),
        ("src/hashmark/disk/a.py", "FEW = 3", "FEW"),
        ("bench/a.py", "MANY: int = 3", "MANY"),
        ("tools/a.py", "MOST, MOMENT_S = 3, 0.1", "MOST"),
        ("support/a.py", "def Told(): ...", "Told"),
        ("src/hashmark/s3/landmarks.py", "", "landmarks"),
    ],
)
def test_a_name_that_hides_its_content_is_refused(check: Check, path: str, text: str, name: str) -> None:
    (found,) = check({path: text})
    assert found.startswith(f"{path}:1: '{name}' does not say what ")


@pytest.mark.parametrize(
    "text",
    [
        "class Looked: ...",
        "class FirstLook: ...",
        "class A:\n    look_again: bool",
        "def looks_like_md5(text): ...",
        "async def run(look): ...",
        "def run(*, on_look=None): ...",
        "looking = 1",
    ],
)
def test_a_public_name_with_look_is_refused(check: Check, text: str) -> None:
    (found,) = check({"src/hashmark/core/a.py": text})
    assert "has the word 'look' in it" in found


def test_a_module_name_with_look_is_refused(check: Check) -> None:
    (found,) = check({"src/hashmark/evidence/look.py": ""})
    assert found.startswith("src/hashmark/evidence/look.py:1: 'look' has the word 'look' in it")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests/core/test_a.py", "from tests.core.test_b import HOSTILE"),
        ("tests/core/test_a.py", "import tests.conftest"),
        ("tests/core/test_a.py", "from .test_b import HOSTILE"),
        ("tests/core/test_a.py", "def test():\n    from conftest import tell"),
        ("bench/page.py", "from tests.browser.site import Site"),
        ("tools/screenshots.py", "import tests"),
        ("support/stores.py", "from tests import conftest"),
    ],
)
def test_an_import_of_a_test_module_is_refused(check: Check, path: str, text: str) -> None:
    (found,) = check({path: text})
    line = len(text.splitlines())
    assert found.startswith(f"{path}:{line}: imports a test module")
