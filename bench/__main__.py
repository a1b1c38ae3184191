"""`make bench`: hashmark beside rclone, s5cmd, the AWS CLI and s3cmd, on the same store, in one run.

`--quick` takes smaller inputs and fewer rounds, and ends within five minutes. `--latency MS` makes every request wait
as one to a real region does. The results go to docs/benchmarks.md and .json, of a quick or partial run to build/.
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
from bench.cases import FEW, PATIENCE, Bench, Case, make_library
from bench.inputs import LARGE, PAIRS, STORY, TINY, Input, build, smaller
from bench.programs import BUCKET, Program
from hashmark.embedded.store import EmbeddedBucket, read_credentials

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build the inputs, push them, and let the programs take turns; what is measured is written after each case."""
    options = _options()
    rounds = options.rounds or (3 if options.quick else 5)
    whole = not (options.quick or options.only or options.latency)
    out = options.out or ROOT / ("docs" if whole else "build")
    before = report.cases_in(out) if options.beside else []
    with tempfile.TemporaryDirectory(prefix="hashmark-bench-") as place, _bucket(Path(place)) as box:
        bench = Bench(Path(place), box, _everyone(Path(place), box), rounds, options.latency / 1000)
        found: list[Case] = []
        for case in _cases(bench, options):
            found.append(case)
            results = report.describe(
                found,
                server=box.address.server,
                notes=list(_notes(options.quick)),
            )
            report.write(results, out, beside=before)
        bench.close()
    sys.stdout.write((out / "benchmarks.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller inputs, fewer rounds")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="how long each request waits")
    parser.add_argument("--rounds", type=int, help="how often each program is run (5; quick: 3)")
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose name has it, say 'list 84_tiny'")
    parser.add_argument(
        "--large", type=int, default=LARGE.images, metavar="N", help="files of 200 MB (10; 40 take 60 GB)"
    )
    parser.add_argument("--beside", action="store_true", help="keep the other cases that the folder holds")
    parser.add_argument("--out", type=Path, help="a folder for the results")
    return parser.parse_args()


@contextlib.contextmanager
def _bucket(folder: Path) -> Iterator[EmbeddedBucket]:
    box = EmbeddedBucket(folder / "bucket", BUCKET)
    try:
        yield box
    finally:
        box.stop()


def _everyone(folder: Path, box: EmbeddedBucket) -> list[Program]:
    """The programs, ours first; s3cmd reads its keys from a file."""
    access, secret = read_credentials(box.credentials_file)
    settings = folder / "settings"
    settings.mkdir()
    (settings / "s3cfg").write_text(f"[default]\naccess_key = {access}\nsecret_key = {secret}\n")
    return [programs.hashmark(), programs.rclone(), programs.s5cmd(), programs.aws(), programs.s3cmd(settings)]


def _notes(quick: bool) -> Iterator[str]:
    if quick:
        yield "A quick run: smaller inputs and fewer rounds."
    yield "s3cmd, which sends one request at a time, neither pushes nor pulls; it and aws leave out the largest inputs."
    yield f"What takes over {PATIENCE} s at first runs {FEW} times at most, and its requests are not counted."
    yield "The memory of a made-up walk and listing is that of the rest: not of folders, requests, pages and splicing."


Measure = Callable[[Input], Case]


def _cases(bench: Bench, options: argparse.Namespace) -> Iterator[Case]:
    """Measure what is asked for; an input is built and pushed before its first case, and removed after its last."""
    words = options.only.split()
    make_library(bench.library, "inputs")
    for whole, asked in _plan(bench, options.large):
        item = smaller(whole) if options.quick else whole
        chosen = [measure for name, measure in asked if all(word in f"{name} {item.name}" for word in words)]
        if not chosen:
            continue
        _say(f"building and pushing {item.name}: {item.described}")
        build(bench.library / item.name, item)
        bench.put(item)
        for measure in chosen:
            case = measure(item)
            _say(f"{case.title}, {item.name}: " + ", ".join(f"{r.program} {r.costs[0].wall:.2f} s" for r in case.rows))
            yield case
        shutil.rmtree(bench.library / item.name)
    if all(word in "memory" for word in words) and not options.latency:
        yield bench.memory((2_000, 10_000) if options.quick else (200_000, 1_000_000))


def _plan(bench: Bench, large: int) -> list[tuple[Input, list[tuple[str, Measure]]]]:
    """The inputs, each with the cases that are measured on it, by name."""

    def but(*names: str) -> list[Program]:
        return [program for program in bench.programs if not program.name.startswith(names)]

    movers, quick = but("s3cmd"), but("s3cmd", "aws")

    def moves(programs: Sequence[Program]) -> list[tuple[str, Measure]]:
        return [("push", lambda item: bench.push(item, programs)), ("pull", lambda item: bench.pull(item, programs))]

    return [
        (STORY, [("check", bench.check)]),
        (PAIRS, [("check", bench.check), ("list", bench.listing), *moves(movers), ("changed", bench.changed)]),
        (
            TINY,
            [
                ("check", lambda item: bench.check(item, quick)),
                ("list", lambda item: bench.listing(item, quick)),
            ],
        ),
        (replace(LARGE, images=large), moves(quick)),
    ]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
