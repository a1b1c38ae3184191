"""The cost of one run of a program, and the summary of many runs.

The summary has medians and ratios within rounds, because seconds alone depend more on the machine than on the program.
"""

from __future__ import annotations

import io
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PEAK_SLACK_BYTES = 1 << 20
"""How much two measurements of the same peak may differ: Linux counts pages per core and sums them only at times."""


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds, CPU seconds and peak memory in bytes.

    The reported peak is never below `floor`, the benchmark's own peak at that time: Linux keeps a process's peak across
    exec(2), and before it the process is a copy of the benchmark.
    """

    wall: float
    cpu: float
    peak: int
    floor: int

    @property
    def peak_at_most(self) -> bool:
        """Whether the peak may be the benchmark's own, so that it is only an upper bound for the program."""
        return self.peak <= self.floor + PEAK_SLACK_BYTES


@dataclass
class Row:
    """The costs of one program in one case, by run. `found` counts the differing files it reported, if asked."""

    program: str
    compares: str
    costs: list[Cost] = field(default_factory=list)
    requests: int | None = None
    found: int | None = None

    def to_json(self, first: Row | None) -> dict[str, Any]:
        """Return plain data, with ratios to the first row.

        Each ratio compares two runs of the same round, even if one program ran in fewer rounds.
        """
        return {
            "program": self.program,
            "compares": self.compares,
            "wall": [round(cost.wall, 3) for cost in self.costs],
            "median": round(statistics.median(cost.wall for cost in self.costs), 3),
            "cpu": round(statistics.median(cost.cpu for cost in self.costs), 3),
            "peak": round(statistics.median(cost.peak for cost in self.costs)),
            "peak_at_most": any(cost.peak_at_most for cost in self.costs),
            "ratio": self._ratios(first) if first else None,
            "requests": self.requests,
            "found": self.found,
        }

    def _ratios(self, first: Row) -> list[float]:
        ratios = [mine.wall / theirs.wall for mine, theirs in zip(self.costs, first.costs, strict=False)]
        return [round(of(ratios), 2) for of in (statistics.median, min, max)]


def run(
    command: Sequence[object],
    folder: Path,
    environment: Mapping[str, str],
    good: Collection[int] = (0,),
    *,
    count: Callable[[Iterable[str]], int] | None = None,
) -> tuple[Cost, int | None]:
    """Run `command` in `folder`; return its cost and what `count` makes of the lines of its output.

    The output is never held in memory as a whole: that would raise the floor of every later measurement.

    Raises:
        SystemExit: the exit status is not one of `good`; the benchmark ends.
    """
    with tempfile.TemporaryFile() as output:
        before = _peak()
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        cost = Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, max(before, _peak()))
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in good:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {_end(output)}")
        output.seek(0)
        return cost, count(io.TextIOWrapper(output, errors="replace")) if count else None


def _peak() -> int:
    """Return the peak memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _end(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - 800))
    return output.read().decode(errors="replace")
