"""Cleaning a dataset's captions: exactly what the preview shows is written, and nothing else changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hashmark import Dataset, Library
from hashmark.actions.clean import apply, pipeline_of, preview
from hashmark.core.cleaning import Pipeline
from hashmark.core.errors import Busy, Interrupted, LocalError, SettingsError, UsageError
from hashmark.core.events import Event, JobState, reduce
from hashmark.core.word_diff import PieceChange as Side
from hashmark.disk import rewrite
from hashmark.library.settings import create
from hashmark.trash.batch import undoable_batches
from support.file_trees import stamp, tree

NAME = "82_stellar_sketch"
TABLE = """
[datasets."82_stellar_sketch".clean]
profile = "tags"
trigger = "ohwx"
blacklist = ["watermark"]
"""


@pytest.fixture(name="library")
def fixture_library(tmp_path: Path) -> Iterator[Library]:
    """A library whose bucket gets no request."""
    create(tmp_path / "library", {"url": "s3://nobody-asks/p"}, TABLE)
    (tmp_path / "library" / NAME).mkdir()
    (tmp_path / "library" / "10_ink").mkdir()
    with Library.open(tmp_path / "library") as library:
        yield library


@pytest.fixture(name="dataset")
def fixture_dataset(library: Library) -> Dataset:
    return library.dataset("82")


def put(dataset: Dataset, **captions: bytes) -> None:
    """Captions with their images; `sub__a` is `sub/a`."""
    for name, data in captions.items():
        path = dataset.path / f"{name.replace('__', '/')}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.with_suffix(".png").write_bytes(b"image")


def captions(dataset: Dataset) -> dict[str, bytes]:
    return {key.removesuffix(".txt"): data for key, data in tree(dataset.path).items() if key.endswith(".txt")}


TAGS = Pipeline.parse({"profile": "tags"})
PROSE = Pipeline.parse({})


# --- preview -----------------------------------------------------------------------------------------------------


def test_a_preview_tells_what_would_change_and_writes_nothing(dataset: Dataset) -> None:
    put(dataset, a=b"dog,,dog", b=b"cat, solo", c=b"\xef\xbb\xbfcat ,solo", d=b" , ")
    before = {path: stamp(path) for path in dataset.path.iterdir()}
    found = preview(dataset, TAGS)
    assert (found.captions, [change.key for change in found.changes]) == (4, ["a.txt", "c.txt"])
    assert [(change.before, change.after) for change in found.changes] == [
        (b"dog,,dog", b"dog"),
        (b"\xef\xbb\xbfcat ,solo", b"cat, solo"),
    ]
    assert {rule: count for rule, count in found.counts.items() if count} == {
        "bom": 1,
        "separators": 2,
        "duplicates": 1,
    }
    assert list(found.counts) == ["decode", *TAGS.names, "empty"]
    assert [(key, flag.rule) for key, flag in found.flags] == [("d.txt", "empty")]
    assert found.flag_counts == {"empty": 1}
    assert {path: stamp(path) for path in dataset.path.iterdir()} == before
    assert not dataset.library.trash.exists()


def test_a_difference_is_told_word_by_word(dataset: Dataset) -> None:
    put(dataset, a="a  cat, caf\u00e9".encode("utf-16"))
    change = preview(dataset, PROSE).changes[0]
    pieces = [(piece.change, piece.text) for piece in change.pieces]
    assert pieces == [(Side.BOTH, "a"), (Side.REMOVED, " "), (Side.BOTH, " cat, caf\u00e9")]
    assert change.note == "encoded as utf-16, becomes utf-8"
    assert change.to_json() == {
        "key": "a.txt",
        "rules": ["decode", "spaces"],
        "remove": False,
        "note": "encoded as utf-16, becomes utf-8",
        "pieces": [{"change": side, "text": text} for side, text in pieces],
    }


def test_the_preview_as_plain_data_has_a_page_of_the_changes(dataset: Dataset) -> None:
    put(dataset, a=b"a ", b=b"b ", c=b"c ", d=b"caf\xe9")
    (dataset.path / "lonely.txt").write_bytes(b"x ")
    (dataset.path / "e.png").write_bytes(b"image")
    (dataset.path / "e.txt").mkdir()
    data = preview(dataset, PROSE).to_json(1, 2)
    assert [change["key"] for change in data.pop("changes")] == ["b.txt", "c.txt"]
    assert {name for name, count in data.pop("counts").items() if count} == {"decode", "spaces"}
    message = data["flags"][0].pop("message")
    assert "read as Windows-1252" in message
    assert data == {
        "dataset": NAME,
        "profile": "prose",
        "looked": 5,
        "changed": 4,
        "flagCounts": {"decode": 1},
        "flags": [{"key": "d.txt", "rule": "decode"}],
        "skipped": [{"key": "e.txt", "code": "not-a-file", "message": "'e.txt' is a folder, not a caption."}],
        "orphans": ["lonely.txt"],
    }


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 << 20)


def _symlink(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real").name)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\x00"), "undecodable", "byte 0x00 at 8 is neither UTF-8"),
        (
            lambda path: path.write_bytes("кот ".encode("utf-16-le")),
            "undecodable",
            "looks like UTF-16 without a byte order mark",
        ),
        (_large, "unreadable", "too large to be read (52428800 bytes)"),
        (lambda path: path.chmod(0o444), "read-only", "is read-only"),
        (_symlink, "unsafe-path", "is a symlink"),
    ],
)
def test_a_caption_that_can_not_be_cleaned_is_named_and_the_others_are_done(
    dataset: Dataset, spoil: Callable[[Path], None], code: str, said: str
) -> None:
    put(dataset, a=b"a ", b=b"b ")
    spoil(dataset.path / "a.txt")
    before = (dataset.path / "a.txt").read_bytes()
    found = preview(dataset, PROSE)
    assert [(failure.key, failure.code) for failure in found.skipped] == [("a.txt", code)]
    assert said in found.skipped[0].message
    applied = apply(found)
    assert applied.outcome.done == ("b.txt",)
    assert applied.failures == found.skipped
    assert (dataset.path / "a.txt").read_bytes() == before


def test_a_caption_whose_name_other_machines_can_not_have_is_named_with_what_to_do(dataset: Dataset) -> None:
    (dataset.path / "con.png").write_bytes(b"an image")
    (dataset.path / "con.txt").write_bytes(b"a ")
    (failure,) = preview(dataset, PROSE).skipped
    assert (failure.key, failure.code) == ("con.txt", "unsafe-path")
    assert failure.message.endswith("Rename it.")


def test_a_read_only_caption_that_is_clean_is_nothing_to_speak_of(dataset: Dataset) -> None:
    put(dataset, a=b"a")
    (dataset.path / "a.txt").chmod(0o444)
    assert preview(dataset, PROSE).skipped == ()


def test_a_caption_that_vanishes_is_named(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the walk and the reading, and between the preview and the writing."""
    put(dataset, a=b"a ", b=b"b ", c=b"c ")

    def vanish(event: Event) -> None:
        if type(event).__name__ == "Started":
            (dataset.path / "a.txt").unlink(missing_ok=True)

    found = preview(dataset, PROSE, on_event=vanish)
    assert [(failure.key, failure.code) for failure in found.skipped] == [("a.txt", "vanished")]
    (dataset.path / "b.txt").unlink()
    applied = apply(found)
    assert applied.outcome.done == ("c.txt",)
    assert [(failure.key, failure.code) for failure in applied.failures] == [
        ("a.txt", "vanished"),
        ("b.txt", "file-changed"),
    ]


def test_captions_without_an_image_are_left_alone_unless_they_are_selected(dataset: Dataset) -> None:
    """A file of sample prompts or notes has the name of a caption and is not one."""
    put(dataset, a=b"a ")
    (dataset.path / "prompts.txt").write_bytes(b"a cat  --w 512")
    found = preview(dataset, PROSE)
    assert (found.captions, found.orphans) == (1, ("prompts.txt",))
    for narrow in ({"select": ("p*",)}, {"keys": frozenset({"prompts.txt", "a.png"})}):
        found = preview(dataset, PROSE, **narrow)
        assert ([change.key for change in found.changes], found.orphans) == (["prompts.txt"], ())


def test_a_selection_narrows_and_a_glob_that_fits_nothing_is_an_error(dataset: Dataset) -> None:
    put(dataset, a=b"a ", b=b"b ", sub__c=b"c ")
    keys = frozenset({"b.png", "b.txt", "sub/c.txt"})
    assert [change.key for change in preview(dataset, PROSE, select=("*a.txt", "sub/*")).changes] == [
        "a.txt",
        "sub/c.txt",
    ]
    assert [change.key for change in preview(dataset, PROSE, keys=keys).changes] == ["b.txt", "sub/c.txt"]
    assert [change.key for change in preview(dataset, PROSE, keys=keys, select=("b*",)).changes] == ["b.txt"]
    assert preview(dataset, PROSE, keys=frozenset()).captions == 0
    with pytest.raises(UsageError, match=r"No caption of 82_stellar_sketch matches --select '\*\.png'"):
        preview(dataset, PROSE, select=("*.png",))
    with pytest.raises(UsageError, match=r"Did you mean 'a\.\*'\?"):
        preview(dataset, PROSE, select=("a",))


def test_an_order_by_frequency_counts_the_whole_dataset_clean(dataset: Dataset) -> None:
    """Whatever is selected. Cleaning twice equals cleaning once."""
    put(dataset, a=b"rare , dog", b=b"Dog, dog, cat", c=b"cat,dog", d=b"cat, bird")
    pipeline = Pipeline.parse({"profile": "tags", "order": {"by": "frequency"}})
    assert preview(dataset, pipeline, select=("a.txt",)).changes[0].after == b"dog, rare"
    apply(preview(dataset, pipeline))
    assert captions(dataset) == {"a": b"dog, rare", "b": b"cat, Dog", "c": b"cat, dog", "d": b"cat, bird"}
    assert preview(dataset, pipeline).changes == ()


def test_a_dataset_that_is_not_on_disk_has_nothing_to_clean(library: Library) -> None:
    assert preview(Dataset(library, "5_gone", "5"), PROSE).captions == 0


# --- apply -------------------------------------------------------------------------------------------------------


def test_only_files_whose_bytes_change_are_written(dataset: Dataset) -> None:
    """The other files keep their time and inode."""
    put(dataset, a=b"a  cat\r\n", b=b"a cat\n", c=b"caf\xe9", sub__d=b"x")
    before = {path: stamp(path) for path in sorted(dataset.path.rglob("*")) if path.is_file()}
    applied = apply(preview(dataset, PROSE))
    assert applied.outcome.done == ("a.txt", "c.txt")
    assert captions(dataset) == {"a": b"a cat\n", "b": b"a cat\n", "c": b"caf\xc3\xa9", "sub/d": b"x"}
    after = {path: stamp(path) for path in before}
    assert {path.name for path in before if before[path] != after[path]} == {"a.txt", "c.txt"}
    assert apply(preview(dataset, PROSE)).outcome.batch is None
    assert len(undoable_batches(dataset.library)) == 1


def test_what_no_rule_changes_stays_as_it_was_encoded(dataset: Dataset) -> None:
    """Encoding, byte order mark and line ends, where their rules do not run."""
    put(dataset, a=b"\xef\xbb\xbfa  b\r\n", b=b"girl\x92s  cat", c="a  b\r".encode("utf-16"))
    apply(preview(dataset, Pipeline.parse({"rules": ["spaces"]})))
    assert captions(dataset) == {"a": b"\xef\xbb\xbfa b\r\n", "b": b"girl\x92s cat", "c": "a b\r".encode("utf-16")}


def test_a_caption_that_was_edited_after_the_preview_is_left_as_it_is(dataset: Dataset) -> None:
    """Also if it has the same size and time as before."""
    put(dataset, a=b"a  cat", b=b"b ")
    found = preview(dataset, PROSE)
    facts = (dataset.path / "a.txt").stat()
    (dataset.path / "a.txt").write_bytes(b"a  dog")
    os.utime(dataset.path / "a.txt", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    applied = apply(found)
    assert [(failure.key, failure.code) for failure in applied.failures] == [("a.txt", "file-changed")]
    assert captions(dataset) == {"a": b"a  dog", "b": b"b"}


def test_a_caption_of_which_nothing_is_left_is_deleted_where_that_is_asked_for(dataset: Dataset) -> None:
    put(dataset, a=b" , ", b=b"b")
    found = preview(dataset, Pipeline.parse({"profile": "tags", "empty": "delete"}))
    assert [(change.key, change.after, change.rules) for change in found.changes] == [("a.txt", None, ("empty",))]
    assert found.counts["empty"] == 1
    apply(found)
    assert captions(dataset) == {"b": b"b"}


def test_events_add_up_to_what_was_done(dataset: Dataset) -> None:
    put(dataset, a=b"a ", b=b"b ", c=b"\x00\xff")
    events: list[Event] = []
    found = preview(dataset, PROSE, on_event=events.append)
    read, events = added_up(events), []
    apply(found, events.append)
    for state, done, failed in ((read, 2, 1), (added_up(events), 2, 0)):
        assert (state.files_done, len(state.failures), state.files) == (done, failed, done + failed)
        assert (state.ended, state.interrupted) == (True, False)


def added_up(events: list[Event]) -> JobState:
    state = JobState()
    for event in events:
        state = reduce(state, event)
    return state


def test_a_stop_while_looking_writes_nothing_and_while_writing_finishes_what_is_under_way(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(dataset, a=b"a ", b=b"b ", c=b"c ")
    stop = threading.Event()
    found = preview(dataset, PROSE)
    monkeypatch.setattr(rewrite, "MAX_FILES_PER_FLUSH", 2)
    applied = apply(found, lambda event: stop.set() if type(event).__name__ == "FileDone" else None, stop)
    assert (applied.outcome.done, applied.outcome.not_tried, applied.outcome.interrupted) == (
        ("a.txt", "b.txt"),
        1,
        True,
    )
    assert captions(dataset) == {"a": b"a", "b": b"b", "c": b"c "}
    with pytest.raises(Interrupted):
        preview(dataset, PROSE, cancel=stop)


def test_two_do_not_clean_one_dataset_at_the_same_time(dataset: Dataset) -> None:
    put(dataset, a=b"a ")
    found = preview(dataset, PROSE)
    with dataset.lock(), pytest.raises(Busy):
        apply(found)
    assert captions(dataset) == {"a": b"a "}


def test_nothing_is_changed_where_the_journal_can_not_be_written(dataset: Dataset) -> None:
    put(dataset, a=b"a ")
    dataset.library.own_folder().mkdir(exist_ok=True)
    dataset.library.trash.write_bytes(b"in the way")
    with pytest.raises(LocalError):
        apply(preview(dataset, PROSE))
    assert captions(dataset) == {"a": b"a "}


def test_what_is_told_of_a_cleaning_has_its_shape(dataset: Dataset) -> None:
    put(dataset, a=b"a ")
    data = apply(preview(dataset, PROSE)).to_json()
    assert data["changed"] == data["done"] == 1
    assert data["batch"] == undoable_batches(dataset.library)[0].name
    assert {name: data[name] for name in ("failed", "notTried", "interrupted", "stoppedBy")} == {
        "failed": [],
        "notTried": 0,
        "interrupted": False,
        "stoppedBy": None,
    }


# --- pipelines ---------------------------------------------------------------------------------------------------


def test_a_dataset_has_the_pipeline_of_its_settings(library: Library) -> None:
    """A dataset without settings gets the defaults for prose."""
    pipeline = pipeline_of(library.dataset("82"))
    assert pipeline.clean("dog, watermark").text == "ohwx, dog"
    assert pipeline_of(library.dataset("10")).options == PROSE.options


def test_what_is_said_for_one_run_goes_over_the_settings(dataset: Dataset) -> None:
    assert pipeline_of(dataset, {"trigger": "sks"}).clean("dog, watermark").text == "sks, dog"
    with pytest.raises(SettingsError, match="the rule 'blacklist' is for tags"):
        pipeline_of(dataset, {"profile": "prose"})


@pytest.mark.parametrize(
    ("only", "told", "names"),
    [
        (["spaces"], {}, ("spaces",)),
        (["spaces", "bom"], {}, ("spaces", "bom")),
        (["trigger"], {}, ("trigger",)),
        (["blacklist", "spaces"], {"trigger": "sks"}, ("blacklist", "spaces", "trigger")),
        (["spaces"], {"add": ["bom"], "preset": "thorough"}, ("spaces", "bom")),
        ([], {"append": "sketch"}, ("append",)),
    ],
)
def test_named_rules_run_alone_and_in_their_order(
    dataset: Dataset, only: list[str], told: dict[str, Any], names: tuple[str, ...]
) -> None:
    """With their parameters from the settings, and without the rules that the settings turn on."""
    assert pipeline_of(dataset, told, only=only).names == names


def test_settings_that_can_not_be_understood_name_their_file(tmp_path: Path) -> None:
    create(tmp_path, {"url": "s3://nobody-asks/p"}, '[datasets."82_x".clean]\ntriger = "x"\n')
    (tmp_path / "82_x").mkdir()
    with Library.open(tmp_path) as library, pytest.raises(SettingsError) as caught:
        pipeline_of(library.dataset("82"))
    where = f"{tmp_path}/hashmark.toml: [datasets.\"82_x\".clean]: 'triger' is not a setting."
    assert str(caught.value) == f"{where} Did you mean 'trigger'?"
