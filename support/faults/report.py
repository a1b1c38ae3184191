"""`make faults`: run every test of the matrix, remove every guard in turn, and write the results to `docs/faults.md`.

Nothing in the table is written by hand: rows come from `matrix`, guards from the docstrings of the tests, results from
the run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest

from support.faults import guards
from support.faults.guards import ROOT
from support.faults.matrix import LIMITS, ROWS

PAGE = ROOT / "docs" / "faults.md"
HEAD = """# The fault matrix

What can go wrong, what hashmark must do, and the test that shows it. `make faults` writes this page. It runs the tests,
with every kill point, against real stores: SeaweedFS behind a proxy that injects faults, and rclone and moto where they
behave differently. Then it removes each guard from a copy of the source and checks that the test fails.

In addition, `make test-slow` kills every command that changes files a thousand times at random, and simulates two
machines on one bucket with random edits, syncs, kills and faults, against an oracle that reads both sides.

"""


@dataclass(frozen=True)
class RowTest:
    """A test of a row: its file, and the sentence about its guard."""

    row: int
    name: str
    path: str
    guard: str


def row_tests() -> list[RowTest]:
    """Find every test that is named after a row, ordered by row and file."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "def test_row_" not in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                row = int(node.name.split("_")[2])
                found.append(RowTest(row, node.name, str(path.relative_to(ROOT)), text.partition("Guard: ")[2]))
    return sorted(found, key=lambda test: test.row)


class _Results:
    """Collects the results of each test, over all its parameters."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rsplit("::", 1)[-1].partition("[")[0]
        if report.failed:
            self.seen[name].append("**failed**")
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
            self.seen[name].append(f"not run: {reason.removeprefix('Skipped: ')}")
        elif report.when == "call":
            self.seen[name].append("passed")


def page(tests: Iterable[RowTest], results: Mapping[str, str], without: Mapping[str, str]) -> str:
    """Render the page: one table row per test, then the rows with limits."""
    lines = [
        HEAD + "| row | fault | required | test | result | guard, and the test without it |", "|" + "---|" * 6,
    ]  # fmt: skip
    last = 0
    for test in tests:
        number, (fault, required) = (str(test.row), ROWS[test.row]) if test.row != last else ("", ("", ""))
        guard = f"{test.guard[:1].upper()}{test.guard[1:]} {without.get(test.name, '')}".strip().replace("|", "\\|")
        cells = (number, fault, required, f"`{test.name}`", results.get(test.name, "not run"), guard)
        lines.append("| " + " | ".join(cells) + " |")
        last = test.row
    lines += ["", "## Limits of these tests", ""]
    lines += [f"- Row {row}. {text}" for row, text in sorted(LIMITS.items())]
    return "\n".join(lines) + "\n"


def in_words(seen: list[str]) -> str:
    """List each result once, with its count if it occurred more often."""
    return ", ".join(f"{word} {n}" if (n := seen.count(word)) > 1 else word for word in dict.fromkeys(seen))


def last_time() -> tuple[dict[str, str], dict[str, str]]:
    """Read from the page each test's last result, and whether it failed without its guard."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    rows = re.findall(r"\| `(test_row_\w+)` \| (.*?) \| .*?(\*+Removed: .*?\*+)? \|$", text, re.MULTILINE)
    return {name: result for name, result, _ in rows}, {name: without for name, _, without in rows}


def main(rows: list[int], *, quick: bool) -> int:
    """Run some rows, or all, and write the page. `quick` skips what takes minutes and writes nothing."""
    tests, seen = row_tests(), _Results()
    chosen = [test for test in tests if not rows or test.row in rows]
    names = " or ".join(test.name for test in chosen)
    options = ["-q", "-n", "2", "--dist", "worksteal", *(["-m", "not slow"] if quick else []), "-k", names]
    worst = int(pytest.main([*options, *sorted({test.path for test in chosen})], plugins=[seen]))
    if quick:
        return worst
    results, without = last_time()
    results |= {name: in_words(words) for name, words in seen.seen.items()}
    some = [guard for guard in guards.GUARDS if not rows or guard.row in rows]
    for guard, fails in guards.seen_to_fail(some, {test.name: test.path for test in tests}):
        print(f"{guard.test}: {'fails without its guard' if fails else 'PASSES WITHOUT ITS GUARD'}", flush=True)
        worst = worst if fails else 1
        mine = [test.name for test in tests if test.name.startswith(guard.test)]
        without |= dict.fromkeys(mine, "*Removed: fails.*" if fails else "**Removed: passes!**")
    PAGE.write_text(page(tests, results, without), encoding="utf-8")
    return worst


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:] if word.isdecimal()], quick="--quick" in sys.argv))
