"""`hashmark clean` and `hashmark undo` against a real store: preview, write, red, back, green without an upload."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hashmark.demo import sample_library, sketches
from support.command import Ran, Shell, end, library
from support.datasets import write_pairs
from support.stores import Store
from support.waiting import wait_for

DIRTY = b"a  stellar sketch , number %d \r\n"


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library with one dataset of four pairs, the captions of the first three dirty; nothing is pushed."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    folder = write_pairs(made.cwd, "82_stellar_sketch", 4)
    for n in range(3):
        (folder / f"{n:04d}.txt").write_bytes(DIRTY % n)
    return made


def texts(shell: Shell, name: str = "82_stellar_sketch") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((shell.cwd / name).glob("*.txt"))}


def red(shell: Shell) -> list[str]:
    """The captions that `status` calls edited on disk; it must call nothing else anything but synced."""
    found = shell("status", "82", "--json").json["datasets"][0]["files"]
    assert {row["verdict"] for row in found} <= {"synced", "local-changed"}
    return [row["key"] for row in found if row["verdict"] == "local-changed"]


def test_a_cleaning_is_shown_written_seen_as_red_and_taken_back(shell: Shell) -> None:
    assert shell("push", "82").status == 0
    before = texts(shell)
    ran = shell("clean", "82")
    assert ran.status == 1, ran.err
    assert "82_stellar_sketch: 3 of 4 captions would change  profile prose" in ran.out
    assert re.findall(r"^  (\S+) +(\d+)$", ran.out, re.MULTILINE) == [("line-ends", "3"), ("spaces", "3")]
    assert "0001.txt  line-ends, spaces" in ran.out
    assert "a[- -] stellar sketch , number 1[- ␍-]⏎" in ran.out
    assert "Nothing was written" in ran.out
    assert "There is 1 page." in shell("clean", "82", "--page", "2").out
    assert (texts(shell), red(shell)) == (before, [])

    ran = shell("clean", "82", "--apply")
    assert ran.status == 0, ran.err
    assert "3 of 4 captions cleaned" in ran.out
    assert texts(shell)["0001.txt"] == b"a stellar sketch , number 1\n"
    assert red(shell) == ["0000.txt", "0001.txt", "0002.txt"]
    batch = re.search(r"hashmark undo (\S+)", ran.out)
    assert batch
    assert batch.group(1) in shell("undo").out
    assert shell("clean", "82").status == 0

    ran = shell("undo", batch.group(1))
    assert (ran.status, "3 captions restored" in ran.out) == (0, True)
    assert (texts(shell), red(shell)) == (before, [])
    assert shell("status", "82").status == 0


def test_rules_settings_and_selection_are_the_users(shell: Shell) -> None:
    def cleaned(*arguments: str) -> dict[str, bytes]:
        assert shell("clean", "82", "--apply", *arguments).status == 0
        after = texts(shell)
        assert shell("undo", "last").status == 0
        return after

    assert cleaned("--rule", "line-ends")["0000.txt"] == b"a  stellar sketch , number 0 \n"
    thorough = cleaned(
        "--profile", "tags", "--set", "preset=thorough", "--set", "trigger=ohwx", "--select", "000[01].txt"
    )
    assert thorough["0000.txt"] == b"ohwx, a stellar sketch, number 0\n"
    assert thorough["0002.txt"] == DIRTY % 2
    replaced = cleaned("--rule", "replace", "--set", r'replace=[{find="number (\\d)", with="no. \\1", regex=true}]')
    assert replaced["0003.txt"] == b"a stellar sketch, no. 3\n"
    found = shell("clean", "82", "--rule", "length", "--set", "length.words=4", "--json").json
    assert found["changed"] == 0
    assert {flag["message"] for flag in found["flags"]} == {
        "is 6 words long; the limit is 4",
        "is 5 words long; the limit is 4",
    }


MISTAKES = {
    ("--rule", "spaecs"): "'spaecs' is not a rule.",
    ("--profile", "poetry"): "'profile' is invalid.",
    ("--set", "trigger"): "--set trigger is not a setting.",
    ("--set", "length=3", "--set", "length.words=3"): "'length' is not a table",
    ("--select", "*.png"): "No caption of 82_stellar_sketch matches --select '*.png'.",
}


def test_a_mistake_is_reported_and_changes_nothing(shell: Shell) -> None:
    before = texts(shell)
    for arguments, said in MISTAKES.items():
        ran = shell("clean", "82", "--apply", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert said in ran.err
    assert texts(shell) == before


def test_what_can_not_be_cleaned_is_named_skipped_and_ends_with_4(shell: Shell) -> None:
    folder = shell.cwd / "82_stellar_sketch"
    (folder / "0000.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    (folder / "0001.txt").chmod(0o444)
    (folder / "0003.txt").unlink()
    (folder / "0003.txt").mkdir()
    with (folder / "0004.txt").open("wb") as file:
        file.truncate(50 << 20)
    (folder / "0004.png").write_bytes(b"image")
    for arguments in ([], ["--apply"]):
        ran = shell("clean", "82", *arguments)
        assert ran.status == 4, ran.out
        named = dict(re.findall(r"skipped: (\S+): (.*)", ran.out))
        assert list(named) == ["0000.txt", "0001.txt", "0003.txt", "0004.txt"]
        for name, why in zip(named, ("cannot be decoded", "read-only", "folder", "too large"), strict=True):
            assert why in named[name]
    assert texts_but(folder, "0003.txt", "0004.txt") == {
        "0000.txt": b"\x89PNG\r\n\x1a\n\x00",
        "0001.txt": DIRTY % 1,
        "0002.txt": b"a stellar sketch , number 2\n",
    }


def texts_but(folder: Path, *names: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt")) if path.name not in names}


def test_an_undo_leaves_what_was_edited_since_and_shows_it(shell: Shell) -> None:
    assert shell("clean", "82", "--apply").status == 0
    (shell.cwd / "82_stellar_sketch" / "0001.txt").write_bytes(b"a stellar sketch , number one\n")
    ran = shell("undo", "last")
    assert ran.status == 4
    assert "2 captions restored" in ran.out
    assert "left alone: 0001.txt was edited since" in ran.out
    assert "{+one+}" in ran.out
    assert (texts(shell)["0000.txt"], texts(shell)["0001.txt"]) == (DIRTY % 0, b"a stellar sketch , number one\n")
    assert shell("undo", "20260101T000000Z-clean-0a1b2c3d").status == 2


def test_each_undo_says_what_is_back(shell: Shell) -> None:
    assert shell("clean", "82", "--select", "0000.txt", "--apply").status == 0
    said = [shell("undo", "last").out.splitlines()[0] for _ in range(3)]
    back = ("1 caption restored", "1 caption cleaned again", "1 caption as before that undo")
    assert said == [f"82_stellar_sketch: {what}" for what in back]


def test_a_batch_that_can_not_be_read_is_not_passed_over(shell: Shell) -> None:
    applied = shell("clean", "82", "--apply", "--json").json["batch"]
    (shell.cwd / ".hashmark" / "trash" / applied / ".journal.json").write_bytes(b"")
    ran = shell("undo")
    assert f"{applied}  its journal can't be read: use hashmark trash restore {applied}" in ran.out
    assert "nothing to undo" not in ran.out
    assert shell("undo", "--json").json == {"batches": [], "unreadable": [applied]}
    assert shell("undo", "last").status == 2
    assert shell("trash", "restore", applied).status == 0
    assert "There is nothing to undo." in shell("undo").out


def test_the_documents_have_their_shapes(shell: Shell) -> None:
    (shell.cwd / "82_stellar_sketch" / "notes.txt").write_bytes(b"not  a caption")
    found = shell("clean", "82", "--json")
    assert found.status == 1
    document = found.json
    assert list(document) == [
        *("dataset", "profile", "looked", "changed", "counts", "changes", "flagCounts", "flags", "skipped", "orphans"),
    ]
    assert (document["looked"], document["changed"], document["orphans"]) == (4, 3, ["notes.txt"])
    assert list(document["changes"][0]) == ["key", "rules", "remove", "note", "pieces"]
    applied = shell("clean", "82", "--apply", "--json").json
    assert list(applied) == [*document, "batch", "done", "failed", "notTried", "interrupted", "stoppedBy"]
    listed = shell("undo", "--json").json["batches"]
    assert [(row["batch"], row["kind"], row["files"], row["left"]) for row in listed] == [
        (applied["batch"], "clean", 3, 3)
    ]
    undone = shell("undo", applied["batch"], "--json").json
    assert list(undone)[:4] == ["undone", "restored", "asItWas", "refused"]
    assert (undone["undone"]["batch"], undone["restored"], undone["done"]) == (applied["batch"], 3, 3)


def test_differences_come_in_pages(seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    """Twenty at a time; where there is no such page, that is said."""
    shell = library(seaweedfs, tmp_path / "styles", prefix)
    folder = write_pairs(shell.cwd, "82_x", 45)
    for path in folder.glob("*.txt"):
        path.write_bytes(b" dirty")

    def shown(*arguments: str) -> list[str]:
        return re.findall(r"^(\d{4})\.txt", shell("clean", "82", *arguments).out, re.MULTILINE)

    assert shown() == [f"{n:04d}" for n in range(20)]
    assert shown("--page", "3") == [f"{n:04d}" for n in range(40, 45)]
    assert shown("--full") == [f"{n:04d}" for n in range(45)]
    assert "page 1 of 3; --page 2 shows the next" in shell("clean", "82").out
    assert "There are 3 pages" in shell("clean", "82", "--page", "4").out


# --- stopped ------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """2,000 dirty captions; their bucket is not asked."""
    shell = library(seaweedfs, tmp_path / "many", prefix)
    folder = shell.cwd / "82_x"
    folder.mkdir()
    for n in range(2000):
        (folder / f"{n:04d}.txt").write_bytes(DIRTY % n)
        (folder / f"{n:04d}.png").write_bytes(b"image")
    return shell


def begun(shell: Shell, done: int) -> Callable[[], bool]:
    """Whether so many captions are clean by now."""
    folder = shell.cwd / "82_x"
    some = [folder / f"{n:04d}.txt" for n in range(0, 2000, 50)]
    return lambda: sum(b"\r" not in path.read_bytes() for path in some) * 50 > done


@pytest.mark.parametrize(
    "moment", [0, pytest.param(900, marks=pytest.mark.slow), pytest.param(1700, marks=pytest.mark.slow)]
)
def test_a_cleaning_killed_on_the_way_is_undone_by_the_next_command(many: Shell, moment: int) -> None:
    before = texts(many, "82_x")
    process = many.start("clean", "82", "--apply")
    wait_for(lambda: begun(many, moment)() or process.poll() is not None)
    end(process, signal.SIGKILL)
    after = texts(many, "82_x")
    assert all(
        data in {before[name], before[name].replace(b"  ", b" ").rstrip() + b"\n"} for name, data in after.items()
    )
    assert sum(after[name] != before[name] for name in before) > moment
    ran = many("undo", "last")
    assert ran.status == 0, ran.err
    assert texts(many, "82_x") == before
    assert [path.name for path in (many.cwd / "82_x").glob(".*")] == []


def interrupted(shell: Shell) -> Ran:
    process = shell.start("clean", "82", "--apply")
    wait_for(lambda: begun(shell, 0)() or process.poll() is not None)
    return end(process, signal.SIGINT)


def test_ctrl_c_ends_with_130_and_what_was_done_can_be_undone(many: Shell) -> None:
    before = texts(many, "82_x")
    ran = interrupted(many)
    while ran.status == 0:  # all was done before the signal came
        assert many("undo", "last").status == 0
        ran = interrupted(many)
    assert (ran.status, "not tried; run the command again" in ran.out) == (130, True)
    after = texts(many, "82_x")
    assert 0 < sum(after[name] != data for name, data in before.items()) < 2000
    assert many("undo", "last").status == 0
    assert texts(many, "82_x") == before


# --- the story ----------------------------------------------------------------------------------------------------


def test_the_sample_librarys_captions_are_cleaned_and_taken_back(tmp_path: Path) -> None:
    """271 changes by rule, 271 red, and 271 green again without an upload. What is in the images does not matter."""
    root = tmp_path / "demo"
    with sample_library.open_library(root) as opened:
        (root / sample_library.STORY).mkdir()
        for seed in range(271):
            image, caption = sample_library.pair_paths(root / sample_library.STORY, seed)
            image.write_bytes(f"drawing {seed}".encode())
            caption.write_bytes(sketches.dirty_caption(seed))
        opened.bucket.objects("")  # starts the box, which this test is to stop
        assert opened.embedded
        try:
            tell_the_story(Shell(root, {}))
        finally:
            opened.embedded.stop()


def tell_the_story(shell: Shell) -> None:
    assert shell("push", "82").status == 0
    found = shell("clean", "82", "--json").json
    assert (found["looked"], found["changed"], found["skipped"]) == (271, 271, [])
    assert {rule for rule, count in found["counts"].items() if count} == {
        *("decode", "bom", "line-ends", "invisible", "nfc", "smart-punctuation", "spaces", "wrappers"),
        *("boilerplate-start", "punctuation"),
    }
    applied = shell("clean", "82", "--apply", "--json")
    assert (applied.status, applied.json["done"]) == (0, 271)
    assert len(red(shell)) == 271
    assert shell("clean", "82").status == 0
    objects = shell("ls-remote", "82", "--json").json
    assert shell("undo", "last").status == 0
    ran = shell("status", "82")
    assert (ran.status, "542 synced" in ran.out) == (0, True)
    assert shell("ls-remote", "82", "--json").json == objects
