"""The examples of `python.md`: `make check` checks their types, and a test runs each against a real store."""

from __future__ import annotations

from pathlib import Path

import hashmark
from hashmark import Dataset, HashmarkError, JobState, Library, Result, Verdict


def start(folder: Path, bucket: str, endpoint_url: str | None) -> list[str]:
    """Make a folder a library, and list its datasets."""
    with hashmark.init(folder, bucket, endpoint_url=endpoint_url) as library:
        failed = [check.name for check in hashmark.doctor(library) if check.ok is False]
        return [dataset.name for dataset in library.datasets()] + failed


def compare(library: Library) -> list[str]:
    """Return the captions that are not in the bucket as they are on disk."""
    found = hashmark.status(library.dataset("82"))
    if found.in_sync:
        return []
    return [str(row.key) for row in found.of(Verdict.LOCAL_CHANGED, Verdict.LOCAL_ONLY)]


def upload_captions(dataset: Dataset) -> Result:
    """Push the captions, and say what is left."""
    result = hashmark.push(dataset, select="*.txt")
    if not result.done:
        reasons = {left.status.key: left.reason for left in result.left_alone}
        errors = {failure.key: failure.message for failure in result.failures}
        raise SystemExit(f"Not in sync: {reasons or errors}")
    return result


def download(dataset: Dataset) -> Result:
    """Make the disk like the bucket: the bucket's version wins, and what only the disk has goes to the trash."""
    planned = hashmark.plan(dataset, "pull", take="theirs", delete=True, max_delete=10)
    if any(action.replaces for action in planned.plan.actions):
        pass  # show it to somebody first
    return hashmark.run(planned)


def with_progress(dataset: Dataset) -> list[str]:
    """Verify every byte, and collect lines of progress."""
    lines: list[str] = []

    def on_progress(state: JobState) -> None:
        lines.append(f"{state.files_done} of {state.files} files, {state.bytes_moved} bytes, {state.eta} s left")

    hashmark.verify(dataset, on_progress=on_progress)
    return lines


def clean_captions(library: Library) -> int:
    """Show what cleaning would change, write it, and take it back."""
    dataset = library.dataset("82")
    found = hashmark.preview(dataset, profile="tags", rules=["spaces", "duplicates"], select="*.txt")
    if not found.changes:
        return 0
    applied = hashmark.apply(found)
    hashmark.undo(library)
    return len(applied.outcome.done)


def what_to_do_for_kohya(dataset: Dataset) -> dict[str, list[str]]:
    """Return the files of each finding for one trainer, with what to do about it."""
    return {finding.claim.do: list(finding.keys) for finding in hashmark.lint(dataset, "kohya").findings}


def words_that_differ(dataset: Dataset) -> dict[str, list[str]]:
    """Return for each caption that differs the words that only the disk has."""
    return {
        str(caption.status.key): [piece.text for piece in caption.pieces if piece.change == "added"]
        for caption in hashmark.diff(dataset)
    }


def delete_and_restore(library: Library) -> int:
    """Move a pair to the trash, on disk and in the bucket, and restore it."""
    result = hashmark.delete(library.dataset("82"), select="0001.*", where="both", max_delete=4)
    if not result.trash:
        return 0
    kept = list(hashmark.trash_list(library, result.trash))
    hashmark.trash_restore(library, result.trash)
    return len(kept)


def report(folder: Path) -> str:
    """Say whether a dataset is in sync, or why that can't be told."""
    try:
        with Library.open(folder) as library:
            return repr(hashmark.status(library.dataset("82")))
    except HashmarkError as error:
        return f"{error.code}: {error.message} {error.hint}"
