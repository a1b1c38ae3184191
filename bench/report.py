"""The results as JSON and as docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cases import Case
from hashmark.native import kernel

RUN = ("machine", "server", "date", "notes")
"""Facts about a run. A case kept from another run carries that run's facts."""

INTRO = """# Benchmarks

Written by `make bench`; do not edit. {machine}; {server}; {date}.

In each round, every program ran once; the store ran on the same machine and shared its cores. Times are medians of
wall-clock seconds over the number of runs shown. Each ratio divides a run by the first row's run of the same round:
median (minimum–maximum). A table without ratios has a different input in each row. A proxy counted the requests in a
separate run. The programs compare different things; the last column says what. Linux never reports a peak memory below
what the benchmark itself held when it started the program; a ≤ marks such values.
{notes}"""


def describe(cases: Sequence[Case], *, server: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return all measurements as plain data."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "server": server,
        "notes": list(notes),
        "cases": [case.to_json() for case in cases],
    }


def machine() -> str:
    """Describe this machine: processor, cores, memory, system and Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = os.cpu_count()
    return (
        f"{names[0] if names else platform.machine()}, {cores} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, hashing by {kernel.describe()}"
    )


def markdown(found: dict[str, Any]) -> str:
    """Render the page."""
    notes = [f"\n- {note}" for note in found["notes"]]
    parts = [INTRO.format(**{**found, "notes": "".join(notes) + "\n" if notes else ""})]
    parts += [_table(case, found) for case in found["cases"]]
    return "\n".join(parts)


def _table(case: dict[str, Any], run: dict[str, Any]) -> str:
    rows = case["rows"]
    in_turn = rows[0]["ratio"] is not None
    asked = any(row["found"] is not None for row in rows)
    compared = any(row["compares"] for row in rows)
    heads = ["program", "seconds", "runs", *["ratio"] * in_turn, "CPU s", "peak MB", *["requests"] * in_turn]
    heads += [*["found"] * asked, *["compares"] * compared]
    lines = [f"## {case['title']}: {case['input']}", ""]
    if other := _other_run(case, run):
        lines += [other, ""]
    lines += [_line(heads), _line(["---"] * len(heads))]
    for row in rows:
        cells = [row["program"], f"{row['median']:.2f}", str(len(row["wall"]))]
        cells += [_ratio(*row["ratio"])] if in_turn else []
        cells += [f"{row['cpu']:.2f}", ("≤ " if row["peak_at_most"] else "") + f"{row['peak'] / 1e6:.0f}"]
        cells += ["–" if row["requests"] is None else str(row["requests"])] if in_turn else []
        cells += [str(row["found"])] if asked else []
        cells += [row["compares"]] if compared else []
        lines.append(_line(cells))
    return "\n".join([*lines, ""])


def _other_run(case: dict[str, Any], run: dict[str, Any]) -> str:
    """Describe how the run of a case differs from the page's run; empty if it does not."""
    facts = [case[name] for name in RUN if name != "notes" and case.get(name, run[name]) != run[name]]
    notes = [note for note in case.get("notes", ()) if note not in run["notes"]]
    if not facts and not notes:
        return ""
    return " ".join([f"Measured in another run{': ' if facts else ''}{'; '.join(facts)}.", *notes])


def _ratio(middle: float, least: float, most: float) -> str:
    return f"{middle:.2f} ({least:.2f}–{most:.2f})"


def cases_in(folder: Path) -> list[dict[str, Any]]:
    """Read the cases that `folder` already holds, each with the facts of its run."""
    path = folder / "benchmarks.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    return [{name: found[name] for name in RUN} | case for case in found["cases"]]


def _name(case: dict[str, Any]) -> tuple[str, str]:
    return case["title"], case["input"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(found: dict[str, Any], folder: Path, *, kept: Sequence[dict[str, Any]] = ()) -> None:
    """Write both forms to `folder`, together with the `kept` cases of earlier runs."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = {_name(case): case for case in (*kept, *found["cases"])}  # a case measured again keeps its position
    found = found | {"cases": list(cases.values())}
    (folder / "benchmarks.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(markdown(found))
