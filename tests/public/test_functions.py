"""The Python API takes what people write, refuses what it does not understand, and says what is in sync."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import hashmark
from hashmark import Dataset, HashmarkError, JobState, Library, Result, Verdict
from hashmark.cli.exits import Exit, for_result
from hashmark.core.errors import RefusedPlan, UsageError
from support.datasets import LibraryMaker, dataset_of, edit_keeping_size_and_time, fill, not_synced, pairs
from support.stores import Store


@pytest.fixture(name="dataset")
def fixture_dataset(seaweedfs: Store, library_on: LibraryMaker) -> Dataset:
    """A dataset of five pairs, nothing pushed yet."""
    return dataset_of(library_on(seaweedfs))


def conflict(dataset: Dataset, key: str = "0001.txt") -> None:
    """Change a file that was pushed on both sides."""
    dataset.library.bucket.put(dataset.prefix + key, b"theirs")
    (dataset.path / key).write_bytes(b"mine, edited")


# --- what is taken -----------------------------------------------------------------------------------------------


def test_a_single_string_is_one_glob(dataset: Dataset) -> None:
    hashmark.push(dataset, select="*.txt")
    assert {row.key for row in hashmark.ls_remote(dataset)} == {key for key in pairs() if key.endswith(".txt")}
    hashmark.push(dataset, select=["0000.png", "0001.*"])
    names = {row.key for row in hashmark.ls_remote(dataset)}
    assert {"0000.png", "0001.png"} <= names
    assert "0002.png" not in names


def test_a_selection_that_matches_nothing_is_an_error(dataset: Dataset) -> None:
    for call in (hashmark.push, hashmark.verify, hashmark.preview):
        with pytest.raises(UsageError, match="matches --select"):
            call(dataset, select="*.jpeg")


def test_take_is_a_word_and_decides_a_conflict(dataset: Dataset) -> None:
    hashmark.push(dataset)
    conflict(dataset)
    assert not hashmark.push(dataset).done
    assert hashmark.push(dataset, take="mine").done
    assert dataset.library.bucket.get(dataset.prefix + "0001.txt") == b"mine, edited"
    conflict(dataset)
    assert hashmark.pull(dataset, take="theirs").done
    assert (dataset.path / "0001.txt").read_bytes() == b"theirs"


def test_a_plan_takes_a_direction_as_a_word(dataset: Dataset) -> None:
    planned = hashmark.plan(dataset, "push", select="*.png")
    assert len(planned.plan.actions) == 5
    assert hashmark.run(planned).done


def test_verify_needs_a_dataset_alone(dataset: Dataset) -> None:
    hashmark.push(dataset)
    found = hashmark.verify(dataset)
    assert found.in_sync
    assert {row.evidence for row in found.files} == {"body"}
    assert {row.key for row in hashmark.verify(dataset, select="*.txt").files if row.evidence == "body"} >= {"0000.txt"}


def test_status_compares_with_a_saved_listing(dataset: Dataset, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text('{"files": ["0000.txt"], "count": 1}')
    found = hashmark.status(dataset, against=str(saved))
    assert found.counts == {"local-only": 9, "unverified": 1}


def test_a_dataset_may_be_named_by_a_path(dataset: Dataset) -> None:
    assert dataset.library.dataset(dataset.path) == dataset


# --- what is refused ---------------------------------------------------------------------------------------------

API: Any = hashmark
"""The same module, called as a type checker would not let it be."""

CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    "select-number": (lambda d: API.push(d, select=5), TypeError, r"select is a string such as '\*.txt'"),
    "select-bytes": (lambda d: API.pull(d, select=b"*"), TypeError, "select is a string"),
    "select-inside": (lambda d: API.push(d, select=["*.txt", None]), TypeError, "select has strings"),
    "select-none-left": (lambda d: API.push(d, select=[]), ValueError, "select is empty"),
    "select-empty": (lambda d: API.verify(d, select=""), ValueError, "select has an empty string"),
    "take-word": (lambda d: API.push(d, take="ours"), ValueError, "take is one of 'mine', 'theirs', 'newer'"),
    "take-kind": (lambda d: API.push(d, take=True), TypeError, "take is one of"),
    "take-other": (lambda d: API.push(d, take="theirs"), ValueError, "A push takes 'mine' or 'newer'"),
    "take-pull": (lambda d: API.pull(d, take="mine"), ValueError, "A pull takes 'theirs' or 'newer'"),
    "unknown": (lambda d: API.push(d, force=True), TypeError, "unexpected keyword argument 'force'"),
    "positional": (lambda d: API.push(d, "*.txt"), TypeError, "takes 1 positional argument"),
    "delete": (lambda d: API.push(d, delete="no"), TypeError, "delete is True or False"),
    "max": (lambda d: API.push(d, max_delete=-1), ValueError, "max_delete is 0 or more"),
    "max-kind": (lambda d: API.push(d, max_delete="3"), TypeError, "max_delete is a whole number"),
    "direction": (lambda d: API.plan(d, "upload"), ValueError, "direction is one of 'push', 'pull'"),
    "direction-delete": (lambda d: API.plan(d, "delete"), ValueError, "`plan_delete` plans a delete"),
    "where": (lambda d: API.delete(d, select="*", where="s3"), ValueError, "where is one of 'disk', 'bucket'"),
    "delete-all": (lambda d: API.delete(d, select=None, where="disk"), TypeError, "selects every file"),
    "dataset": (lambda _d: API.status("82"), TypeError, r"A dataset is needed, such as `library.dataset\('82'\)`"),
    "library": (API.undo, TypeError, "A library is needed"),
    "batch": (lambda d: API.undo(d.library, 5), TypeError, "batch is a string such as 'last'"),
    "run": (API.run, TypeError, "What `plan` or `plan_delete` returned is needed"),
    "apply": (API.apply, TypeError, "What `preview` returned is needed"),
    "progress": (lambda d: API.push(d, on_progress=3), TypeError, "on_progress is a function"),
    "cancel": (lambda d: API.verify(d, cancel=True), TypeError, "cancel is a threading.Event"),
    "deep": (lambda d: API.status(d, deep="yes"), TypeError, "deep is True or False"),
    "profile": (lambda d: API.clean(d, profile="words"), ValueError, "profile is one of 'tags', 'prose'"),
    "settings": (lambda d: API.clean(d, settings="trigger=x"), TypeError, "settings is a dict"),
    "name": (lambda d: d.library.dataset(82), TypeError, "A dataset's name is a string, such as '82'"),
    "init": (lambda d: API.init(d.path.parent / "new", None), TypeError, "remote is a string"),
}


@pytest.mark.parametrize("case", CALLS)
def test_what_is_not_understood_is_refused_before_anything_is_done(case: str, dataset: Dataset) -> None:
    call, kind, words = CALLS[case]
    before = {path: path.read_bytes() for path in dataset.path.iterdir()}
    with pytest.raises(kind, match=words):
        call(dataset)
    assert not list(hashmark.ls_remote(dataset))
    assert {path: path.read_bytes() for path in dataset.path.iterdir()} == before


# --- done ------------------------------------------------------------------------------------------------------------


def ended(result: Result) -> bool:
    """Return whether everything is done, as the exit status says too."""
    assert result.done == (for_result(result) is Exit.DONE)
    return result.done


def test_done_says_that_everything_asked_for_is_in_sync(dataset: Dataset) -> None:
    result = hashmark.push(dataset)
    assert (ended(result), result.carried_out, result.left_alone) == (True, True, ())


def test_a_conflict_that_is_left_is_not_done(dataset: Dataset) -> None:
    hashmark.push(dataset)
    conflict(dataset)
    for move in (hashmark.push, hashmark.pull):
        result = move(dataset)
        assert (ended(result), result.carried_out) == (False, True)
        assert [(left.status.key, left.status.verdict) for left in result.left_alone] == [("0001.txt", "conflict")]
    assert ended(hashmark.push(dataset, select="*.png")), "it was not asked for"


def test_a_difference_that_is_left_is_not_done(dataset: Dataset) -> None:
    dataset.library.bucket.put(dataset.prefix + "0000.txt", b"somebody else's")
    assert not ended(hashmark.push(dataset))
    assert not_synced(hashmark.status(dataset)) == {"0000.txt": Verdict.DIFFERS}


def test_what_only_the_other_side_has_is_done_without_delete(dataset: Dataset) -> None:
    hashmark.push(dataset)
    (dataset.path / "0000.txt").unlink()
    result = hashmark.push(dataset)
    assert (ended(result), len(result.left_alone)) == (True, 1)
    assert not hashmark.status(dataset).in_sync


def test_a_file_that_can_t_be_named_in_a_bucket_is_not_done(dataset: Dataset) -> None:
    fill(dataset, {"bad\nname.txt": b"x"})
    assert not ended(hashmark.push(dataset))


# --- progress and cancelling -------------------------------------------------------------------------------------


def test_progress_is_reported_at_least_at_the_end(dataset: Dataset) -> None:
    seen: list[JobState] = []
    hashmark.status(dataset, on_progress=seen.append)
    assert (seen[-1].compared, seen[-1].ended) == (10, True)
    for call in (hashmark.push, hashmark.verify):
        seen.clear()
        call(dataset, on_progress=seen.append)
        assert (seen[-1].files, seen[-1].files_done, seen[-1].ended) == (10, 10, True)


def test_a_run_can_be_cancelled(dataset: Dataset) -> None:
    cancel = threading.Event()
    cancel.set()
    result = hashmark.push(dataset, cancel=cancel)
    assert (result.done, result.carried_out) == (False, False)


# --- the functions that are new ----------------------------------------------------------------------------------


def test_captions_are_previewed_cleaned_and_restored(dataset: Dataset) -> None:
    caption = dataset.path / "0000.txt"
    caption.write_text("a,  b ,a\n")
    found = hashmark.preview(dataset, profile="tags", select="0000.txt")
    assert [change.key for change in found.changes] == ["0000.txt"]
    assert caption.read_text() == "a,  b ,a\n"
    assert hashmark.apply(found).outcome.done == ("0000.txt",)
    assert caption.read_text() == "a, b\n"
    assert hashmark.undo(dataset.library).complete
    assert caption.read_text() == "a,  b ,a\n"
    assert hashmark.clean(dataset, rules="spaces", settings={"profile": "tags"}, select="0000.txt").outcome.batch
    assert caption.read_text() == "a, b ,a\n"


def test_deletes_need_a_number_above_a_tenth(dataset: Dataset) -> None:
    hashmark.push(dataset)
    with pytest.raises(RefusedPlan, match="would move 2 files") as raised:
        hashmark.delete(dataset, select="0001.*", where="bucket")
    assert "max_delete=2" in raised.value.hint
    result = hashmark.delete(dataset, select="0001.*", where="bucket", max_delete=2)
    assert result.done
    assert result.trash
    assert [entry.key for entry in hashmark.trash_list(dataset.library)] == ["0001.png", "0001.txt"]
    assert len(hashmark.trash_restore(dataset.library, result.trash).entries) == 2
    assert hashmark.status(dataset).in_sync
    hashmark.delete(dataset, select="0001.txt", where="disk", max_delete=1)
    assert hashmark.trash_empty(dataset.library) == 1
    assert not list(hashmark.trash_list(dataset.library))


def test_diff_takes_one_key_or_several(dataset: Dataset) -> None:
    hashmark.push(dataset)
    for key in ("0000.txt", "0001.txt"):
        edit_keeping_size_and_time(dataset.path / key)
    assert [found.status.key for found in hashmark.diff(dataset)] == ["0000.txt", "0001.txt"]
    assert [found.status.key for found in hashmark.diff(dataset, "0001.png")] == ["0001.txt"]


def test_lint_takes_one_trainer_or_several_and_reports_its_images(dataset: Dataset) -> None:
    fill(dataset, {"0000.txt": b"", "lone.txt": b"without an image"})
    (dataset.path / "0001.txt").unlink()
    seen: list[int] = []
    found = hashmark.lint(dataset, "kohya", on_progress=lambda state: seen.append(state.files_done))
    images = len(list(dataset.path.glob("*.png")))
    assert [str(trainer) for trainer in found.trainers] == ["kohya"]
    assert {finding.trainer for finding in found.findings} <= {None, "kohya"}
    assert "0001.png" in {key for finding in found.findings for key in finding.keys}
    assert seen[-1] == images > 0
    assert [str(trainer) for trainer in hashmark.lint(dataset, ["musubi", "kohya"]).trainers] == ["musubi", "kohya"]
    assert len(hashmark.lint(dataset).trainers) == 6
    assert repr(found).startswith("<LintReport 82_stellar_sketch: ")
    assert all(len(repr(finding)) < 200 for finding in found.findings)


def test_lint_refuses_what_it_does_not_understand(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="trainers is one of 'kohya'"):
        hashmark.lint(dataset, "koyha")
    with pytest.raises(ValueError, match="trainers is empty"):
        hashmark.lint(dataset, [])
    with pytest.raises(TypeError, match="A dataset is needed"):
        hashmark.lint("82")  # type: ignore[arg-type]
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(HashmarkError, match="cancelled"):
        hashmark.lint(dataset, cancel=cancel)


# --- what is printed -----------------------------------------------------------------------------------------------


def test_what_is_printed_in_a_session_is_short(dataset: Dataset) -> None:
    fill(dataset, {f"{n:04d}.txt": b"x" for n in range(200)} | {"n" * 200 + ".txt": b"long"})
    planned = hashmark.plan(dataset, "push")
    result = hashmark.run(planned)
    (dataset.path / "0000.txt").write_text("  edited  \n")
    found, preview = hashmark.status(dataset), hashmark.preview(dataset)
    applied = hashmark.apply(preview)
    shown: list[Any] = [
        dataset.library, dataset, found, found.files, planned, planned.plan, result, preview, applied,
        hashmark.undo(dataset.library), *found.files,
    ]  # fmt: skip
    for value in shown:
        assert len(repr(value)) < 200, repr(value)
    assert repr(dataset) == "<Dataset 82_stellar_sketch>"
    assert repr(found.files) == "<206 files: 205 synced, 1 local-changed>"
    assert "206 of 206 done, 0 failed, 0 left alone" in repr(result)


# --- a closed library ------------------------------------------------------------------------------------------------


def test_a_closed_library_says_so(dataset: Dataset) -> None:
    hashmark.status(dataset)
    dataset.library.close()
    for call in (hashmark.status, hashmark.push, hashmark.verify, lambda d: list(hashmark.diff(d))):
        with pytest.raises(HashmarkError, match=r"The library .* is closed\. Open it again"):
            call(dataset)
    dataset.library.close()


def test_a_library_is_made_by_a_function(tmp_path: Path) -> None:
    (tmp_path / "library" / "82_a").mkdir(parents=True)
    with hashmark.init(str(tmp_path / "library"), "s3://styles/x") as library:
        assert [each.name for each in library.datasets()] == ["82_a"]
    with Library.open(tmp_path / "library") as library:
        assert library.settings.remote.url == "s3://styles/x"
    with pytest.raises(HashmarkError, match="already exists"):
        hashmark.init(tmp_path / "library", "s3://styles/x")
