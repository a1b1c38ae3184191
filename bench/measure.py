"""Runs one program to its end and says what it cost; puts the costs of many runs together.

Medians and ratios of runs that took turns: seconds alone say more of the machine than of a program.
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

NEAR = 1 << 20
"""Bytes by which two peaks of the same memory may differ: Linux counts pages on each core, and adds up now and then."""


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and the most memory held at once, in bytes.

    The system tells no peak below `floor`, what the benchmark itself had held by then: Linux keeps a process's peak
    over exec(2), and before that the process is the benchmark.
    """

    wall: float
    cpu: float
    peak: int
    floor: int

    @property
    def peak_at_most(self) -> bool:
        """Whether the peak may be the benchmark's own, so that the program's is not more and may be less."""
        return self.peak <= self.floor + NEAR


@dataclass
class Row:
    """What one program cost in one case, run by run. `found` is how many files it says differ, where that is asked."""

    program: str
    compares: str
    costs: list[Cost] = field(default_factory=list)
    requests: int | None = None
    found: int | None = None

    def to_json(self, first: Row | None) -> dict[str, Any]:
        """Plain data, with ratios to the row that took turns with this one.

        They are of runs of the same round, also where one was left out of the later ones.
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
    """Run `command` in `folder`; its cost, and what `count` makes of the lines of both its outputs.

    They are never held as a whole, which would raise the floor of all that comes after. A program that ends with
    another status than the good ones has no cost: the benchmark ends there.
    """
    with tempfile.TemporaryFile() as said:
        before = _peak()
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        cost = Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, max(before, _peak()))
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in good:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {_end(said)}")
        said.seek(0)
        return cost, count(io.TextIOWrapper(said, errors="replace")) if count else None


def _peak() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _end(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - 800))
    return said.read().decode(errors="replace")
