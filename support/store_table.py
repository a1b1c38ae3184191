"""`make stores`: measures every store and writes docs/stores.md. Nothing in that page is typed but its first lines.

Each store is started afresh, asked what it does (`measure`), and run through the tests of conformance and of flows.
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
from support.store_behaviour import ABILITIES, ASKS, VERSIONS

PAGE = Path(__file__).parent.parent / "docs" / "stores.md"
SUITES = ("tests/stores/test_conformance.py", "tests/stores/test_flows.py")

HEAD = """# Stores, as measured

Written by `make stores`, which starts each of these on this machine, asks it, and runs the tests of conformance and of
whole flows against it. A cell is what was seen in that run; `?` is what could not be found out, an error is the store's
answer to the question. `hashmark doctor` finds out the same of your store.

Stores that are not here were not measured.
"""


@dataclass(frozen=True)
class Column:
    """One store: its name with its version, its cells by row, what follows for hashmark, and the tests."""

    version: str
    rows: Mapping[str, str]
    effects: Sequence[str]
    passed: int
    ran: int
    failed: Sequence[str]


def page(columns: Sequence[Column]) -> str:
    """The page's text."""
    lines = [HEAD, _row("", [c.version for c in columns]), _row("---", ["---" for _ in columns])]
    lines += [_row(title, [c.rows.get(title, "") for c in columns]) for title in (*ABILITIES.values(), *ASKS)]
    ran = [f"{c.passed} of {c.ran}" for c in columns]
    lines += [_row("tests passed", ran), "", "## What hashmark does about it", ""]
    for column in columns:
        said = "".join(f"\n  - {text}" for text in dict.fromkeys(column.effects)) or " nothing need be done about it."
        lines.append(f"- **{column.version}**:{said}")
        if column.failed:
            lines.append("  - tests that fail: " + "; ".join(f"`{name}`" for name in column.failed))
    return "\n".join(lines) + "\n"


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([title, *cells])} |"


def measure(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """What each store does, by name; one that could not be started is left out."""
    environment = os.environ | {"HASHMARK_MEASURED": str(folder), "HASHMARK_STORES": " ".join(names)}
    _pytest(["tests/stores/measure.py"], environment)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def suites(name: str, folder: Path) -> tuple[int, int, list[str]]:
    """How many tests of the suites a store passes, of how many, and which it does not."""
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
    """Measure these stores, or all, and write the page."""
    names = list(names) or list(VERSIONS)
    installers = {"swift": optional_stores.install_swift, "s3rver": optional_stores.install_s3rver}
    for name in names:
        installers.get(name, lambda: None)()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(names, Path(scratch))
        ran = {name: suites(name, Path(scratch)) for name in names if name in found}
    columns = [Column(found[n]["version"], found[n]["rows"], found[n]["effects"], *ran[n]) for n in names if n in found]
    PAGE.write_text(page(columns))
    sys.stdout.write(f"{PAGE}: {len(columns)} stores, {len(ABILITIES) + len(ASKS)} rows\n")


if __name__ == "__main__":
    main(sys.argv[1:])
