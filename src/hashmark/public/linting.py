"""Tells how trainers will read a dataset on disk, for Python programs: `lint`. Knows no trainer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from hashmark.actions import lint as lint_action
from hashmark.core.events import Ended, FilesRead, Started
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.findings import LintReport
from hashmark.library.dataset import Dataset
from hashmark.public.parameters import OnProgress, ProgressReport, check_cancel, check_dataset, choice, strings


def lint(
    dataset: Dataset,
    trainers: str | Iterable[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> LintReport:
    """Return what trainers will make of the files on disk that their user would not expect.

    `trainers` is the name of one, such as `"kohya"`, or several; the default is all that hashmark knows. The bucket is
    not asked. `on_progress` gets the images that were decoded, as `files_done`: each is decoded once, and its facts are
    remembered. Setting `cancel` ends it after the images under way.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: it was cancelled, or no image can be decoded.
    """
    check_dataset(dataset)
    check_cancel(cancel)
    names = strings("trainers", "kohya", trainers)
    wanted = [choice("trainers", name, Trainer) for name in names] or list(Trainer)
    report = ProgressReport(on_progress)

    def on_image(_done: int, _of: int) -> None:
        report.on_event(FilesRead(1, 0, time.time()))

    report.on_event(Started(0, 0, time.time()))
    found = lint_action.lint(dataset, wanted, on_image, cancel)
    report.on_event(Ended(interrupted=False, at=time.time()))
    return found
