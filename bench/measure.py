"""Runs one program to its end and says what it cost; puts the costs of many runs together.

Medians and ratios of runs that took turns: seconds alone say more of the machine than of a program.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and the most memory held at once, in bytes."""

    wall: float
    cpu: float
    peak: int


@dataclass
class Row:
    """What one program cost in one case, run by run. `found` is how many files it says differ, where that is asked."""

    program: str
    compares: str
    costs: list[Cost] = field(default_factory=list)
    requests: int | None = None
    found: int | None = None

    def to_json(self, first: Row) -> dict[str, Any]:
        """Plain data; ratios are of runs of the same round, also where one was left out of the later ones."""
        ratios = [mine.wall / theirs.wall for mine, theirs in zip(self.costs, first.costs, strict=False)]
        return {
            "program": self.program,
            "compares": self.compares,
            "wall": [round(cost.wall, 3) for cost in self.costs],
            "median": round(statistics.median(cost.wall for cost in self.costs), 3),
            "cpu": round(statistics.median(cost.cpu for cost in self.costs), 3),
            "peak": round(statistics.median(cost.peak for cost in self.costs)),
            "ratio": [round(of(ratios), 2) for of in (statistics.median, min, max)],
            "requests": self.requests,
            "found": self.found,
        }


def run(
    command: Sequence[object], folder: Path, environment: Mapping[str, str], good: Collection[int] = (0,)
) -> tuple[Cost, str]:
    """Run `command` in `folder`; its cost, and what it said on both outputs.

    A program that ends with another status than the good ones has no cost: the benchmark ends there.
    """
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode not in good:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {text[-800:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024), text
