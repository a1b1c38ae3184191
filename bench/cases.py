"""What is measured: checks, listings, pushes and pulls, each program in turn, round after round.

Nothing is prepared, cleaned up or checked within the measured time.
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

from bench import proxy
from bench.inputs import CHANGED, Input, change
from bench.measure import Cost, Row, run
from bench.programs import BUCKET, SCRIPTS, Command, Program, Site, environment
from hashmark.embedded.store import EmbeddedBucket, read_credentials

BIG = 1_000_000_000
"""Bytes from which on a run's leftovers are removed before the next run."""

PATIENCE = 20
"""Seconds of a first run after which a program is run FEW times, not in every round, and no requests are counted."""

FEW = 3

MADE_UP = Path(__file__).with_name("memory.py")
"""Named, not imported: what the benchmark holds itself raises the least peak that it can see."""

NO_FSYNC = "import os; os.fsync = lambda _: None; from hashmark.cli.main import main; main()"


@dataclass
class Case:
    """One question, put to every program on one dataset."""

    title: str
    item: Input
    rows: list[Row] = field(default_factory=list)
    in_turn: bool = True
    """Whether the rows are of the same work, so that ratios of them say something."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "title": self.title,
            "input": self.item.described,
            "rows": [row.to_json(self.rows[0] if self.in_turn else None) for row in self.rows],
        }


@dataclass(frozen=True)
class Turn:
    """What one program does in a round. `around` prepares the place, gives it, and cleans up."""

    program: Program
    row: Row
    around: Callable[[str], AbstractContextManager[Site]]
    command: Callable[[Site], Command]
    found: bool = False

    @property
    def slow(self) -> bool:
        """Whether its first run took so long that it is not worth many more."""
        return self.row.costs[0].wall > PATIENCE


class Bench:
    """A library whose datasets are in the bucket already, and the programs that take turns on it."""

    def __init__(self, folder: Path, box: EmbeddedBucket, programs: Sequence[Program], rounds: int, latency: float):
        self.folder = folder
        self.library = folder / "library"
        self.programs = programs
        self._box = box
        self._rounds = rounds
        self._later = f", each request {latency * 1000:g} ms later" if latency else ""
        self._open = contextlib.ExitStack()
        target = box.address.endpoint_url
        self._counter = self._open.enter_context(proxy.before(target))
        self._url = self._open.enter_context(proxy.before(target, latency)).url if latency else target
        self._numbers = itertools.count()

    def close(self) -> None:
        """Stop the proxies."""
        self._open.close()

    def _urls(self) -> tuple[str, str]:
        return self._url, self._counter.url

    def put(self, item: Input) -> None:
        """Bring a dataset of the library into the bucket; at each of its addresses, know what the store can do."""
        ours = self.programs[0]
        self._run(ours, ours.push, Site(self._box.address.endpoint_url, *self._place(item)))
        for url in self._urls():
            self._run(ours, _always([SCRIPTS / "hashmark", "doctor"]), Site(url, *self._place(item)))

    def check(self, item: Input, programs: Sequence[Program] = ()) -> Case:
        """In sync: is it told so, and how fast?"""
        ours, *peers = programs or self.programs
        row = Row(f"{ours.name}, cold", ours.cold)
        turns = [
            self._turn(ours, self._there(item), ours.check, name=f"{ours.name}, warm"),
            Turn(ours, row, self._there(item, forget=True), ours.check),
            *(self._turn(peer, self._there(item), peer.check) for peer in peers),
        ]
        return self._take(Case("Check, in sync", item), turns)

    def changed(self, item: Input) -> Case:
        """Captions were cleaned, to the same size. How many does each program see?"""
        state = self.library / ".hashmark"
        saved = self.folder / "state"
        for url in self._urls():  # a base is remembered by the store's address
            self._run(self.programs[0], self.programs[0].check, Site(url, *self._place(item)))
        shutil.copytree(state, saved)
        count = min(CHANGED, item.images)
        change(self.library / item.name, count)
        turns = [self._turn(p, self._there(item, state=saved), p.check, found=True) for p in self.programs]
        return self._take(Case(f"Check, {count} captions changed", item), turns)

    def listing(self, item: Input, programs: Sequence[Program] = ()) -> Case:
        """Every key, with size and time."""
        turns = [self._turn(p, self._there(item), p.listing, compares="") for p in programs or self.programs]
        return self._take(Case("List", item), turns)

    def push(self, item: Input, programs: Sequence[Program]) -> Case:
        """Into an empty prefix."""
        return self._take(
            Case("Push", item),
            [self._turn(p, self._empty(item), p.push, compares=_PUSHED[i > 0]) for i, p in enumerate(programs)],
        )

    def pull(self, item: Input, programs: Sequence[Program]) -> Case:
        """Into an empty folder."""
        ours = programs[0]
        command = [sys.executable, "-c", NO_FSYNC, "pull", item.name]
        row = Row(f"{ours.name}, without fsync", "each file read back and hashed")
        turns = [self._turn(p, self._fresh(item), p.pull, compares=_PULLED[i > 0]) for i, p in enumerate(programs)]
        turns.insert(1, Turn(ours, row, self._fresh(item), _always(command)))
        return self._take(Case("Pull", item), turns)

    def memory(self, counts: Sequence[int]) -> Case:
        """Ours alone, of datasets that are made up (see `bench.memory`), in sync and warm."""
        ours = self.programs[0]
        made_up = Input("86_made_up", max(counts), 100, captions=False)
        case = Case("Memory, a made-up walk and listing", made_up, in_turn=False)
        for count in counts:
            library = self.folder / f"made-up-{count}"
            make_library(library, "made-up")
            (library / case.item.name).mkdir()
            site = Site(self._url, library / case.item.name, f"made-up/{case.item.name}")
            command = [sys.executable, MADE_UP, str(count)]
            self._run(ours, _always([*command, "fill"]), site)
            row = Row(f"{ours.name}, {count:,} files", "content: every MD5, remembered")
            for _ in range(self._rounds + 1):  # the first one records what it proves
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

    def _take(self, case: Case, turns: Sequence[Turn]) -> Case:
        """Every program once a round, A B A B; then once more through a proxy that counts its requests."""
        for number in range(self._rounds):
            for turn in turns:
                if number >= FEW and turn.slow:
                    continue
                with turn.around(self._url) as site:
                    cost, turn.row.found = self._run(turn.program, turn.command, site, differs=turn.found)
                turn.row.costs.append(cost)
        for turn in turns:
            if turn.slow:
                continue
            with turn.around(self._counter.url) as site:
                self._counter.forget()
                self._run(turn.program, turn.command, site, differs=turn.found)
                turn.row.requests = self._counter.counts.total()
        case.rows = [turn.row for turn in turns]
        case.title += self._later
        return case

    def _run(
        self, program: Program, command: Callable[[Site], Command], site: Site, *, differs: bool = False
    ) -> tuple[Cost, int | None]:
        """Run it; where it `differs`, also how many files it says do."""
        access, secret = read_credentials(self._box.credentials_file)
        own = environment(site.url, access, secret)
        good, count = ((program.differs,), program.found) if differs else ((0,), None)
        return run(command(site), site.folder.parent, own, good, count=count)

    def _place(self, item: Input) -> tuple[Path, str]:
        return self.library / item.name, f"inputs/{item.name}"

    def _there(
        self, item: Input, *, forget: bool = False, state: Path | None = None
    ) -> Callable[[str], AbstractContextManager[Site]]:
        """Where both sides hold the dataset. Our own memory is emptied, or set to `state`, before each run."""

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

    def _empty(self, item: Input) -> Callable[[str], AbstractContextManager[Site]]:
        """A library of its own with the dataset in it, and an empty prefix; of a big one, removed afterwards."""

        @contextlib.contextmanager
        def around(url: str) -> Iterator[Site]:
            number = next(self._numbers)
            library = self.folder / f"push-{number}"
            make_library(library, f"pushed/{number}")
            (library / item.name).symlink_to(self.library / item.name)
            yield Site(url, library / item.name, f"pushed/{number}/{item.name}")
            if item.images * item.size >= BIG:
                self._forget(f"pushed/{number}/")

        return around

    def _forget(self, prefix: str) -> None:
        """Delete what was pushed."""
        access, secret = read_credentials(self._box.credentials_file)
        url = self._box.address.endpoint_url
        command = [SCRIPTS / "rclone", "purge", f"box:{BUCKET}/{prefix}"]
        run(command, self.folder, environment(url, access, secret), (0, 3))

    def _fresh(self, item: Input) -> Callable[[str], AbstractContextManager[Site]]:
        """A library without the dataset.

        Files that were pulled stay until the end, but for big ones: ext4 is slow to make files where many were
        deleted a moment ago.
        """

        @contextlib.contextmanager
        def around(url: str) -> Iterator[Site]:
            library = self.folder / f"pull-{next(self._numbers)}"
            make_library(library, "inputs")
            folder = library / item.name
            yield Site(url, folder, f"inputs/{item.name}")
            arrived = sum(1 for _ in folder.iterdir())
            if arrived != item.files:
                raise SystemExit(f"{folder}: {arrived} files arrived of {item.files}")
            if item.images * item.size >= BIG:
                shutil.rmtree(library)

        return around


def _always(command: Command) -> Callable[[Site], Command]:
    return lambda _site: command


_PUSHED = ("each file hashed, sent with Content-MD5, ETag checked", "by the program's defaults")
_PULLED = ("each file read back and hashed; fsync", "by the program's defaults")


def make_library(folder: Path, prefix: str) -> None:
    """A library whose store is named by the environment."""
    folder.mkdir(parents=True)
    (folder / "hashmark.toml").write_text(f'[remote]\nurl = "s3://{BUCKET}/{prefix}"\nregion = "us-east-1"\n')
