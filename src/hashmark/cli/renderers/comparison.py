"""Renders comparisons: one line for a dataset, then the files that need attention."""

from __future__ import annotations

from hashmark.cli.output import Output, Text
from hashmark.cli.renderers.elements import name, padded
from hashmark.core.display import reveal
from hashmark.core.ignored import IgnoredNames
from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import FileStatus, Verdict
from hashmark.core.report import Summary
from hashmark.core.vocabulary import ATTENTION, CAPTION_ISSUES, COLOURS, EMPTY, VERDICTS, Colour, reason_of
from hashmark.library.dataset import Dataset

BAR_WIDTH = 20
NAME_CELLS = 24


def colour_of(verdict: Verdict) -> Colour:
    """Return the colour and sign of a verdict."""
    return COLOURS[VERDICTS[verdict].colour]


def bar(summary: Summary) -> Text:
    """Return a bar of green, grey, other and red shares of all files. Each share that is not 0 gets a cell at least."""
    shares: dict[str, int] = {}
    for verdict, count in summary.counts.items():
        style = colour_of(verdict).terminal
        shares[style] = shares.get(style, 0) + count
    text = Text()
    room = BAR_WIDTH - sum(1 for count in shares.values() if count)
    done = cells = 0
    for style, char in (("green", "█"), ("bright_black", "▒"), ("blue", "▒"), ("yellow", "▒"), ("red", "░")):
        if not shares.get(style):
            continue
        done += shares[style]
        upto = round(room * done / summary.total)
        text.append(char * (1 + upto - cells), style)
        cells = upto
    return text or Text("·" * BAR_WIDTH, "bright_black")


def counts(summary: Summary) -> Text:
    """Return the files by verdict, as `271 synced · 271 local-changed`."""
    text = Text()
    for verdict in (Verdict.SYNCED, *ATTENTION):
        if summary.counts[verdict]:
            text.append(" · " if text else "", "dim")
            text.append(f"{summary.counts[verdict]} {verdict}", colour_of(verdict).terminal)
    return text or Text(EMPTY, "dim")


def proof(summary: Summary) -> str:
    """Return the files by evidence, as `etag-md5 540, size 2`."""
    return ", ".join(f"{name} {count}" for name, count in summary.evidence.most_common() if count)


def status_line(dataset: Dataset, summary: Summary) -> Text:
    """Return one dataset on one line."""
    line = Text()
    line.append(f"{padded(name(dataset.name), NAME_CELLS)} ", "bold")
    line.append_text(bar(summary))
    line.append("  ")
    line.append_text(counts(summary))
    if evidence := proof(summary):
        line.append(f"   by {evidence}", "dim")
    return line


def health_line(health: CaptionHealth, out: Output) -> None:
    """Write the caption issues on one line, if there are any."""
    if health.issues:
        listed = " · ".join(f"{count} {CAPTION_ISSUES[code].label}" for code, count in health.issues.items())
        out.print(Text(f"  captions: {listed}", "yellow"), end="")
        out.print(Text("   see `hashmark lint`", "dim"))


def ignored_lines(ignored: IgnoredNames, objects: IgnoredNames, out: Output) -> None:
    """Write what was left out of the comparison of a dataset, on one line for each side that has any."""
    for found, where in ((ignored, "on disk"), (objects, "in the bucket")):
        if found.count:
            out.print(Text(f"  {found.count} ignored {where}: {found}", "dim"))


def attention(summary: Summary, out: Output, limit: int) -> None:
    """Write the files that need attention, the most urgent verdicts first."""
    for verdict in ATTENTION:
        rows = summary.attention.get(verdict, [])
        if not summary.counts[verdict]:
            continue
        out.print(Text(f"\n{summary.counts[verdict]} {verdict}", f"bold {colour_of(verdict).terminal}"), end="")
        out.print(Text(f"  {VERDICTS[verdict].meaning}", "dim"))
        for row in rows[:limit]:
            out.print(file_line(row))
        if summary.counts[verdict] > limit:
            out.print(Text(f"  … and {summary.counts[verdict] - limit} more (--full lists them)", "dim"))


def file_line(row: FileStatus) -> Text:
    """Return one file: sign, name, and reason."""
    colour = colour_of(row.verdict)
    line = Text(f"  {colour.sign} ", colour.terminal)
    line.append(name(row.key), "default")
    why = reason_of(row) or (f"by {row.evidence}" if row.evidence else "")
    if why:
        line.append(f"   {reveal(why)}", "dim")
    return line
