"""The guards of the fault matrix: code without which the test of a row must fail.

`python -m support.faults.guards [ROW …]` removes one after the other from a copy of `src` and runs the tests against
that copy. `guards.toml` quotes them from the source; `test_report.py` fails if a quote no longer matches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Guard:
    """A test, by a prefix of its name, and the edits (`file`, `text`, `instead`) that must make it fail."""

    test: str
    edits: tuple[tuple[str, str, str], ...]

    @property
    def row(self) -> int:
        return int(self.test.split("_")[2])


def _read() -> Iterator[Guard]:
    for entry in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["guard"]:
        yield Guard(entry["test"], tuple((e["file"], e["text"], e["instead"]) for e in entry["edit"]))


GUARDS: tuple[Guard, ...] = tuple(_read())


def stale() -> Iterator[str]:
    """Yield a line for each quote that does not occur exactly once in its file."""
    for guard in GUARDS:
        for name, text, _ in guard.edits:
            path = SOURCE / "hashmark" / name
            count = path.read_text(encoding="utf-8").count(text) if path.exists() else 0
            if count != 1:
                yield f"{guard.test}: {name} has this text {count} times: {text.strip()[:100]}"


def fails_without(guard: Guard, where: list[str]) -> bool:
    """Return whether the guard's test, in the files `where`, fails against a source without the guard.

    Raises:
        AssertionError: no such test ran.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        for name, text, instead in guard.edits:
            path = copy / "hashmark" / name
            source = path.read_text(encoding="utf-8")
            assert source.count(text) == 1, f"{guard.test}: {name} has this text {source.count(text)} times: {text}"
            path.write_text(source.replace(text, instead), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow"]
        done = subprocess.run(
            [*command, "-k", guard.test, *where],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode in {0, 1}, f"{guard.test}: {done.stdout[-2000:]}{done.stderr[-1000:]}"
    return done.returncode == 1


def seen_to_fail(chosen: Iterable[Guard], paths: Mapping[str, str]) -> Iterator[tuple[Guard, bool]]:
    """Yield each guard with whether its test fails without it; two run at a time. `paths` maps test names to files."""

    def one(guard: Guard) -> tuple[Guard, bool]:
        return guard, fails_without(guard, sorted({p for name, p in paths.items() if name.startswith(guard.test)}))

    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(one, chosen)


def main(rows: list[str]) -> None:
    from support.faults.report import row_tests  # noqa: PLC0415 - it imports this module

    chosen = [guard for guard in GUARDS if not rows or str(guard.row) in rows]
    for guard, fails in seen_to_fail(chosen, {test.name: test.path for test in row_tests()}):
        print(f"{guard.test}: {'fails' if fails else 'PASSES WITHOUT ITS GUARD'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
