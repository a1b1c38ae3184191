"""`make stores`: measure every store and write docs/stores.md. Only its first lines are written by hand.

Each store is started and measured, and the conformance and flow tests run against it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import optional_stores
from support.quirks import QUIRKS
from support.store_behaviour import MEASURED, PROBED, VERSIONS

PAGE = Path(__file__).parent.parent / "docs" / "stores.md"
SUITES = ("tests/stores/test_conformance.py", "tests/stores/test_flows.py")

HEAD = """# Stores, as measured

`make stores` writes this page. It starts each of these stores on this machine, measures it, and runs the conformance
and flow tests against it. A cell shows what that run measured; `?` means that it could not be determined, an error is
the store's answer. `hashmark doctor` probes your own store in the same way.

Stores that are not listed were not measured.
"""


@dataclass(frozen=True)
class Column:
    """One store: its name and version, its cells by row, what they mean for hashmark, and its test results."""

    version: str
    rows: Mapping[str, str]
    effects: Sequence[str]
    passed: int
    ran: int
    failed: Sequence[str]


EMULATED = """
## Stores that cannot run here

`support/emulator.py` plays the quirks of stores that can't be started here. `tests/stores/test_quirk_matrix.py` pushes
a dataset to each, edits, pulls, verifies and deletes it, lets somebody else write in between, and compares each verdict
with the bytes on both sides: none may be wrong.

| quirk | emulated after | what hashmark does |
| --- | --- | --- |
"""


def page(columns: Sequence[Column]) -> str:
    """Render the page."""
    lines = [HEAD, _row("", [c.version for c in columns]), _row("---", ["---" for _ in columns])]
    lines += [_row(title, [c.rows.get(title, "") for c in columns]) for title in (*PROBED.values(), *MEASURED)]
    ran = [f"{c.passed} of {c.ran}" for c in columns]
    lines += [_row("tests passed", ran), "", "## What hashmark does about it", ""]
    for column in columns:
        said = "".join(f"\n  - {text}" for text in dict.fromkeys(column.effects)) or " nothing."
        lines.append(f"- **{column.version}**:{said}")
        if column.failed:
            lines.append("  - failing tests: " + "; ".join(f"`{name}`" for name in column.failed))
    return "\n".join(lines) + "\n" + emulated()


def emulated() -> str:
    """Render what the emulator plays."""
    rows = (f"| {title} | {played.after} | {played.answer} |\n" for title, played in QUIRKS.items())
    return EMULATED + "".join(rows)


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([title, *cells])} |"


def measure(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure the stores; leave out those that could not be started."""
    environment = os.environ | {"HASHMARK_MEASURED": str(folder), "HASHMARK_STORES": " ".join(names)}
    _pytest(["tests/stores/measure.py"], environment)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def suites(name: str, folder: Path) -> tuple[int, int, list[str]]:
    """Run the suites against a store; return how many tests passed, how many ran, and which failed."""
    report = folder / f"{name}.xml"
    _pytest([*SUITES, "-m", "not slow", "-k", name, f"--junitxml={report}"], os.environ | {"HASHMARK_STORES": name})
    cases = ET.parse(report).getroot().findall(".//testcase")
    bad = [case.get("name", "") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    said = {name.split("[")[0].removeprefix("test_").replace("_", " ") for name in bad}
    return len(cases) - len(bad), len(cases), sorted(said)


def _pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, env=environment, check=False)


def main(names: Sequence[str]) -> None:
    """Measure some stores, or all, and write the page."""
    names = list(names) or list(VERSIONS)
    installers = {"swift": optional_stores.install_swift, "s3rver": optional_stores.install_s3rver}
    for name in names:
        installers.get(name, lambda: None)()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(names, Path(scratch))
        ran = {name: suites(name, Path(scratch)) for name in names if name in found}
    columns = [Column(found[n]["version"], found[n]["rows"], found[n]["effects"], *ran[n]) for n in names if n in found]
    PAGE.write_text(page(columns))
    sys.stdout.write(f"{PAGE}: {len(columns)} stores, {len(PROBED) + len(MEASURED)} rows\n")


if __name__ == "__main__":
    main(sys.argv[1:])
