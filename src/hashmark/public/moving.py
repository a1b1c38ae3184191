"""Plans and runs pushes, pulls and deletes, for Python programs."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from hashmark.actions import move
from hashmark.actions.move import Planned, Result
from hashmark.core.errors import RefusedPlan
from hashmark.core.plan import Direction, Location, Selection
from hashmark.library.dataset import Dataset
from hashmark.public.parameters import (
    OnProgress,
    ProgressReport,
    check_cancel,
    check_count,
    check_dataset,
    choice,
    globs,
    policy_of,
)


def plan(
    dataset: Dataset,
    direction: str,
    *,
    select: str | Iterable[str] | None = None,
    take: str | None = None,
    delete: bool = False,
    max_delete: int | None = None,
) -> Planned:
    """Compare, and decide what a push or a pull would do; do nothing yet. `run` carries it out.

    `direction` is `"push"` or `"pull"`; the other arguments are those of `push`.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: the bucket can't be listed, `select` matches no file, or deletes would be unsafe.
    """
    check_dataset(dataset)
    policy = policy_of(direction, select, take, max_delete, delete=delete)
    found = move.compared(dataset)
    Selection(policy.select).check((row.key for row in found.files), dataset.name)
    return move.plan_from(dataset, found, policy)


def plan_delete(dataset: Dataset, *, select: str | Iterable[str], where: str) -> Planned:
    """Compare, and decide which files would be moved to the trash; do nothing yet. `run` carries it out.

    `where` is `"disk"`, `"bucket"` or `"both"`.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: not everything could be read, or `select` matches no file.
    """
    check_dataset(dataset)
    location, chosen = choice("where", where, Location), globs(select)
    if not chosen:
        raise TypeError("select is a glob such as '0007.*', or several in a list; '*' selects every file.")
    planned = move.plan_delete(dataset, location, select=chosen)
    Selection(chosen).check((row.key for row in planned.status.files), dataset.name)
    return planned


def run(planned: Planned, *, on_progress: OnProgress | None = None, cancel: threading.Event | None = None) -> Result:
    """Carry out a plan, once, and record what it proves. What changed since the plan was made fails, and is reported.

    Setting `cancel`, from any thread, ends it after the files under way.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: another process holds the dataset's lock, the library can't be written, or the store can't be
            reached at all. Files that fail are in the result.
    """
    if not isinstance(planned, Planned):
        raise TypeError(f"What `plan` or `plan_delete` returned is needed, not {type(planned).__name__}.")
    check_cancel(cancel)
    return move.run(planned, ProgressReport(on_progress).on_event, cancel)


def push(
    dataset: Dataset,
    *,
    select: str | Iterable[str] | None = None,
    take: str | None = None,
    delete: bool = False,
    max_delete: int | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Result:
    """Upload what the bucket lacks; `Result.done` says whether everything that was asked for is in sync now.

    `select` is a glob such as `"*.txt"`, or several; `*` also matches `/`. `take` replaces the bucket's version where
    both sides changed, or differ without a common past: `"mine"` always, `"newer"` where the disk's is newer by its
    time. `delete` moves to the trash what only the bucket has: at most `max_delete` files, by default a tenth.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: as for `plan` and `run`.
    """
    planned = plan(dataset, Direction.PUSH, select=select, take=take, delete=delete, max_delete=max_delete)
    return run(planned, on_progress=on_progress, cancel=cancel)


def pull(
    dataset: Dataset,
    *,
    select: str | Iterable[str] | None = None,
    take: str | None = None,
    delete: bool = False,
    max_delete: int | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Result:
    """Download what the disk lacks. The arguments are those of `push`; `take` is `"theirs"` or `"newer"`.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: as for `plan` and `run`.
    """
    planned = plan(dataset, Direction.PULL, select=select, take=take, delete=delete, max_delete=max_delete)
    return run(planned, on_progress=on_progress, cancel=cancel)


def delete(
    dataset: Dataset,
    *,
    select: str | Iterable[str],
    where: str,
    max_delete: int | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Result:
    """Move the selected files to the trash, on the `"disk"`, in the `"bucket"` or on `"both"`.

    More than `max_delete` deletes, by default a tenth of the files, are refused, and nothing is done.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: there are too many deletes, or as for `plan_delete` and `run`.
    """
    check_count("max_delete", max_delete)
    planned = plan_delete(dataset, select=select, where=where)
    count, total = planned.plan.deletes, len(planned.status.files)
    limit = total // 10 if max_delete is None else max_delete
    if count > limit:
        would = f"This would move {count} files to the trash ({total} in the dataset, limit {limit})."
        raise RefusedPlan(would, f"Nothing was done. To allow it, pass max_delete={count}.", deletes=count)
    return run(planned, on_progress=on_progress, cancel=cancel)
