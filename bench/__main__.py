"""`make bench`: measure hashmark, rclone, s5cmd, the AWS CLI and s3cmd on the same store in one run.

`--quick` uses smaller inputs and fewer rounds, and ends within five minutes. A full run writes docs/benchmarks.md and
.json; a quick or partial run writes them to build/.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import programs, report
from bench.cases import SLOW_AFTER_S, SLOW_RUNS, Bench, Case, make_library
from bench.inputs import LARGE, MIDDLE, PAIRS, STORY, TINY, Input, build, smaller
from bench.programs import BUCKET, Program
from bench.proxy import NEAR, Line
from hashmark.embedded.embedded_bucket import EmbeddedBucket, read_credentials

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build the inputs, push them, and run the programs in turn; write the results after each case."""
    options = _options()
    rounds = options.rounds or (3 if options.quick else 5)
    whole = not (options.quick or options.only)
    out = options.out or ROOT / ("docs" if whole else "build")
    before = report.cases_in(out) if options.keep else []
    with tempfile.TemporaryDirectory(prefix="hashmark-bench-") as place, _bucket(Path(place)) as box:
        bench = Bench(Path(place), box, _programs(Path(place), box), rounds)
        found: list[Case] = []
        for case in _cases(bench, options):
            found.append(case)
            results = report.describe(
                found,
                server=box.address.server,
                notes=list(_notes(options.quick)),
            )
            report.write(results, out, kept=before)
        bench.close()
    sys.stdout.write((out / "benchmarks.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller inputs, fewer rounds")
    parser.add_argument("--rounds", type=int, help="runs of each program (5; quick: 3)")
    parser.add_argument("--only", default="", metavar="WORD", help="only cases with these words, such as 'list far'")
    parser.add_argument(
        "--large", type=int, default=LARGE.images, metavar="N", help="number of 200 MB files (10; 40 need 60 GB)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the other cases already in the folder")
    parser.add_argument("--out", type=Path, help="folder for the results")
    return parser.parse_args()


@contextlib.contextmanager
def _bucket(folder: Path) -> Iterator[EmbeddedBucket]:
    box = EmbeddedBucket(folder / "bucket", BUCKET)
    try:
        yield box
    finally:
        box.stop()


def _programs(folder: Path, box: EmbeddedBucket) -> list[Program]:
    """List the programs, hashmark first. s3cmd reads its keys from a file."""
    access, secret = read_credentials(box.credentials_file)
    settings = folder / "settings"
    settings.mkdir()
    (settings / "s3cfg").write_text(f"[default]\naccess_key = {access}\nsecret_key = {secret}\n")
    return [programs.hashmark(), programs.rclone(), programs.s5cmd(), programs.aws(), programs.s3cmd(settings)]


def _notes(quick: bool) -> Iterator[str]:
    if quick:
        yield "Quick run: smaller inputs and fewer rounds."
    yield "s3cmd sends one request at a time and is left out of push and pull. s3cmd and aws skip the largest inputs."
    yield f"A program whose first run takes over {SLOW_AFTER_S} s runs {SLOW_RUNS} times, its requests uncounted."
    yield "The synthetic walk and listing exclude the memory of reading folders, requests, pages and splicing."


Measure = Callable[[Input], Case]


def _cases(bench: Bench, options: argparse.Namespace) -> Iterator[Case]:
    """Run the selected cases. Each input is built and pushed before its first case and removed after its last."""
    words = options.only.split()
    make_library(bench.library, "inputs")
    for whole, asked in _plan(bench, options.large):
        item = smaller(whole) if options.quick else whole
        chosen = [
            (line, measure) for line, name, measure in asked if all(word in f"{name} {item.name}" for word in words)
        ]
        if not chosen:
            continue
        _log(f"building and pushing {item.name}: {item.described}")
        build(bench.library / item.name, item)
        bench.put(item)
        for line, measure in chosen:
            bench.over(line, item)
            case = measure(item)
            _log(f"{case.title}, {item.name}: " + ", ".join(f"{r.program} {r.costs[0].wall:.2f} s" for r in case.rows))
            yield case
        shutil.rmtree(bench.library / item.name)
    bench.over(NEAR, PAIRS)
    if all(word in "memory" for word in words):
        yield bench.memory((2_000, 10_000) if options.quick else (200_000, 1_000_000))


FAR = Line("50 ms latency", 0.05)
"""A distant region."""

USUAL = Line("100 Mbit/s with 30 ms", 0.03, 12_500_000)
"""What most users have."""


def _plan(bench: Bench, large: int) -> list[tuple[Input, list[tuple[Line, str, Measure]]]]:
    """List the inputs, each with its cases: over which line, and by which name."""

    def without(*names: str) -> list[Program]:
        return [program for program in bench.programs if not program.name.startswith(names)]

    movers, fast = without("s3cmd"), without("s3cmd", "aws")

    def moves(programs: Sequence[Program], line: Line = NEAR, where: str = "") -> list[tuple[Line, str, Measure]]:
        return [
            (line, f"push {where}", lambda item: bench.push(item, programs)),
            (line, f"pull {where}", lambda item: bench.pull(item, programs)),
        ]

    return [
        (STORY, [(NEAR, "check", bench.check)]),
        (
            PAIRS,
            [
                (NEAR, "check", bench.check),
                (NEAR, "list", bench.listing),
                *moves(movers),
                *moves(fast, FAR, "far"),
                (NEAR, "changed", bench.changed),
            ],
        ),
        (
            TINY,
            [
                (NEAR, "check", lambda item: bench.check(item, fast)),
                (NEAR, "list", lambda item: bench.listing(item, fast)),
                (FAR, "list far", lambda item: bench.listing(item, fast)),
            ],
        ),
        (MIDDLE, [(NEAR, "hash", bench.hashing), *moves(fast, USUAL, "line")]),
        (replace(LARGE, images=large), moves(fast)),
    ]


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
