"""`make bench`: hashmark beside rclone, s5cmd, the AWS CLI and s3cmd, on the same store, in one run.

`--quick` takes smaller inputs and fewer rounds, and ends within five minutes. `--latency MS` makes every request wait
as one to a real region does. The results go to docs/benchmarks.md and .json, of a quick or partial run to build/.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import programs, report
from bench.cases import Bench, Case, make_library
from bench.inputs import LARGE, PAIRS, STORY, TINY, Input, build, smaller
from bench.programs import BUCKET, Program
from hashmark.embedded import EmbeddedBucket, read_credentials

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build the inputs, push them, and let the programs take turns."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller inputs, fewer rounds")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="how long each request waits")
    parser.add_argument("--rounds", type=int, help="how often each program is run (5; quick: 3)")
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose name has it, say 'list 84_tiny'")
    parser.add_argument("--out", type=Path, help="a folder for the results")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    whole = not (options.quick or options.only or options.latency)
    with tempfile.TemporaryDirectory(prefix="hashmark-bench-") as place:
        folder = Path(place)
        settings = folder / "settings"
        settings.mkdir()
        box = EmbeddedBucket(folder / "bucket", BUCKET)
        try:
            access, secret = read_credentials(box.credentials_file)
            (settings / "s3cfg").write_text(f"[default]\naccess_key = {access}\nsecret_key = {secret}\n")
            everyone = [
                programs.hashmark(),
                programs.rclone(),
                programs.s5cmd(),
                programs.aws(),
                programs.s3cmd(settings),
            ]
            bench = Bench(folder, box, everyone, rounds, options.latency / 1000)
            words = options.only.split()
            found = list(_cases(bench, options.quick, words))
            if all(word in "memory" for word in words) and not options.latency:
                found.append(bench.memory((2_000, 10_000) if options.quick else (200_000, 1_000_000)))
            bench.close()
        finally:
            box.stop()
        notes = [
            *_notes(quick=options.quick),
            *([f"Every request waited {options.latency} ms."] if options.latency else []),
        ]
        server = box.address.server
    results = report.describe(found, server=server, rounds=rounds, latency=options.latency / 1000, notes=notes)
    report.write(results, options.out or ROOT / ("docs" if whole else "build"))
    sys.stdout.write(report.markdown(results))


def _notes(*, quick: bool) -> list[str]:
    size = ["A quick run: smaller inputs and fewer rounds."] if quick else []
    return [*size, "s3cmd, which sends one request at a time, neither pushes nor pulls; it and aws leave out 84_tiny."]


def _cases(bench: Bench, quick: bool, words: Sequence[str]) -> Iterator[Case]:
    """Measure what is asked for; an input is built and pushed before its first case, and removed after its last."""
    movers, quickest = bench.programs[:-1], bench.programs[:-2]
    plan: list[tuple[Input, list[tuple[str, Callable[[Input], Case]]]]] = [
        (STORY, [("check", bench.check)]),
        (PAIRS, [("check", bench.check), ("list", bench.listing), *_moves(bench, movers), ("changed", bench.changed)]),
        (
            TINY,
            [
                ("check", lambda item: bench.check(item, quickest)),
                ("list", lambda item: bench.listing(item, quickest)),
            ],
        ),
        (LARGE, _moves(bench, movers)),
    ]
    make_library(bench.library, "inputs")
    for whole, asked in plan:
        item = smaller(whole) if quick else whole
        chosen = [measure for name, measure in asked if all(word in f"{name} {item.name}" for word in words)]
        if not chosen:
            continue
        _say(f"building and pushing {item.name}: {item.described}")
        _prepare(bench, item)
        for measure in chosen:
            case = measure(item)
            _say(f"{case.title}, {item.name}: " + ", ".join(f"{r.program} {r.costs[0].wall:.2f} s" for r in case.rows))
            yield case
        shutil.rmtree(bench.library / item.name)


def _moves(bench: Bench, movers: Sequence[Program]) -> list[tuple[str, Callable[[Input], Case]]]:
    return [("push", lambda item: bench.push(item, movers)), ("pull", lambda item: bench.pull(item, movers))]


def _prepare(bench: Bench, item: Input) -> None:
    build(bench.library / item.name, item)
    bench.put(item)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
