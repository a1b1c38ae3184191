"""All exit statuses, and what leads to each."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from hashmark.core.errors import (
    HashmarkError,
    ImageRefused,
    Interrupted,
    LocalError,
    NotInSync,
    RefusedPlan,
    StoreError,
)
from hashmark.core.model import Verdict
from hashmark.core.report import DatasetStatus, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hashmark.actions.clean import Applied, Preview
    from hashmark.actions.doctor import Check
    from hashmark.actions.move import Planned, Result
    from hashmark.actions.rename import PlannedRename, RenameResult
    from hashmark.core.lint.findings import LintReport
    from hashmark.trash.undo import UndoResult


class Exit(IntEnum):
    """An exit status."""

    DONE = 0
    NOT_IN_SYNC = 1
    FOUND = 1
    USAGE = 2
    STORE = 3
    PARTLY = 4
    INTERRUPTED = 130
    PIPE = 141


def for_error(error: HashmarkError) -> Exit:
    """Return the status of a command that ended with an error."""
    if isinstance(error, Interrupted):
        return Exit.INTERRUPTED
    if isinstance(error, StoreError):
        return Exit.STORE
    if isinstance(error, NotInSync):
        return Exit.NOT_IN_SYNC
    if isinstance(error, LocalError | RefusedPlan | ImageRefused):
        return Exit.PARTLY
    return Exit.USAGE


def for_status(found: DatasetStatus | Summary, *, complete: bool) -> Exit:
    """Return the status of a comparison. Nothing on either side leaves nothing to do, though it is not in sync."""
    refused = found.counts.get(Verdict.REFUSED, 0)
    if refused or not complete:
        return Exit.PARTLY
    return Exit.DONE if found.in_sync or not sum(found.counts.values()) else Exit.NOT_IN_SYNC


def for_lint(found: LintReport) -> Exit:
    """Return the status of a lint: 1 if there are findings, 4 if something could not be read."""
    if found.problems:
        return Exit.PARTLY
    return Exit.FOUND if found.findings else Exit.DONE


_REFUSED = {Verdict.REFUSED, Verdict.DIFFERS}
"""What a push or pull does not do unless the user changes something: the name, or what to take."""


def for_result(result: Result) -> Exit:
    """Return the status of a push, pull or delete: 1 if something needs a decision by the user."""
    state = result.outcome.state
    if state.interrupted:
        return Exit.INTERRUPTED
    if result.outcome.fatal and not state.files_done:
        return for_error(result.outcome.fatal)
    return for_plan(result.planned) if result.carried_out else Exit.PARTLY


def for_plan(planned: Planned) -> Exit:
    """Return the status of a plan that is only shown: that of a run in which no file fails."""
    unresolved = {row.status.verdict for row in planned.plan.unresolved}
    if unresolved & _REFUSED or not planned.status.complete:
        return Exit.PARTLY
    return Exit.NOT_IN_SYNC if unresolved else Exit.DONE


def for_checks(checks: Sequence[Check]) -> Exit:
    """Return the status of a doctor: 3 if nothing works, 1 if something works with limits."""
    if any(check.vital and check.ok is False for check in checks):
        return Exit.STORE
    return Exit.DONE if all(check.ok for check in checks) else Exit.FOUND


def for_renamed(result: RenameResult) -> Exit:
    """Return the status of a rename: 0 if no two names collide any more."""
    if result.interrupted:
        return Exit.INTERRUPTED
    left = result.failures or result.not_tried or result.planned.plan.left_alone
    return Exit.PARTLY if left else Exit.DONE


def for_rename_plan(planned: PlannedRename) -> Exit:
    """Return the status of a rename that is only shown: that of a run in which no file fails."""
    return Exit.PARTLY if planned.plan.left_alone else Exit.DONE


def worst(statuses: list[Exit]) -> Exit:
    """Return one status for several datasets: the most severe."""
    order = (Exit.DONE, Exit.NOT_IN_SYNC, Exit.PARTLY, Exit.USAGE, Exit.STORE, Exit.INTERRUPTED)
    return max(statuses, key=order.index, default=Exit.DONE)


def for_preview(preview: Preview) -> Exit:
    """Return the status of the preview of a cleaning: 1 if something would change."""
    if preview.skipped:
        return Exit.PARTLY
    return Exit.NOT_IN_SYNC if preview.changes else Exit.DONE


def for_applied(applied: Applied) -> Exit:
    """Return the status of a cleaning: 0 if every caption is clean now."""
    if applied.outcome.interrupted:
        return Exit.INTERRUPTED
    return Exit.PARTLY if applied.failures or applied.outcome.not_tried else Exit.DONE


def for_undone(undone: UndoResult) -> Exit:
    """Return the status of an undo: 0 if every file is as it was."""
    if undone.outcome.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if undone.complete else Exit.PARTLY
