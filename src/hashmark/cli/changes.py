"""Turns cleanings and undos into text for people: counts by rule, flags, and differences word by word, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hashmark.cli.output import Output, Text
from hashmark.cli.render import failures, name, pieces_text
from hashmark.core.display import reveal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hashmark.actions.clean import Applied, CaptionChange, Preview
    from hashmark.trash.batch import Batch
    from hashmark.trash.batch_rewrite import BatchOutcome
    from hashmark.trash.undo import UndoResult

PAGE = 20
FLAGS_SHOWN = 20


def preview_text(preview: Preview, out: Output, *, page: int | None) -> None:
    """What would change: how many files by each rule, then one page of the differences (None: all), then the flags."""
    total = len(preview.changes)
    head = f"{name(preview.dataset.name)}: {total} of {preview.captions} captions would change"
    out.print(Text(head, "bold"), end="")
    out.print(Text(f"  as {preview.pipeline.options.profile}", "dim"))
    _counts(preview.counts, out)
    start = 0 if page is None else (page - 1) * PAGE
    shown = preview.changes[start : None if page is None else start + PAGE]
    for change in shown:
        out.print()
        change_text(change, out)
    if len(shown) < total:
        out.print(_pages(page or 1, total))
    _flags(preview, out)
    _left(preview, out)
    if total:
        out.print(Text("\nNothing was written: --apply does.", "dim"))


def _pages(page: int, total: int) -> Text:
    last = (total + PAGE - 1) // PAGE
    if page > last:
        return Text("\nThere is 1 page." if last == 1 else f"\nThere are {last} pages.", "dim")
    more = f"; --page {page + 1} shows the next, --all everything" if page < last else ""
    return Text(f"\npage {page} of {last}{more}", "dim")


def _counts(counts: dict[str, int], out: Output) -> None:
    for rule, count in counts.items():
        if count:
            out.print(Text(f"  {rule:<20}{count:>6}"))


def change_text(change: CaptionChange, out: Output) -> None:
    """One caption: what goes struck out in red, what comes in green."""
    out.print(Text(name(change.key), "bold"), end="")
    out.print(Text(f"  {', '.join(change.rules)}", "dim"))
    if change.note:
        out.print(Text(f"  {reveal(change.note)}", "dim"))
    pieces_text(change.pieces, out)


def _flags(preview: Preview, out: Output) -> None:
    if not preview.flags:
        return
    out.print(Text("\nTo look at:", "yellow"))
    for key, flag in preview.flags[:FLAGS_SHOWN]:
        out.print(Text(f"  {name(key)}: {flag.rule}: {reveal(flag.message)}", "yellow"))
    if len(preview.flags) > FLAGS_SHOWN:
        out.print(Text(f"  and {len(preview.flags) - FLAGS_SHOWN} more; --json has all", "dim"))


def _left(preview: Preview, out: Output) -> None:
    for failure in preview.skipped:
        out.print(Text(f"  skipped: {name(failure.key)}: {reveal(failure.message)}", "red"))
    if preview.orphans:
        count = len(preview.orphans)
        out.print(
            Text(f"  {count} without an image left alone, such as {name(preview.orphans[0])}; --select them", "dim")
        )


def applied_text(applied: Applied, out: Output) -> None:
    """What was written, and how to take it back."""
    preview, outcome = applied.preview, applied.outcome
    changed = f"{name(preview.dataset.name)}: {len(outcome.done)} of {preview.captions} captions cleaned"
    out.print(Text(changed, "bold"))
    _counts(preview.counts, out)
    _flags(preview, out)
    _left(preview, out)
    _outcome(outcome, out)
    if outcome.batch:
        out.print(Text(f"  take it back: hashmark undo {outcome.batch}", "dim"))


def _outcome(outcome: BatchOutcome, out: Output) -> None:
    failures(outcome.failures, out)
    if outcome.stopped_by:
        out.print(Text(f"  stopped: {reveal(str(outcome.stopped_by))}", "red"))
    if outcome.not_tried:
        out.print(Text(f"  {outcome.not_tried} not tried; run the command again to finish", "yellow"))


def undone_text(undone: UndoResult, out: Output) -> None:
    """What is back, and what was edited since, with the difference."""
    outcome = undone.outcome
    was = f", {undone.unchanged} were as before" if undone.unchanged else ""
    out.print(Text(f"{name(undone.batch.journal.dataset)}: {_back(undone)}{was}", "bold"))
    for refused in undone.conflicts:
        out.print(Text(f"  left as it is: {name(refused.key)} {refused.reason}: [-before-] {{+now+}}", "yellow"))
        pieces_text(refused.pieces, out)
    _outcome(outcome, out)
    if outcome.batch:
        out.print(Text(f"  take that back: hashmark undo {outcome.batch}", "dim"))


def _back(undone: UndoResult) -> str:
    count, of = len(undone.outcome.done), undone.batch.undoes
    captions = "1 caption" if count == 1 else f"{count} captions"
    if of is not None and "-clean-" in of:
        return f"the cleaning is back in {captions}"
    return f"{captions} {'is' if count == 1 else 'are'} {'back' if of is None else 'as before that undo'}"


def batches_table(found: Sequence[Batch], unreadable: Sequence[str], out: Output) -> None:
    """Batches that can be undone, a line each; then those with a journal that can't be read."""
    if not found and not unreadable:
        out.print(Text("There is nothing to undo.", "dim"))
    if found:
        rows = ((b.name, name(b.journal.dataset), str(b.left), reveal(b.journal.what)) for b in found)
        out.table(("batch", "dataset", "files", "what"), rows)
    for batch in unreadable:
        out.print(Text(f"{batch}  its journal can't be read: use hashmark trash restore {batch}", "yellow"))
