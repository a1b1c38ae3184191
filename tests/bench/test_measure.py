"""The reported cost of a run, and what is not reported because it was not measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import programs
from bench.measure import PEAK_SLACK_BYTES, Cost, Row, run

PRINT_A_LOT = "import sys; [sys.stdout.write('k' * 10**6 + '\\n') for _ in range(40)]"
AFTER_MUCH_OUTPUT = f"""
import os, sys
from pathlib import Path
from bench.measure import run
small, big = ["/bin/true"], [sys.executable, "-c", {PRINT_A_LOT!r}]
before = run(small, Path(), os.environ)[0].peak
assert run(big, Path(), os.environ, count=lambda lines: sum(1 for _ in lines))[1] == 40
print(run(small, Path(), os.environ)[0].peak - before)
"""
"""Run in a separate process, because this one may have had a higher peak before."""


def test_what_a_program_says_raises_no_peak_that_is_measured_later() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_MUCH_OUTPUT],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 10_000_000


def test_a_peak_that_may_be_the_benchmark_s_own_is_not_reported_as_the_program_s(tmp_path: Path) -> None:
    small, _ = run(["/bin/true"], tmp_path, os.environ)
    big, _ = run([sys.executable, "-c", f"b'k' * {small.floor + 50_000_000}"], tmp_path, os.environ)
    assert small.peak > 2_000_000, "this process's own, for /bin/true needs no such memory"
    assert (small.peak_at_most, big.peak_at_most) == (True, False)
    assert big.peak > small.floor + 50_000_000


@pytest.mark.parametrize(("peaks", "at_most"), [([9, 9, 9], True), ([3, 9, 9], True), ([3, 3, 3], False)])
def test_a_median_is_a_measured_one_only_if_all_of_its_peaks_are(peaks: list[int], at_most: bool) -> None:
    row = Row("a program", "", [Cost(1.0, 1.0, 10 * PEAK_SLACK_BYTES, floor * PEAK_SLACK_BYTES) for floor in peaks])
    assert row.to_json(row)["peak_at_most"] is at_most


def test_a_program_that_fails_ends_the_benchmark_with_the_last_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('a' * 10**6, flush=True); sys.exit('it broke')"]
    with pytest.raises(SystemExit) as ended:
        run(command, tmp_path, os.environ)
    assert "ended with 1" in str(ended.value)
    assert str(ended.value).endswith("it broke\n")
    assert len(str(ended.value)) < 1200


SAID: list[tuple[Callable[[], programs.Program], list[str]]] = [
    (programs.hashmark, ["83_pairs  3 synced · 2 local-changed · 1 differs   by size 3\n", "2 local-changed\n"]),
    (programs.rclone, ["ERROR : a.txt: md5 differ\n", "ERROR : b: sizes differ\n", "ERROR : c differ\n", "3 differ\n"]),
    (programs.s5cmd, ["cp a s3://b/a\n", "cp b s3://b/b\n", "cp c s3://b/c\n", "rm cp \n"]),
    (programs.aws, ["(dryrun) upload: a to s3://b/a\n"] * 3 + ["(dryrun) delete: s3://b/x\n"]),
    (lambda: programs.s3cmd(Path()), ["upload: 'a' -> 's3://b/a'\n"] * 3 + ["WARNING: no upload:\n"]),
]


@pytest.mark.parametrize(("program", "lines"), SAID, ids=["hashmark", "rclone", "s5cmd", "aws", "s3cmd"])
def test_how_many_files_differ_is_read_line_by_line(program: Callable[[], programs.Program], lines: list[str]) -> None:
    assert program().found(iter(lines)) == 3
