"""Renders changes of captions: differences word by word, previews and results of cleanings and undos, in pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hashmark.cli.output import Output, Text
from hashmark.cli.renderers.elements import counted, name, not_done
from hashmark.core.display import reveal

if TYPE_CHECKING:
    from hashmark.actions.clean import Applied, Preview
    from hashmark.actions.diff import CaptionDiff
    from hashmark.core.word_diff import Piece
    from hashmark.trash.undo import UndoResult

PAGE = 20
FLAGS_SHOWN = 20


def diff_text(diff: CaptionDiff, out: Output) -> None:
    """Write one caption: text that only the bucket has struck out in red, text that only the disk has in green."""
    out.print(Text(f"{name(diff.status.key)}  ({diff.status.verdict})", "bold"))
    if diff.note:
        out.print(Text(f"  {reveal(diff.note)}", "dim"))
    pieces_text(diff.pieces, out)


def pieces_text(pieces: Iterable[Piece], out: Output) -> None:
    """Write a difference: removed text struck out in red, added text underlined in green; in a pipe `[-…-]` `{+…+}`."""
    from hashmark.core.word_diff import PieceChange  # noqa: PLC0415 - only for a difference

    line = Text("  ")
    for piece in pieces:
        text = reveal(piece.text).replace("\n", "\n  ")
        if piece.change is PieceChange.BOTH:
            line.append(text)
        else:
            removed = piece.change is PieceChange.REMOVED
            marked = f"[-{text}-]" if removed else f"{{+{text}+}}"
            line.append(marked if not out.is_terminal else text, "red strike" if removed else "green underline")
    out.print(line)


def preview_text(preview: Preview, out: Output, *, page: int | None) -> None:
    """Write how many files each rule would change, one page of the differences (None: all), then the flags."""
    total = len(preview.changes)
    out.print(
        Text(f"{name(preview.dataset.name)}: {total} of {preview.captions} captions would change", "bold"), end=""
    )
    out.print(Text(f"  profile {preview.pipeline.options.profile}", "dim"))
    _counts(preview.counts, out)
    start = 0 if page is None else (page - 1) * PAGE
    shown = preview.changes[start : None if page is None else start + PAGE]
    for change in shown:
        out.print()
        out.print(Text(name(change.key), "bold"), end="")
        out.print(Text(f"  {', '.join(change.rules)}", "dim"))
        if change.note:
            out.print(Text(f"  {reveal(change.note)}", "dim"))
        pieces_text(change.pieces, out)
    if len(shown) < total:
        out.print(_pages(page or 1, total))
    _flags(preview, out)
    _left(preview, out)
    if total:
        out.print(Text("\nNothing was written. Add --apply to write the changes.", "dim"))


def _pages(page: int, total: int) -> Text:
    last = (total + PAGE - 1) // PAGE
    if page > last:
        return Text("\nThere is 1 page." if last == 1 else f"\nThere are {last} pages.", "dim")
    more = f"; --page {page + 1} shows the next, --full shows everything" if page < last else ""
    return Text(f"\npage {page} of {last}{more}", "dim")


def _counts(counts: dict[str, int], out: Output) -> None:
    for rule, count in counts.items():
        if count:
            out.print(Text(f"  {rule:<20}{count:>6}"))


def _flags(preview: Preview, out: Output) -> None:
    if not preview.flags:
        return
    out.print(Text("\nNeeds review:", "yellow"))
    for key, flag in preview.flags[:FLAGS_SHOWN]:
        out.print(Text(f"  {name(key)}: {flag.rule}: {reveal(flag.message)}", "yellow"))
    if len(preview.flags) > FLAGS_SHOWN:
        out.print(Text(f"  and {len(preview.flags) - FLAGS_SHOWN} more (--json lists them)", "dim"))


def _left(preview: Preview, out: Output) -> None:
    for failure in preview.skipped:
        out.print(Text(f"  skipped: {name(failure.key)}: {reveal(failure.message)}", "red"))
    if preview.orphans:
        example = f"such as {name(preview.orphans[0])}; --select includes them"
        out.print(Text(f"  left alone: {counted(len(preview.orphans), 'caption')} without an image, {example}", "dim"))


def applied_text(applied: Applied, out: Output) -> None:
    """Write what was changed, and how to undo it."""
    preview, outcome = applied.preview, applied.outcome
    changed = f"{name(preview.dataset.name)}: {len(outcome.done)} of {preview.captions} captions cleaned"
    out.print(Text(changed, "bold"))
    _counts(preview.counts, out)
    _flags(preview, out)
    _left(preview, out)
    not_done(outcome.failures, outcome.stopped_by, outcome.not_tried, out)
    if outcome.batch:
        out.print(Text(f"  undo: hashmark undo {outcome.batch}", "dim"))


def undone_text(undone: UndoResult, out: Output) -> None:
    """Write what was restored, and the files that were edited since with the difference."""
    outcome = undone.outcome
    unchanged = f", {undone.unchanged} already as before" if undone.unchanged else ""
    again = undone.batch.undoes and "-clean-" in undone.batch.undoes
    restored = "cleaned again" if again else "as before that undo" if undone.batch.undoes is not None else "restored"
    captions = f"{counted(len(outcome.done), 'caption')} {restored}"
    out.print(Text(f"{name(undone.batch.journal.dataset)}: {captions}{unchanged}", "bold"))
    for refused in undone.conflicts:
        out.print(Text(f"  left alone: {name(refused.key)} {refused.reason}: [-before-] {{+now+}}", "yellow"))
        pieces_text(refused.pieces, out)
    not_done(outcome.failures, outcome.stopped_by, outcome.not_tried, out)
    if outcome.batch:
        out.print(Text(f"  redo: hashmark undo {outcome.batch}", "dim"))
