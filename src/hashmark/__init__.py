"""hashmark proves whether the training images and captions on your disk are the ones in your S3 bucket.

    from hashmark import Library, push, status

    with Library.open("/data/styles") as library:
        dataset = library.dataset("82")
        found = status(dataset)
        if not found.in_sync:
            push(dataset)

The names in `__all__` are the public surface (`docs/python.md`); everything else may change. They are loaded when
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hashmark._version import __version__

if TYPE_CHECKING:
    from hashmark.actions.clean import Applied, Preview
    from hashmark.actions.diff import CaptionDiff
    from hashmark.actions.doctor import Check, doctor
    from hashmark.actions.init import init
    from hashmark.actions.ls_remote import ls_remote
    from hashmark.actions.move import Planned, Result
    from hashmark.core.errors import HashmarkError, NotInSync
    from hashmark.core.events import JobState
    from hashmark.core.lint.findings import Finding, LintReport
    from hashmark.core.model import Evidence, FileStatus, Kind, Verdict
    from hashmark.core.plan import Direction, Location, Side
    from hashmark.core.report import DatasetStatus
    from hashmark.library.dataset import Dataset
    from hashmark.library.library import Library
    from hashmark.public.caption_cleaning import apply, clean, preview, undo
    from hashmark.public.comparing import diff, status, verify
    from hashmark.public.linting import lint
    from hashmark.public.moving import delete, plan, plan_delete, pull, push, run
    from hashmark.public.trashed import trash_empty, trash_list, trash_restore
    from hashmark.trash.contents import TrashEntry
    from hashmark.trash.restore import RestoreResult
    from hashmark.trash.undo import UndoResult

__all__ = [
    "Applied",
    "CaptionDiff",
    "Check",
    "Dataset",
    "DatasetStatus",
    "Direction",
    "Evidence",
    "FileStatus",
    "Finding",
    "HashmarkError",
    "JobState",
    "Kind",
    "Library",
    "LintReport",
    "Location",
    "NotInSync",
    "Planned",
    "Preview",
    "RestoreResult",
    "Result",
    "Side",
    "TrashEntry",
    "UndoResult",
    "Verdict",
    "__version__",
    "apply",
    "clean",
    "delete",
    "diff",
    "doctor",
    "init",
    "lint",
    "ls_remote",
    "plan",
    "plan_delete",
    "preview",
    "pull",
    "push",
    "run",
    "status",
    "trash_empty",
    "trash_list",
    "trash_restore",
    "undo",
    "verify",
]

_HOMES = {
    "hashmark.actions.clean": (
        "Applied",
        "Preview",
    ),
    "hashmark.actions.diff": ("CaptionDiff",),
    "hashmark.actions.doctor": (
        "Check",
        "doctor",
    ),
    "hashmark.actions.init": ("init",),
    "hashmark.actions.ls_remote": ("ls_remote",),
    "hashmark.actions.move": (
        "Planned",
        "Result",
    ),
    "hashmark.core.errors": ("HashmarkError", "NotInSync"),
    "hashmark.core.events": ("JobState",),
    "hashmark.core.lint.findings": ("Finding", "LintReport"),
    "hashmark.core.model": (
        "Evidence",
        "FileStatus",
        "Kind",
        "Verdict",
    ),
    "hashmark.core.plan": (
        "Direction",
        "Location",
        "Side",
    ),
    "hashmark.core.report": ("DatasetStatus",),
    "hashmark.library.dataset": ("Dataset",),
    "hashmark.library.library": ("Library",),
    "hashmark.public.caption_cleaning": (
        "apply",
        "clean",
        "preview",
        "undo",
    ),
    "hashmark.public.comparing": (
        "diff",
        "status",
        "verify",
    ),
    "hashmark.public.linting": ("lint",),
    "hashmark.public.moving": (
        "delete",
        "plan",
        "plan_delete",
        "pull",
        "push",
        "run",
    ),
    "hashmark.public.trashed": (
        "trash_empty",
        "trash_list",
        "trash_restore",
    ),
    "hashmark.trash.contents": ("TrashEntry",),
    "hashmark.trash.restore": ("RestoreResult",),
    "hashmark.trash.undo": ("UndoResult",),
}


if not TYPE_CHECKING:  # a type checker reads the imports above, and tells of a name that there is not

    def __getattr__(name: str) -> Any:
        from importlib import import_module  # noqa: PLC0415 - importing the package costs nothing

        for module, names in _HOMES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module 'hashmark' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
