"""Exit statuses, all of them, and what leads to each."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from hashmark.core.errors import HashmarkError, Interrupted, LocalError, RefusedPlan, StoreError
from hashmark.core.model import Verdict
from hashmark.core.report import DatasetStatus, Summary

if TYPE_CHECKING:
    from hashmark.actions.move import Result
    from hashmark.core.lint.findings import LintReport


class Exit(IntEnum):
    """What the shell is told."""

    DONE = 0
    NOT_IN_SYNC = 1
    FOUND = 1
    USAGE = 2
    STORE = 3
    PARTLY = 4
    INTERRUPTED = 130
    PIPE = 141


def for_error(error: HashmarkError) -> Exit:
    """The status for a command that ended with an error."""
    if isinstance(error, Interrupted):
        return Exit.INTERRUPTED
    if isinstance(error, StoreError):
        return Exit.STORE
    if isinstance(error, LocalError | RefusedPlan):
        return Exit.PARTLY
    return Exit.USAGE


def for_status(found: DatasetStatus | Summary, *, complete: bool) -> Exit:
    """The status for a comparison."""
    refused = found.counts.get(Verdict.REFUSED, 0)
    if refused or not complete:
        return Exit.PARTLY
    return Exit.DONE if found.in_sync else Exit.NOT_IN_SYNC


def for_lint(found: LintReport) -> Exit:
    """The status for a lint: 1 where something was found, 4 where something could not be looked at."""
    if found.problems:
        return Exit.PARTLY
    return Exit.FOUND if found.findings else Exit.DONE


_STILL_OPEN = {Verdict.CONFLICT, Verdict.UNVERIFIED, Verdict.REMOTE_CHANGED, Verdict.LOCAL_CHANGED}


def for_result(result: Result) -> Exit:
    """The status for a push, pull or delete: 1 where something needs a decision that the user has not made."""
    state = result.outcome.state
    if state.interrupted:
        return Exit.INTERRUPTED
    if result.outcome.fatal and not state.files_done:
        return for_error(result.outcome.fatal)
    left = {row.status.verdict for row in result.planned.plan.left_alone}
    if not result.done or Verdict.REFUSED in left or not result.planned.status.complete:
        return Exit.PARTLY
    return Exit.NOT_IN_SYNC if left & _STILL_OPEN else Exit.DONE


def worst(statuses: list[Exit]) -> Exit:
    """One status for several datasets: the one that says most."""
    order = (Exit.DONE, Exit.NOT_IN_SYNC, Exit.PARTLY, Exit.USAGE, Exit.STORE, Exit.INTERRUPTED)
    return max(statuses, key=order.index, default=Exit.DONE)
