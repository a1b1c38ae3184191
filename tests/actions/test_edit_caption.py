"""A caption saved by a person replaces what was shown and nothing else, and the replaced text can be restored."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hashmark import Dataset, Library
from hashmark.actions import edit_caption
from hashmark.actions.edit_caption import Caption, caption_key, read_caption, write_caption
from hashmark.core.encoding import MAX_CAPTION_BYTES
from hashmark.core.errors import FileChanged, HashmarkError, LocalError, ReadOnly, Unreadable, UnsafePath, UsageError
from hashmark.core.pairs import Pairing
from hashmark.disk.read import read_file
from hashmark.library.settings import create
from hashmark.trash import restore
from hashmark.trash.contents import trash_entries
from support.datasets import LibraryMaker
from support.file_trees import stamp, tree
from support.stores import Store
from support.waiting import wait_for

NAME = "82_stellar_sketch"
OLD = b"a stellar sketch\n"


@pytest.fixture(name="dataset")
def fixture_dataset(tmp_path: Path) -> Iterator[Dataset]:
    """A dataset with one caption; its bucket is never asked."""
    root = tmp_path / "library"
    create(root, {"url": "s3://nobody-asks/p"})
    (root / NAME).mkdir()
    (root / NAME / "a.txt").write_bytes(OLD)
    with Library.open(root) as library:
        yield library.dataset("82")


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def trashed(dataset: Dataset) -> list[tuple[str, bytes]]:
    """Return what the trash holds of edits: key and content."""
    found = tree(dataset.library.trash) if dataset.library.trash.exists() else {}
    assert all(path.split("/")[0].split("-")[1] == "edit" and path.split("/")[1] == NAME for path in found)
    return sorted((path.split("/", 2)[2], data) for path, data in found.items())


def untouched(dataset: Dataset, **files: bytes) -> None:
    """Check that the dataset holds just these files, no temporary ones, and the trash nothing."""
    assert tree(dataset.path) == {name.replace("_", "."): data for name, data in files.items()}
    assert trashed(dataset) == []


# --- read --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (OLD, "a stellar sketch\n", "utf-8"),
        (b"", "", "utf-8"),
        (b"\xef\xbb\xbfcat", "\ufeffcat", "utf-8-sig"),
        (b"\xff\xfec\x00", "c", "utf-16"),
        (b"caf\xe9\r\n", "café\r\n", "cp1252"),
    ],
)
def test_a_caption_is_read_with_its_encoding_and_digest(
    data: bytes, text: str, encoding: str, dataset: Dataset
) -> None:
    (dataset.path / "a.txt").write_bytes(data)
    assert read_caption(dataset, "a.txt") == Caption("a.txt", text, encoding, md5(data))


def test_no_file_is_an_empty_caption_without_a_digest(dataset: Dataset) -> None:
    """An empty file has one, so a save can name which of the two it replaces."""
    assert read_caption(dataset, "none.txt") == Caption("none.txt", "", "utf-8", None)
    assert read_caption(dataset, "sub/none.txt").md5 is None


def test_a_caption_too_large_to_show_is_refused(dataset: Dataset) -> None:
    (dataset.path / "a.txt").write_bytes(b"x" * MAX_CAPTION_BYTES)
    assert len(read_caption(dataset, "a.txt").text) == MAX_CAPTION_BYTES
    (dataset.path / "a.txt").write_bytes(b"x" * (MAX_CAPTION_BYTES + 1))
    with pytest.raises(Unreadable):
        read_caption(dataset, "a.txt")


@pytest.mark.parametrize(("image", "key"), [("a.png", "a.txt"), ("s.b/a.b.png", "s.b/a.b.txt"), ("noext", "noext.txt")])
def test_a_new_caption_is_named_for_its_image(image: str, key: str) -> None:
    assert caption_key(image, Pairing()) == key
    assert caption_key(image, Pairing(captions=(".caption", ".txt"))) == key.removesuffix(".txt") + ".caption"


# --- write -------------------------------------------------------------------------------------------------------


def test_a_save_puts_the_text_in_place_and_the_old_one_in_the_trash(dataset: Dataset) -> None:
    saved = write_caption(dataset, "a.txt", "a red cat\n", replaces=md5(OLD))
    assert saved == Caption("a.txt", "a red cat\n", "utf-8", md5(b"a red cat\n"))
    assert read_caption(dataset, "a.txt") == saved
    assert tree(dataset.path) == {"a.txt": b"a red cat\n"}
    assert trashed(dataset) == [("a.txt", OLD)]


def test_a_save_can_follow_a_save(dataset: Dataset) -> None:
    """Each names the digest that the previous save returned; every text in between is kept."""
    digest = read_caption(dataset, "a.txt").md5
    for n in range(3):
        digest = write_caption(dataset, "a.txt", f"version {n}", replaces=digest).md5
    assert trashed(dataset) == [("a.txt", OLD), ("a.txt", b"version 0"), ("a.txt", b"version 1")]


@pytest.mark.parametrize("key", ["new.txt", "new/folder/b.txt"])
def test_a_new_caption_replaces_nothing(key: str, dataset: Dataset) -> None:
    saved = write_caption(dataset, key, "a new one", replaces=None)
    assert (saved.md5, (dataset.path / key).read_bytes()) == (md5(b"a new one"), b"a new one")
    assert trashed(dataset) == []


def test_an_empty_caption_can_be_made_and_is_not_none(dataset: Dataset) -> None:
    saved = write_caption(dataset, "new.txt", "", replaces=None)
    assert (saved.md5, (dataset.path / "new.txt").read_bytes()) == (md5(b""), b"")
    with pytest.raises(FileChanged):
        write_caption(dataset, "new.txt", "text", replaces=None)
    assert write_caption(dataset, "new.txt", "text", replaces=md5(b"")).text == "text"


def test_the_same_bytes_are_not_written_again(dataset: Dataset) -> None:
    before = stamp(dataset.path / "a.txt")
    assert write_caption(dataset, "a.txt", OLD.decode(), replaces=md5(OLD)).md5 == md5(OLD)
    assert stamp(dataset.path / "a.txt") == before
    untouched(dataset, a_txt=OLD)


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (b"\xef\xbb\xbfcat\r\ndog\r\n", "\ufeffcat\nred dog\n", b"\xef\xbb\xbfcat\r\nred dog\r\n"),
        (b"\xef\xbb\xbfcat", "typed anew", b"\xef\xbb\xbftyped anew"),
        (b"\xff\xfec\x00\r\x00\n\x00", "é\n", b"\xff\xfe\xe9\x00\r\x00\n\x00"),
        (b"\xfe\xff\x00c", "d", b"\xfe\xff\x00d"),
        (b"caf\xe9\r\nx", "café €\ny", b"caf\xe9 \x80\r\ny"),
        (b"caf\xe9", "cafe", b"cafe"),
        (b"a\rb\r", "a\nc\nb\n", b"a\rc\rb\r"),
        (b"a\r\nb\nc\n", "a\nb\nc!\n", b"a\r\nb\nc!\n"),
        (b"a\nb", "a\nb\n", b"a\nb\n"),
    ],
)
def test_encoding_mark_and_line_ends_stay(before: bytes, text: str, after: bytes, dataset: Dataset) -> None:
    """The text is as a browser's field returns it: with LF only, and perhaps without the invisible byte order mark."""
    (dataset.path / "a.txt").write_bytes(before)
    saved = write_caption(dataset, "a.txt", text, replaces=md5(before))
    assert (dataset.path / "a.txt").read_bytes() == after
    assert saved == read_caption(dataset, "a.txt")


def test_permissions_stay(dataset: Dataset) -> None:
    (dataset.path / "a.txt").chmod(0o640)
    write_caption(dataset, "a.txt", "x", replaces=md5(OLD))
    assert (dataset.path / "a.txt").stat().st_mode & 0o777 == 0o640


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaces", [None, md5(b""), md5(b"another"), md5(OLD).upper()])
def test_a_save_of_another_text_than_was_shown_is_refused(replaces: str | None, dataset: Dataset) -> None:
    with pytest.raises(FileChanged, match=r"'a\.txt' changed on disk after it was opened here"):
        write_caption(dataset, "a.txt", "mine", replaces=replaces)
    untouched(dataset, a_txt=OLD)


def test_a_save_over_a_file_that_has_gone_is_refused(dataset: Dataset) -> None:
    (dataset.path / "a.txt").unlink()
    with pytest.raises(FileChanged):
        write_caption(dataset, "a.txt", "mine", replaces=md5(OLD))
    untouched(dataset)


@pytest.mark.parametrize(
    ("before", "text", "words"),
    [
        (b"caf\xe9", "a 猫", "its encoding cp1252 has no '猫'"),
        (b"caf\xe9", "a \ud83d", r"U\+D83D is a lone surrogate"),
        (b"cafe", "a \ud83d", r"U\+D83D is a lone surrogate"),
        (b"\xff\xfea\x00", "a \udc00", r"U\+DC00 is a lone surrogate"),
        (b"", "€" * (MAX_CAPTION_BYTES // 3 + 1), f"would have {MAX_CAPTION_BYTES // 3 * 3 + 3} bytes"),
    ],
)
def test_a_text_that_can_not_be_kept_is_refused(before: bytes, text: str, words: str, dataset: Dataset) -> None:
    """No part of it is written, and nothing that is too long to be read again."""
    (dataset.path / "a.txt").write_bytes(before)
    with pytest.raises(UsageError, match=words):
        write_caption(dataset, "a.txt", text, replaces=md5(before))
    untouched(dataset, a_txt=before)


@pytest.mark.parametrize("key", ["../out.txt", "/etc/out.txt", "a/../b.txt", "CON.txt", "a\0.txt", "link/out.txt"])
def test_nothing_is_written_outside_the_dataset(key: str, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (dataset.path / "link").symlink_to(tmp_path / "else")
    with pytest.raises(UnsafePath):
        write_caption(dataset, key, "out", replaces=None)
    assert list((tmp_path / "else").iterdir()) == []
    assert not (dataset.library.root / "out.txt").exists()


def test_a_read_only_caption_is_read_and_not_replaced(dataset: Dataset) -> None:
    """A rename does not check the file's permissions. Cleaning leaves such a file alone too."""
    (dataset.path / "a.txt").chmod(0o444)
    assert read_caption(dataset, "a.txt").text == OLD.decode()
    with pytest.raises(ReadOnly, match=r"'a\.txt' is read-only and is left as it is"):
        write_caption(dataset, "a.txt", "new", replaces=md5(OLD))
    untouched(dataset, a_txt=OLD)


def test_a_symlinked_caption_is_read_and_not_replaced(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "shared.txt").write_bytes(OLD)
    (dataset.path / "b.txt").symlink_to(tmp_path / "shared.txt")
    assert read_caption(dataset, "b.txt").md5 == md5(OLD)
    with pytest.raises(UnsafePath, match="symlink"):
        write_caption(dataset, "b.txt", "mine", replaces=md5(OLD))
    assert (dataset.path / "b.txt").is_symlink()
    assert (tmp_path / "shared.txt").read_bytes() == OLD
    untouched(dataset, a_txt=OLD, b_txt=OLD)


def test_a_disk_that_refuses_leaves_everything_as_it_was(dataset: Dataset) -> None:
    """Here the trash can't be created: then no file is replaced either."""
    dataset.library.trash.parent.mkdir(exist_ok=True)
    dataset.library.trash.write_text("a file where the trash should be")
    with pytest.raises(LocalError):
        write_caption(dataset, "a.txt", "mine", replaces=md5(OLD))
    assert tree(dataset.path) == {"a.txt": OLD}


# --- races -------------------------------------------------------------------------------------------------------

THEIRS = b"A stellar sketch\n"
assert len(THEIRS) == len(OLD)


def overwrite(path: Path) -> None:
    path.write_bytes(THEIRS)


def overwrite_unseen(path: Path) -> None:
    """Same size, same time."""
    facts = path.stat()
    path.write_bytes(THEIRS)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replace(path: Path) -> None:
    """As an editor saves: a new file, renamed into place."""
    path.with_name("b.swap").write_bytes(THEIRS)
    path.with_name("b.swap").rename(path)


def grow(path: Path) -> None:
    """Beyond what can be read."""
    path.write_bytes(b"x" * (MAX_CAPTION_BYTES + 1))


def after_look(number: int, then: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an action just after a save has read the file for the `number`th time."""
    real, looks = read_file, []

    def looking(*args: object, **kwargs: object) -> object:
        found = real(*args, **kwargs)  # type: ignore[arg-type]
        looks.append(found)
        if len(looks) == number:
            then()
        return found

    monkeypatch.setattr(edit_caption, "read_file", looking)


@pytest.mark.parametrize("look", [1, 2])
@pytest.mark.parametrize("change", [overwrite, overwrite_unseen, replace, grow, Path.unlink])
def test_an_edit_by_another_program_in_the_midst_of_a_save_is_never_lost(
    look: int, change: Callable[[Path], None], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison of the digest and the last check, and between that and the rename."""
    path = dataset.path / "a.txt"
    after_look(look, lambda: change(path), monkeypatch)
    with pytest.raises((FileChanged, Unreadable)):
        write_caption(dataset, "a.txt", "mine", replaces=md5(OLD))
    theirs = {overwrite: THEIRS, overwrite_unseen: THEIRS, replace: THEIRS, grow: b"x" * (MAX_CAPTION_BYTES + 1)}
    assert tree(dataset.path) == ({"a.txt": theirs[change]} if change in theirs else {})
    assert trashed(dataset) == []


@pytest.mark.parametrize("look", [1, 2])
def test_a_file_that_appears_in_the_midst_of_a_save_is_never_lost(
    look: int, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_look(look, lambda: overwrite(dataset.path / "new.txt"), monkeypatch)
    with pytest.raises(FileChanged):
        write_caption(dataset, "new.txt", "mine", replaces=None)
    untouched(dataset, a_txt=OLD, new_txt=THEIRS)


def test_of_many_saves_of_one_text_one_wins_and_the_others_are_told(dataset: Dataset) -> None:
    """In every round: no two saves replace the same text."""
    digest = md5(OLD)
    barrier = threading.Barrier(8)

    def save(text: str) -> str | None:
        barrier.wait()
        try:
            return write_caption(dataset, "a.txt", text, replaces=digest).md5
        except FileChanged:
            return None

    with ThreadPoolExecutor(8) as pool:
        for turn in range(30):
            won = [found for found in pool.map(save, [f"{turn} by {n}" for n in range(8)]) if found]
            assert len(won) == 1
            digest = won[0]
            assert md5((dataset.path / "a.txt").read_bytes()) == digest
    assert len(trashed(dataset)) == 30


def test_a_reader_sees_the_old_or_the_new_text_at_every_moment(dataset: Dataset) -> None:
    """Trainers read captions while they are edited."""
    path = dataset.path / "a.txt"
    texts = [OLD, *(f"{n} {'word ' * 4000}".encode() for n in range(20))]
    seen: set[bytes] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_bytes())

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        wait_for(lambda: texts[0] in seen)
        for before, after in itertools.pairwise(texts):
            write_caption(dataset, "a.txt", after.decode(), replaces=md5(before))
        wait_for(lambda: texts[-1] in seen)
        stop.set()
        reading.result()
    assert seen <= set(texts)


# --- the way back ------------------------------------------------------------------------------------------------


def test_the_text_before_an_edit_can_be_restored(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = library_on(seaweedfs)
    (library.root / NAME / "sub").mkdir(parents=True)
    dataset = library.dataset("82")
    (dataset.path / "sub/ünï.txt").write_bytes(b"caf\xe9\r\n")
    write_caption(dataset, "sub/ünï.txt", "a mistake\n", replaces=md5(b"caf\xe9\r\n"))
    (entry,) = trash_entries(library)
    assert (entry.side, entry.dataset, entry.key, entry.size) == ("disk", NAME, "sub/ünï.txt", 6)
    restored = restore.restore(library, entry.batch)
    assert ([e.key for e in restored.entries], restored.failures) == (["sub/ünï.txt"], ())
    assert (dataset.path / "sub/ünï.txt").read_bytes() == b"caf\xe9\r\n"
    (back,) = trash_entries(library)
    assert (back.key, back.batch != entry.batch) == ("sub/ünï.txt", True), "the mistake is kept in turn"
    assert (library.trash / back.batch / NAME / back.key).read_bytes() == b"a mistake\r\n"


def test_an_edit_does_not_reach_into_the_trash(dataset: Dataset) -> None:
    """The trash keeps the old bytes for good, also where it has a link to the old file."""
    digest = write_caption(dataset, "a.txt", "first", replaces=md5(OLD)).md5
    with (dataset.path / "a.txt").open("r+b") as file:
        file.write(b"FIRST")
    assert trashed(dataset) == [("a.txt", OLD)]
    with pytest.raises(HashmarkError):
        write_caption(dataset, "a.txt", "second", replaces=digest)
    shutil.rmtree(dataset.library.trash)
    assert (dataset.path / "a.txt").read_bytes() == b"FIRST"
