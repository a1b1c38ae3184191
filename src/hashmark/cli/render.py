"""Turns what actions return into text for people. Colours and shapes are decided here, and nothing else.

Names of files and texts of captions are always shown as text, never as markup, with what is invisible spelled
out. What only some commands show is imported where it is shown: a `status` must not pay for it.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hashmark.cli.output import Output, Text, pour
from hashmark.core.display import printable, reveal
from hashmark.core.errors import HashmarkError
from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import FileStatus, Problem, Verdict
from hashmark.core.report import Summary
from hashmark.core.vocabulary import ATTENTION, CAPTION_ISSUES, COLOURS, VERDICTS, Colour, reason_of
from hashmark.library.dataset import Dataset

if TYPE_CHECKING:
    from hashmark.actions.diff import CaptionDiff
    from hashmark.actions.doctor import Check
    from hashmark.actions.move import Planned, Result
    from hashmark.core.events import Failure
    from hashmark.core.word_diff import Piece
    from hashmark.trash.contents import TrashEntry
    from hashmark.trash.restore import RestoreResult

BAR = 20
SHOWN = 20


def print_json(data: Any) -> None:
    """One JSON document on standard output, whose encoding may not have every letter."""
    import json

    every = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    pour(json.JSONEncoder(ensure_ascii=not every, indent=1).iterencode(data))
    sys.stdout.write("\n")
    sys.stdout.flush()


def name(key: str) -> str:
    """A key on one line, with nothing invisible in it."""
    return reveal(printable(key)).replace("\n", "")


def size(count: int) -> str:
    """Bytes, as `271.0 MB`."""
    from rich.filesize import decimal

    return decimal(count)


def error_text(error: HashmarkError) -> str:
    """An error for a person: what happened, then what to do."""
    return f"hashmark: {reveal(error.message)}" + (f"\n  {reveal(error.hint)}" if error.hint else "")


def error_json(error: HashmarkError) -> dict[str, str]:
    """An error as plain data."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _colour(verdict: Verdict) -> Colour:
    return COLOURS[VERDICTS[verdict].colour]


def bar(summary: Summary) -> Text:
    """Green, grey, other and red shares of all files, in that order; every share that is not 0 is seen."""
    shares: dict[str, int] = {}
    for verdict, count in summary.counts.items():
        style = _colour(verdict).terminal
        shares[style] = shares.get(style, 0) + count
    text = Text()
    room = BAR - sum(1 for count in shares.values() if count)
    done = cells = 0
    for style, char in (("green", "█"), ("bright_black", "▒"), ("blue", "▒"), ("yellow", "▒"), ("red", "░")):
        if not shares.get(style):
            continue
        done += shares[style]
        upto = round(room * done / summary.total)
        text.append(char * (1 + upto - cells), style)
        cells = upto
    return text or Text("·" * BAR, "bright_black")


def counts(summary: Summary) -> Text:
    """`271 synced · 271 local-changed`."""
    text = Text()
    for verdict in (Verdict.SYNCED, *ATTENTION):
        if summary.counts[verdict]:
            text.append(" · " if text else "", "dim")
            text.append(f"{summary.counts[verdict]} {verdict}", _colour(verdict).terminal)
    return text or Text("empty", "dim")


def proof(summary: Summary) -> str:
    """How it is known: `etag-md5 540, size 2`."""
    return ", ".join(f"{name} {count}" for name, count in summary.evidence.most_common() if count)


def status_line(dataset: Dataset, summary: Summary) -> Text:
    """One dataset on one line."""
    line = Text()
    line.append(f"{name(dataset.name):<24} ", "bold")
    line.append_text(bar(summary))
    line.append("  ")
    line.append_text(counts(summary))
    if known := proof(summary):
        line.append(f"   by {known}", "dim")
    return line


def health_line(health: CaptionHealth, out: Output) -> None:
    """What is not well with the captions, on one line; nothing where all is well."""
    if health.issues:
        said = " · ".join(f"{count} {CAPTION_ISSUES[code].label}" for code, count in health.issues.items())
        out.print(Text(f"  captions: {said}", "yellow"), end="")
        out.print(Text("   `hashmark lint` tells more", "dim"))


def attention(summary: Summary, out: Output, limit: int) -> None:
    """The files that need attention, the most urgent verdicts first."""
    for verdict in ATTENTION:
        rows = summary.attention.get(verdict, [])
        if not summary.counts[verdict]:
            continue
        out.print(Text(f"\n{summary.counts[verdict]} {verdict}", f"bold {_colour(verdict).terminal}"), end="")
        out.print(Text(f"  {VERDICTS[verdict].meaning}", "dim"))
        for row in rows[:limit]:
            out.print(file_line(row))
        if summary.counts[verdict] > limit:
            out.print(Text(f"  … and {summary.counts[verdict] - limit} more (--all names them)", "dim"))


def file_line(row: FileStatus) -> Text:
    """One file: sign, name, and why."""
    colour = _colour(row.verdict)
    line = Text(f"  {colour.sign} ", colour.terminal)
    line.append(name(row.key), "default")
    why = reason_of(row) or (f"by {row.evidence}" if row.evidence else "")
    if why:
        line.append(f"   {reveal(why)}", "dim")
    return line


def problems(rows: Iterable[Problem], out: Output, limit: int = SHOWN) -> None:
    """What kept something from being judged, and what is odd."""
    listed = list(rows)
    for problem in listed[:limit]:
        where = f"{name(problem.key)}: " if problem.key else ""
        out.print(Text(f"  ! {where}{reveal(problem.message)}", "yellow"))
    if len(listed) > limit:
        out.print(Text(f"  ! … and {len(listed) - limit} more (--json lists them)", "yellow"))


def plan_text(planned: Planned, out: Output, *, every: bool) -> None:
    """What would be done, and what is left alone."""
    plan = planned.plan
    verbs: dict[str, int] = {}
    for action in plan.actions:
        verbs[action.verb] = verbs.get(action.verb, 0) + 1
    does = ", ".join(f"{verb} {count}" for verb, count in verbs.items()) or "nothing to do"
    of = "" if plan.actions and plan.deletes == len(plan.actions) else f" ({size(plan.total_bytes)})"
    out.print(Text(f"{name(planned.dataset.name)}: {does}{of}", "bold"))
    if every:
        for action in plan.actions:
            mark = " (replaces)" if action.replaces else ""
            out.print(Text(f"  {action.verb} {name(action.key)}{mark}"))
    left_alone(planned, out)


def left_alone(planned: Planned, out: Output) -> None:
    """What is not in sync and is not touched, with the reason, a line each up to a limit."""
    rows = planned.plan.left_alone
    for row in rows[:SHOWN]:
        line = Text(f"  left alone: {name(row.status.key)} ", _colour(row.status.verdict).terminal)
        line.append(f"({row.status.verdict}) {reveal(row.reason)}", "dim")
        out.print(line)
    if len(rows) > SHOWN:
        out.print(Text(f"  … and {len(rows) - SHOWN} more left alone (--json lists them)", "dim"))


def result_text(result: Result, out: Output) -> None:
    """How a run ended: counts, every failure with its reason, and where overwritten content is."""
    state = result.outcome.state
    verbs = ", ".join(f"{verb} {count}" for verb, count in state.by_verb.items()) or "nothing to do"
    seconds = max(0.0, state.now - state.started_at)
    out.print(Text(f"{name(result.planned.dataset.name)}: {verbs}", "bold"), end="")
    out.print(Text(f"  {size(state.bytes_done)} in {seconds:.1f} s", "dim"))
    failures(result.failures, out)
    if result.outcome.fatal:
        out.print(Text(f"  stopped: {reveal(str(result.outcome.fatal))}", "red"))
    if result.outcome.not_tried:
        out.print(Text(f"  {result.outcome.not_tried} not tried; run the command again to finish", "yellow"))
    for note in result.notes:
        out.print(Text(f"  note: {note}", "dim"))
    if result.trash:
        plan = result.planned.plan
        seen = {"replaced": any(action.replaces for action in plan.actions), "deleted": plan.deletes > 0}
        what = " or ".join(word for word, is_so in seen.items() if is_so)
        out.print(Text(f"  what was {what} is in the trash: hashmark trash restore {result.trash}", "dim"))
    left_alone(result.planned, out)


def failures(rows: Iterable[Failure], out: Output) -> None:
    """Every file that was not done, and why."""
    for failure in rows:
        out.print(Text(f"  failed: {name(failure.key)}: {reveal(failure.message)}", "red"))


def diff_text(diff: CaptionDiff, out: Output) -> None:
    """One caption: what only the bucket has struck out in red, what only the disk has in green."""
    out.print(Text(f"{name(diff.status.key)}  ({diff.status.verdict})", "bold"))
    if diff.note:
        out.print(Text(f"  {reveal(diff.note)}", "dim"))
    pieces_text(diff.pieces, out)


def pieces_text(pieces: Iterable[Piece], out: Output) -> None:
    """A difference: what goes struck out in red, what comes underlined in green; in a pipe `[-so-]` and `{+so+}`."""
    from hashmark.core.word_diff import PieceChange

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


def check_line(check: Check) -> Text:
    """One line of the doctor's report."""
    sign, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}[check.ok]
    line = Text(f"{sign} ", style)
    line.append(f"{check.name:<20}", "bold")
    line.append(reveal(check.detail))
    line.append(f"\n  {'':<20}{reveal(check.meaning)}" if check.meaning else "", "dim")
    return line


def trash_table(entries: Iterable[TrashEntry], out: Output) -> None:
    """Batches of the trash, a line each."""
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for entry in entries:
        place = (entry.batch, entry.dataset, entry.side)
        files, total = sums.get(place, (0, 0))
        sums[place] = (files + 1, total + entry.size)
    if not sums:
        out.print(Text("The trash is empty.", "dim"))
        return
    rows = (
        (name(batch), name(dataset), side, str(files), size(total))
        for (batch, dataset, side), (files, total) in sorted(sums.items())
    )
    out.table(("batch", "dataset", "from", "files", "size"), rows)


def restored_text(restored: RestoreResult, batch: str, out: Output) -> None:
    """What of the batch is back, what it leaves, and where that is which it went over."""
    out.print(f"{len(restored.entries)} restored")
    failures(restored.failures, out)
    if restored.batch:
        out.print(f"  what was in the way: hashmark trash restore {restored.batch}", style="dim")
    if restored.created:
        count = len(restored.created)
        left = "1 file that it made remains" if count == 1 else f"{count} files that it made remain"
        out.print(f"  {left}: hashmark undo {batch}", style="yellow")
