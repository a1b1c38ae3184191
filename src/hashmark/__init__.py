"""hashmark proves whether the training images and captions on your disk are the ones in your S3 bucket.

    from hashmark import Library, push, status

    with Library.open("/data/styles") as library:
        dataset = library.dataset("82")
        found = status(dataset)
        if not found.in_sync:
            push(dataset)

The names in `__all__` are the public surface; everything else may change. They are loaded when first used, so
that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hashmark._version import __version__

if TYPE_CHECKING:
    from hashmark.actions.ls_remote import ls_remote
    from hashmark.actions.move import Planned, Result, plan, pull, push, run
    from hashmark.actions.status import Options, status
    from hashmark.actions.verify import verify
    from hashmark.core.errors import HashmarkError, NotInSync
    from hashmark.core.model import Evidence, FileStatus, Kind, Verdict
    from hashmark.core.plan import Direction, Policy, Side
    from hashmark.core.report import DatasetStatus
    from hashmark.library.dataset import Dataset
    from hashmark.library.library import Library

__all__ = [
    "Dataset",
    "DatasetStatus",
    "Direction",
    "Evidence",
    "FileStatus",
    "HashmarkError",
    "Kind",
    "Library",
    "NotInSync",
    "Options",
    "Planned",
    "Policy",
    "Result",
    "Side",
    "Verdict",
    "__version__",
    "ls_remote",
    "plan",
    "pull",
    "push",
    "run",
    "status",
    "verify",
]

_HOMES = {
    "hashmark.actions.ls_remote": ("ls_remote",),
    "hashmark.actions.move": ("Planned", "Result", "plan", "pull", "push", "run"),
    "hashmark.actions.status": ("Options", "status"),
    "hashmark.actions.verify": ("verify",),
    "hashmark.core.errors": ("HashmarkError", "NotInSync"),
    "hashmark.core.model": ("Evidence", "FileStatus", "Kind", "Verdict"),
    "hashmark.core.plan": ("Direction", "Policy", "Side"),
    "hashmark.core.report": ("DatasetStatus",),
    "hashmark.library.dataset": ("Dataset",),
    "hashmark.library.library": ("Library",),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - importing the package costs nothing

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'hashmark' has no attribute '{name}'")
