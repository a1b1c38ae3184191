"""The cases: checks, listings, pushes and pulls. In each round, every program runs once.

Preparation, clean-up and checks are outside the measured time.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import hashing, limit, proxy
from bench.inputs import CHANGED, Input, change
from bench.measure import Cost, Row, run
from bench.programs import BUCKET, REGION, SCRIPTS, Command, Program, Site, environment
from bench.proxy import NEAR, Line
from hashmark.embedded.embedded_bucket import EmbeddedBucket, read_credentials
from hashmark.native.kernel import describe

LARGE_BYTES = 1_000_000_000
"""Datasets of this size or more are removed after each run, to save disk space."""

SLOW_AFTER_S = 20
"""A program whose first run takes longer is slow: it runs SLOW_RUNS times, and its requests are not counted."""

SLOW_RUNS = 3

MEMORY_SCRIPT = Path(__file__).with_name("memory.py")
"""A path, not an import: memory that the benchmark itself holds raises the smallest peak it can measure."""

HASHING_SCRIPT = Path(hashing.__file__)

LIMIT = "prepared requests: the store's limit"

LIMIT_BYTES = 10_000_000
"""Larger files are not sent in one request each, so there is no such limit."""

LIMIT_SCRIPT = Path(limit.__file__)

NO_FSYNC = "import os; os.fsync = lambda _: None; from hashmark.cli.main import main; main()"


@dataclass
class Case:
    """One task that every program does on one dataset."""

    title: str
    item: Input
    rows: list[Row] = field(default_factory=list)
    in_turn: bool = True
    """Whether all rows measure the same work, so that their ratios mean something."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "title": self.title,
            "input": self.item.described,
            "rows": [row.to_json(self.rows[0] if self.in_turn else None) for row in self.rows],
        }


@dataclass(frozen=True)
class Turn:
    """What one program does in a round. `around` prepares a site, yields it, and cleans up."""

    program: Program
    row: Row
    around: Callable[[str], AbstractContextManager[Site]]
    command: Callable[[Site], Command]
    found: bool = False
    counted: bool = True
    """Whether its requests are counted."""

    @property
    def slow(self) -> bool:
        """Whether the first run took longer than `SLOW_AFTER_S`."""
        return self.row.costs[0].wall > SLOW_AFTER_S


class Bench:
    """A library whose datasets are already in the bucket, and the programs to measure."""

    def __init__(self, folder: Path, box: EmbeddedBucket, programs: Sequence[Program], rounds: int):
        self.folder = folder
        self.library = folder / "library"
        self.programs = programs
        self._box = box
        self._rounds = rounds
        self._open = contextlib.ExitStack()
        self._url = box.address.endpoint_url
        self._counter = self._open.enter_context(proxy.in_front_of(self._url))
        self._lines = {NEAR: self._url}
        self._line = NEAR
        self._numbers = itertools.count()

    def close(self) -> None:
        """Stop the proxies."""
        self._open.close()

    def over(self, line: Line, item: Input) -> None:
        """Reach the store over this line from now on. hashmark probes the store there once, with a pushed dataset."""
        if line not in self._lines:
            self._lines[line] = self._open.enter_context(proxy.in_front_of(self._lines[NEAR], line)).url
            self._probe(self._lines[line], item)
        self._line, self._url = line, self._lines[line]

    def put(self, item: Input) -> None:
        """Push a dataset of the library, and probe the store at each of its addresses."""
        ours = self.programs[0]
        self._run(ours, ours.push, Site(self._box.address.endpoint_url, *self._place(item)))
        for url in {*self._lines.values(), self._counter.url}:
            self._probe(url, item)

    def _probe(self, url: str, item: Input) -> None:
        self._run(self.programs[0], _always([SCRIPTS / "hashmark", "doctor"]), Site(url, *self._place(item)))

    def check(self, item: Input, programs: Sequence[Program] = ()) -> Case:
        """Measure a check of a dataset that is in sync."""
        ours, *peers = programs or self.programs
        row = Row(f"{ours.name}, cold", ours.cold)
        turns = [
            self._turn(ours, self._in_sync(item), ours.check, name=f"{ours.name}, warm"),
            Turn(ours, row, self._in_sync(item, forget=True), ours.check),
            *(self._turn(peer, self._in_sync(item), peer.check) for peer in peers),
        ]
        return self._measure(Case("Check, in sync", item), turns)

    def changed(self, item: Input) -> Case:
        """Measure a check after captions changed but kept their size, and how many of them each program finds."""
        state = self.library / ".hashmark"
        saved = self.folder / "state"
        for url in (self._url, self._counter.url):  # bases are stored per address of the store
            self._run(self.programs[0], self.programs[0].check, Site(url, *self._place(item)))
        shutil.copytree(state, saved)
        count = min(CHANGED, item.images)
        change(self.library / item.name, count)
        turns = [self._turn(p, self._in_sync(item, state=saved), p.check, found=True) for p in self.programs]
        return self._measure(Case(f"Check, {count} captions changed", item), turns)

    def listing(self, item: Input, programs: Sequence[Program] = ()) -> Case:
        """Measure a listing of every key with its size and time."""
        turns = [self._turn(p, self._in_sync(item), p.listing, compares="") for p in programs or self.programs]
        return self._measure(Case("List", item), turns)

    def push(self, item: Input, programs: Sequence[Program]) -> Case:
        """Measure a push to an empty prefix, and the store's limit."""
        around = self._empty_prefix(item)
        turns = [self._turn(p, around, p.push, compares=_PUSHED[i > 0]) for i, p in enumerate(programs)]
        if item.size <= LIMIT_BYTES:
            row = Row(LIMIT, "nothing")
            turns.append(Turn(programs[0], row, around, self._prepared(item, push=True), counted=False))
        return self._measure(Case("Push", item), turns)

    def pull(self, item: Input, programs: Sequence[Program]) -> Case:
        """Measure a pull into an empty folder."""
        ours = programs[0]
        command = [sys.executable, "-c", NO_FSYNC, "pull", item.name]
        row = Row(f"{ours.name}, without fsync", "each file hashed")
        turns = [self._turn(p, self._emptied(item), p.pull, compares=_PULLED[i > 0]) for i, p in enumerate(programs)]
        turns.insert(1, Turn(ours, row, self._emptied(item), _always(command)))
        if item.size <= LIMIT_BYTES:
            reads = Row(LIMIT, "nothing; writes nothing")
            turns.append(Turn(ours, reads, self._in_sync(item), self._prepared(item, push=False), counted=False))
        return self._measure(Case("Pull", item), turns)

    def hashing(self, item: Input) -> Case:
        """Measure one thread that hashes files from the page cache, with the kernel and without."""
        ours = self.programs[0]
        command = [sys.executable, HASHING_SCRIPT, self.library / item.name]
        commands = {
            f"{ours.name}, {describe()}": command,
            "OpenSSL, by hashlib": ["env", "HASHMARK_KERNEL=off", *command],
        }
        turns = [
            Turn(ours, Row(name, ours.cold), self._in_sync(item), _always(command), counted=False)
            for name, command in commands.items()
        ]
        return self._measure(Case(f"Hash on one thread, {hashing.ROUNDS} times", item), turns)

    def memory(self, counts: Sequence[int]) -> Case:
        """Measure the memory of hashmark alone, warm, on synthetic datasets in sync (see `bench.memory`)."""
        ours = self.programs[0]
        synthetic = Input("86_synthetic", max(counts), 100, captions=False)
        case = Case("Memory, synthetic walk and listing", synthetic, in_turn=False)
        for count in counts:
            library = self.folder / f"synthetic-{count}"
            make_library(library, "synthetic")
            (library / case.item.name).mkdir()
            site = Site(self._url, library / case.item.name, f"synthetic/{case.item.name}")
            command = [sys.executable, MEMORY_SCRIPT, str(count)]
            self._run(ours, _always([*command, "fill"]), site)
            row = Row(f"{ours.name}, {count:,} files", "content: every MD5, cached")
            for _ in range(self._rounds + 1):  # the first run records the bases
                row.costs.append(self._run(ours, _always(command), site)[0])
            row.costs = row.costs[1:]
            case.rows.append(row)
        return case

    def _turn(
        self,
        program: Program,
        around: Callable[[str], AbstractContextManager[Site]],
        command: Callable[[Site], Command],
        *,
        name: str = "",
        compares: str | None = None,
        found: bool = False,
    ) -> Turn:
        row = Row(name or program.name, program.compares if compares is None else compares)
        return Turn(program, row, around, command, found)

    def _measure(self, case: Case, turns: Sequence[Turn]) -> Case:
        """Run every program once per round (A B A B), then once more through a proxy that counts its requests."""
        for number in range(self._rounds):
            for turn in turns:
                if number >= SLOW_RUNS and turn.slow:
                    continue
                with turn.around(self._url) as site:
                    cost, turn.row.found = self._run(turn.program, turn.command, site, differs=turn.found)
                turn.row.costs.append(cost)
        for turn in turns:
            if turn.slow or not turn.counted:
                continue
            with turn.around(self._counter.url) as site:
                self._counter.forget()
                self._run(turn.program, turn.command, site, differs=turn.found)
                turn.row.requests = self._counter.counts.total()
        case.rows = [turn.row for turn in turns]
        case.title += f", {self._line.name}" if self._line.name else ""
        return case

    def _run(
        self, program: Program, command: Callable[[Site], Command], site: Site, *, differs: bool = False
    ) -> tuple[Cost, int | None]:
        """Run a program. If the dataset `differs`, return also how many files it reports."""
        access, secret = read_credentials(self._box.credentials_file)
        own = environment(site.url, access, secret)
        good, count = ((program.differs,), program.found) if differs else ((0,), None)
        return run(command(site), site.folder.parent, own, good, count=count)

    def _place(self, item: Input) -> tuple[Path, str]:
        return self.library / item.name, f"inputs/{item.name}"

    def _prepared(self, item: Input, *, push: bool) -> Callable[[Site], Command]:
        """Give the command that sends a dataset's requests as they were signed before."""

        def command(site: Site) -> Command:
            files = sorted((self.library / item.name).iterdir())
            requests = [(f"/{BUCKET}/{site.prefix}/{file.name}", file if push else None) for file in files]
            target = self.folder / "requests.json"
            limit.prepare(target, site.url, requests, read_credentials(self._box.credentials_file), REGION)
            return [sys.executable, LIMIT_SCRIPT, target]

        return command

    def _in_sync(
        self, item: Input, *, forget: bool = False, state: Path | None = None
    ) -> Callable[[str], AbstractContextManager[Site]]:
        """Give a site where both sides hold the dataset. Before a run, empty hashmark's state or set it to `state`."""

        @contextlib.contextmanager
        def around(url: str) -> Iterator[Site]:
            own = self.library / ".hashmark"
            if forget or state:
                kept = self.folder / "kept"
                own.rename(kept)
                if state:
                    shutil.copytree(state, own)
            yield Site(url, *self._place(item))
            if forget or state:
                shutil.rmtree(own)
                kept.rename(own)

        return around

    def _empty_prefix(self, item: Input) -> Callable[[str], AbstractContextManager[Site]]:
        """Give a new library with the dataset and an empty prefix; a large dataset is removed afterwards."""

        @contextlib.contextmanager
        def around(url: str) -> Iterator[Site]:
            number = next(self._numbers)
            library = self.folder / f"push-{number}"
            make_library(library, f"pushed/{number}")
            (library / item.name).symlink_to(self.library / item.name)
            yield Site(url, library / item.name, f"pushed/{number}/{item.name}")
            if item.images * item.size >= LARGE_BYTES:
                self._delete(f"pushed/{number}/")

        return around

    def _delete(self, prefix: str) -> None:
        """Delete pushed objects."""
        access, secret = read_credentials(self._box.credentials_file)
        url = self._box.address.endpoint_url
        command = [SCRIPTS / "rclone", "purge", f"box:{BUCKET}/{prefix}"]
        run(command, self.folder, environment(url, access, secret), (0, 3))

    def _emptied(self, item: Input) -> Callable[[str], AbstractContextManager[Site]]:
        """Give a library without the dataset.

        Pulled files stay until the end unless they are large: ext4 creates files slowly right after many were
        deleted.
        """

        @contextlib.contextmanager
        def around(url: str) -> Iterator[Site]:
            library = self.folder / f"pull-{next(self._numbers)}"
            make_library(library, "inputs")
            folder = library / item.name
            yield Site(url, folder, f"inputs/{item.name}")
            arrived = sum(1 for _ in folder.iterdir())
            if arrived != item.files:
                raise SystemExit(f"{folder}: {arrived} of {item.files} files arrived")
            if item.images * item.size >= LARGE_BYTES:
                shutil.rmtree(library)

        return around


def _always(command: Command) -> Callable[[Site], Command]:
    return lambda _site: command


_PUSHED = ("each file hashed, sent with Content-MD5, ETag checked", "the program's defaults")
_PULLED = ("each file hashed; fsync", "the program's defaults")


def make_library(folder: Path, prefix: str) -> None:
    """Create a library whose store is configured by the environment."""
    folder.mkdir(parents=True)
    (folder / "hashmark.toml").write_text(f'[remote]\nurl = "s3://{BUCKET}/{prefix}"\nregion = "{REGION}"\n')
