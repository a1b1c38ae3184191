"""A library is found from any folder inside it, and its datasets by every name that fits only one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hashmark.core.errors import Busy, LocalError, NoSuchDataset, SettingsError
from hashmark.library.dataset import Dataset, number_of
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS
from hashmark.s3.bucket import Bucket
from hashmark.state.state import State
from support.file_trees import mounted, open_folder, permissions_count


class Offline(Library):
    """A library whose bucket has these folders besides those on disk."""

    remote_names: tuple[str, ...] = ()

    def remote_only(self) -> list[Dataset]:
        return self._named([name for name in self.remote_names if not (self.root / name).exists()])


def make(root: Path, *folders: str, settings: str = "", remote: tuple[str, ...] = ()) -> Offline:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    root.mkdir(exist_ok=True)
    (root / SETTINGS).write_text(f'[remote]\nurl = "s3://bucket/styles"\n{settings}')
    library = Offline.open(root)
    assert isinstance(library, Offline)
    library.remote_names = remote
    return library


def found(library: Library, name: str) -> str:
    return library.dataset(name).name


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "library"
    root.mkdir()
    monkeypatch.chdir(root)
    return root.resolve()


# --- finding the library -----------------------------------------------------------------------------------------


def test_a_library_is_found_from_any_folder_or_file_inside_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root, "82_sketch/deep")
    (root / "82_sketch/a.txt").write_text("x")
    for start in (root, str(root), root / "82_sketch/deep", root / "82_sketch/a.txt", "82_sketch", "no/such", None):
        assert Library.open(start).root == root
    monkeypatch.chdir(root / "82_sketch/deep")
    assert Library.open().root == Library.open("..").root == root


def test_the_nearest_library_counts(root: Path) -> None:
    make(root)
    make(root / "inner", "82_sketch")
    assert Library.open(root / "inner/82_sketch").root == root / "inner"


def test_a_library_is_found_through_a_link_and_from_home(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(root)
    (tmp_path / "link").symlink_to("library")
    assert Library.open(tmp_path / "link").root == root
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Library.open("~/library").root == root


def test_outside_of_any_library_the_way_to_one_is_told(root: Path) -> None:
    (root / SETTINGS).mkdir()  # a folder is no settings file
    for start in (root, "~nobody-of-that-name/x"):
        with pytest.raises(SettingsError, match=r"no hashmark\.toml in .* or above it") as raised:
            Library.open(start)
        assert "hashmark init" in raised.value.hint
        assert "hashmark demo" in raised.value.hint


def test_wrong_settings_are_an_error_and_not_a_reason_to_look_further_up(root: Path) -> None:
    make(root)
    inner = root / "inner"
    inner.mkdir()
    (inner / SETTINGS).write_text("nonsense")
    with pytest.raises(SettingsError, match=r"inner/hashmark\.toml can't be parsed"):
        Library.open(inner)


# --- datasets and their ids --------------------------------------------------------------------------------------


def ids(library: Library) -> dict[str, str]:
    return {dataset.name: dataset.id for dataset in library.datasets()}


def test_the_datasets_are_the_visible_folders_by_name_without_litter(root: Path) -> None:
    folders = ("b", "82_sketch", ".hidden", ".hashmark", "_latent_cache", "scratch")
    library = make(root, *folders, settings='[pairing]\nignore = ["scratch/"]')
    (root / "file").write_text("x")
    (root / "linked").symlink_to("b")
    (root / "dangling").symlink_to("nowhere")
    (root / "circle").symlink_to("circle")
    assert [dataset.name for dataset in library.datasets()] == ["82_sketch", "b", "linked"]


def test_a_link_to_where_we_may_not_look_hides_no_dataset() -> None:
    with open_folder() as folder:
        library = make(folder / "library", "82_sketch")
        (folder / "closed/inner").mkdir(parents=True)
        (folder / "library/link").symlink_to("../closed/inner")
        (folder / "closed").chmod(0)
        with permissions_count():
            assert list(ids(library)) == ["82_sketch"]
        (folder / "closed").chmod(0o755)


def test_the_id_is_the_number_in_front_where_it_is_the_only_one_with_it(root: Path) -> None:
    library = make(root, "82_sketch", "7_oil", "7_ink", "plain", "12", "12_pen", "5", "9x_y")
    assert ids(library) == {
        "82_sketch": "82",
        "7_oil": "7_oil",
        "7_ink": "7_ink",
        "plain": "plain",
        "12": "12",
        "12_pen": "12_pen",
        "5": "5",
        "9x_y": "9x_y",
    }


def test_an_id_counts_the_datasets_that_only_the_settings_name(root: Path) -> None:
    library = make(root, "82_sketch", settings='[datasets.82_other]\nprefix = "x"')
    assert ids(library) == {"82_sketch": "82_sketch"}
    with pytest.raises(NoSuchDataset, match="have the number"):
        library.dataset("82")


def test_an_id_of_a_dataset_only_the_bucket_has_counts_those_on_disk(root: Path) -> None:
    library = make(root, "82_sketch", remote=("82_other", "7_oil"))
    assert {dataset.name: dataset.id for dataset in library.remote_only()} == {"82_other": "82_other", "7_oil": "7"}


@pytest.mark.parametrize(
    ("folder", "number"), [("82_x", "82"), ("007_x", "007"), ("82", None), ("x_82", None), ("82x_", None), ("_8", None)]
)
def test_a_number_stands_in_front_of_an_underscore(folder: str, number: str | None) -> None:
    assert number_of(folder) == number


def test_every_id_that_is_shown_finds_its_dataset(root: Path) -> None:
    library = make(root, "82_sketch", "7_oil", "7_ink", "12", "12_pen", remote=("3_x", "7_y"))
    for dataset in [*library.datasets(), *library.remote_only()]:
        assert found(library, dataset.id) == dataset.name


def test_a_dataset_of_the_settings_that_is_nowhere_is_told_with_the_nearest(root: Path) -> None:
    """A dataset that the bucket has, or may have deeper in, is fine; so is one that is only on disk."""
    names = ("82_sketsh", "7_far", "8_moved", "9_deep", "qqq", "12_here")
    settings = "".join(f'[datasets.{name}]\nclean = {{preset = "thorough"}}\n' for name in names)
    settings = settings.replace("[datasets.8_moved]", '[datasets.8_moved]\nprefix = "gone/8"')
    settings = settings.replace("[datasets.9_deep]", '[datasets.9_deep]\nprefix = "old/9"')
    make(root, "82_sketch", "12_here", settings=settings)
    library = Library.open(root)
    library.__dict__["bucket"] = SimpleNamespace(folders=lambda _prefix, _on_files: ["7_far", "old"])
    assert library.warnings() == []
    library.remote_only()
    told = {problem.key: problem.message for problem in library.warnings()}
    nowhere = f"has settings in {SETTINGS} but exists neither here nor in the bucket"
    assert told == {
        "82_sketsh": f"{nowhere}; did you mean '82_sketch'?",
        "8_moved": nowhere,
        "qqq": nowhere,
    }


# --- naming a dataset --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["82", "82_sketch", "82_sketch/", "./82_sketch", "./82_sketch/", "x/../82_sketch"])
def test_a_dataset_goes_by_id_by_name_and_by_path(root: Path, name: str) -> None:
    assert found(make(root, "82_sketch", "7_oil"), name) == "82_sketch"


def test_a_dataset_goes_by_its_absolute_path_from_anywhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = make(root, "82_sketch/deep")
    (tmp_path / "link").symlink_to("library")
    monkeypatch.setenv("HOME", str(tmp_path))
    for here, name in (
        (tmp_path, str(root / "82_sketch")),
        (tmp_path, f"{root}/82_sketch/"),
        (tmp_path, "library/82_sketch"),
        (tmp_path, "link/82_sketch/"),
        (tmp_path, "~/library/82_sketch"),
        (tmp_path, "82_sketch"),
        (root / "82_sketch", "."),
        (root / "82_sketch/deep", ".."),
        (root / "82_sketch/deep", "../../82_sketch"),
    ):
        monkeypatch.chdir(here)
        assert found(library, name) == "82_sketch", f"{name} seen from {here}"


def test_a_linked_dataset_goes_by_the_name_it_has_here(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/data").mkdir(parents=True)
    library = make(root)
    (root / "82_sketch").symlink_to("../elsewhere/data")
    assert found(library, "./82_sketch") == "82_sketch"
    assert library.dataset("82").path == root / "82_sketch"


def test_a_library_opened_by_a_path_with_a_link_in_it_takes_paths_too(root: Path, tmp_path: Path) -> None:
    library = make(root, "82_sketch")
    (tmp_path / "link").symlink_to("library")
    linked = Offline(tmp_path / "link", library.settings)
    assert found(linked, str(tmp_path / "link/82_sketch")) == "82_sketch"
    assert found(linked, str(root / "82_sketch")) == "82_sketch"


def test_a_folder_of_that_name_comes_before_a_number(root: Path) -> None:
    assert found(make(root, "82", "82_sketch"), "82") == "82"


def test_a_number_that_fits_several_is_refused_with_their_names(root: Path) -> None:
    library = make(root, "7_oil", "7_ink", "8_pen")
    with pytest.raises(NoSuchDataset, match="Several datasets have the number 7: 7_ink, 7_oil") as raised:
        library.dataset("7")
    assert raised.value.hint == "Give the folder's name."


def test_a_dataset_only_the_settings_or_only_the_bucket_has_is_found_too(root: Path) -> None:
    settings = '[datasets.9_new]\nprefix = "x"'
    library = make(root, "82_sketch", settings=settings, remote=("7_far", "6_a", "6_b"))
    assert [found(library, name) for name in ("9", "9_new", "7", "7_far/")] == ["9_new", "9_new", "7_far", "7_far"]
    with pytest.raises(NoSuchDataset, match="Several datasets have the number 6: 6_a, 6_b"):
        library.dataset("6")


def test_the_bucket_is_asked_only_for_what_is_not_on_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make(root, "82_sketch")
    monkeypatch.setattr(library, "remote_only", lambda: pytest.fail("the bucket was asked"))
    assert found(library, "82") == "82_sketch"


@pytest.mark.parametrize(
    ("name", "near"), [("82_stelar", "82_stellar"), ("far_stelar", "far_stellar"), ("qqqqqqqq", ""), ("~nobody-x", "")]
)
def test_a_name_that_fits_nothing_is_an_error_with_the_nearest(root: Path, name: str, near: str) -> None:
    library = make(root, "82_stellar", "7_oil", remote=("far_stellar",))
    with pytest.raises(NoSuchDataset) as raised:
        library.dataset(name)
    assert f"no dataset '{name}' in {root} or in the bucket" in raised.value.message
    assert (f"'{near}'" in raised.value.hint) if near else (raised.value.hint == "")


@pytest.mark.parametrize("name", ["nul", "nul/", "{root}/nul"])
def test_a_folder_whose_name_can_not_be_a_dataset_is_told_as_that(root: Path, name: str) -> None:
    with pytest.raises(
        NoSuchDataset, match=r"^'nul' is left alone: it has the name 'nul', which Windows reserves\."
    ) as raised:
        make(root, "nul").dataset(name.format(root=root))
    assert raised.value.hint == "Rename the folder."


@pytest.mark.parametrize("name", ["..", "/", "82_sketch/deep", "../library", "/82_sketch", ".", ""])
def test_a_path_to_something_that_is_no_dataset_is_not_taken_for_one(root: Path, name: str) -> None:
    with pytest.raises(NoSuchDataset):
        make(root, "82_sketch/deep").dataset(name)


# --- prefixes and places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "own", "prefix"),
    [
        ("s3://bucket/styles", None, "styles/82_sketch/"),
        ("s3://bucket", None, "82_sketch/"),
        ("s3://bucket/styles", "other/place", "styles/other/place/"),
        ("s3://bucket", "", ""),
        ("s3://bucket/styles", "", "styles/"),
    ],
)
def test_a_dataset_has_its_folders_prefix_under_the_librarys(
    root: Path, url: str, own: str | None, prefix: str
) -> None:
    section = "" if own is None else f'[datasets.82_sketch]\nprefix = "{own}"'
    (root / SETTINGS).write_text(f'[remote]\nurl = "{url}"\n{section}')
    (root / "82_sketch").mkdir()
    library = Library.open(root)
    (dataset,) = library.datasets()
    assert dataset.prefix == prefix
    assert library.remote_trash == ("styles/" if "styles" in url else "") + ".hashmark/trash/"


def test_switched_off_certificates_are_a_warning_at_every_run(root: Path) -> None:
    assert make(root).warnings() == []
    assert [problem.code for problem in make(root, settings="verify = false").warnings()] == ["tls-not-verified"]


def test_the_state_is_opened_when_needed_and_closed_with_the_library(root: Path) -> None:
    make(root)
    with Library.open(root) as library:
        assert not (root / ".hashmark").exists()
        library.state.record_facts("store", {"name": "value"})
    with Library.open(root) as library:
        assert library.state.facts("store") == {"name": "value"}
    library.close()


# --- the lock ----------------------------------------------------------------------------------------------------

OTHER = """
import sys
from hashmark.core.errors import Busy
from hashmark.library.library import Library
library = Library.open(sys.argv[1])
(dataset,) = [d for d in library.datasets() if d.name == sys.argv[2]]
try:
    with dataset.lock():
        print("locked", flush=True)
        sys.stdin.readline()
except Busy as error:
    print(error)
"""


def other(root: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, str(root), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_while_one_process_changes_a_dataset_no_other_may_and_afterwards_it_may(root: Path) -> None:
    free, dataset = make(root, "7_oil", "82_sketch").datasets()
    with dataset.lock():
        said, _ = other(root, "82_sketch").communicate(timeout=30)
        assert "Another process holds the lock of '82_sketch'." in said
    with other(root, "82_sketch") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(Busy, match="82_sketch"), dataset.lock():
            pass
        with free.lock():
            pass
        process.kill()
    with dataset.lock():
        pass


def test_a_lock_is_let_go_when_the_work_fails(root: Path) -> None:
    (dataset,) = make(root, "82_sketch").datasets()
    with pytest.raises(Busy), dataset.lock(), dataset.lock():
        pytest.fail("it was locked twice")
    with pytest.raises(ZeroDivisionError), dataset.lock():
        raise ZeroDivisionError
    with dataset.lock():
        pass


def test_where_no_lock_can_be_had_that_is_an_error_of_the_disk(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dataset,) = make(root, "82_sketch").datasets()
    with monkeypatch.context() as patch:

        def refuse(_file: object, _how: int) -> None:
            raise OSError(37, "No locks available")

        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(LocalError, match="No locks available"), dataset.lock():
            pass
    with mounted(tmp_path / "view", "--bind", "-o", "ro", str(root)) as view:
        (dataset,) = Library.open(view).datasets()
        with pytest.raises(LocalError, match="Read-only"), dataset.lock():
            pass


def test_a_library_whose_folder_vanished_says_so(root: Path, tmp_path: Path) -> None:
    library = make(root)
    os.chdir(tmp_path)
    (root / SETTINGS).unlink()
    root.rmdir()
    with pytest.raises(LocalError, match="No such file"):
        library.datasets()


@pytest.mark.parametrize(("name", "kind", "opens"), [("state", State, "open"), ("bucket", Bucket, "__init__")])
def test_threads_that_need_it_at_once_share_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type, opens: str
) -> None:
    """The second would never be closed."""
    library = make(tmp_path)
    gate = threading.Barrier(2)
    opened = []
    original = getattr(kind, opens)

    def slowly(*args: Any) -> Any:
        opened.append(args)
        time.sleep(0.1)
        return original(*args)

    def ask() -> object:
        gate.wait(10)
        return getattr(library, name)

    monkeypatch.setattr(kind, opens, slowly)
    with library, ThreadPoolExecutor(2) as threads:
        first, second = [asked.result() for asked in (threads.submit(ask), threads.submit(ask))]
    assert first is second
    assert len(opened) == 1
