"""Two machines and one bucket under random events in any order, against an oracle that reads both sides.

At every step: content that was ever in the bucket is still in a file, an object or the trash; green means that the
bytes are equal, and red that they differ; a run changes exactly what its plan says; a second run does nothing; no
output contains a secret.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hashmark import Dataset, Library, Planned, Side, Verdict
from hashmark.actions.move import plan, run
from hashmark.actions.status import status
from hashmark.core.errors import HashmarkError
from hashmark.core.keys import is_unfinished
from hashmark.core.plan import Direction, Policy, Verb
from hashmark.disk import hashing
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.library.settings import Settings, create
from hashmark.trash import restore
from hashmark.trash.contents import trash_entries
from support.faults import proxy as faults
from support.faults.killing import Killer
from support.faults.proxy import Proxy, proxied
from support.faults.server import error
from support.file_trees import tree
from support.stores import Store

NAME = "82_x"
KEYS = ("a.png", "a.txt", "b.txt", "sub/a.txt")
RED = {Verdict.LOCAL_CHANGED, Verdict.DIFFERS, Verdict.REMOTE_CHANGED, Verdict.CONFLICT}
Files = dict[str, bytes]

FAULTS: dict[str, Callable[[Proxy], object]] = {
    "none": Proxy.heal,
    "an answer lost": lambda proxy: proxy.on("PutObject", NAME, faults.lost(500)),
    "a connection lost": lambda proxy: proxy.on("PutObject", NAME, faults.lost(None)),
    "a delete's answer lost": lambda proxy: proxy.on("DeleteObject", NAME, faults.lost(500)),
    "a copy that says error": lambda proxy: proxy.on("CopyObject", r"\.hashmark", faults.swap(error("SlowDown"))),
    "a byte flipped up": lambda proxy: proxy.on("PutObject", NAME, faults.flip_sent(0)),
    "a byte flipped down": lambda proxy: proxy.on("GetObject", NAME, faults.flip(0)),
    "a short body": lambda proxy: proxy.on("GetObject", NAME, faults.short(1)),
    "refused": lambda proxy: proxy.on("PutObject", NAME, faults.status(403, "AccessDenied"), times=99, overall=True),
    "expired": lambda proxy: proxy.on("GetObject", NAME, faults.status(400, "ExpiredToken"), nth=2, overall=True),
    "a page for a listing": lambda proxy: proxy.on("ListObjectsV2", NAME, faults.swap(b"<html></html>"), times=9),
}

machines = st.sampled_from(["here", "there"])
keys = st.sampled_from(KEYS)
verbs = st.sampled_from([Direction.PUSH, Direction.PULL])


class Model(RuleBasedStateMachine):
    """A bucket's folder and two libraries, created for each example."""

    store: Store
    proxy: Proxy
    folder: Path
    numbers: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        number = next(self.numbers)
        self.root = self.folder / str(number)
        self.prefix = f"{self.folder.name}-{number}"
        access, secret = read_credentials(self.store.credentials_file)
        self.secret, self.environment = secret, {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        self.libraries = {name: self._library(name) for name in ("here", "there")}
        self.bucket = self.store.bucket()
        self.acknowledged: set[bytes] = set()
        self.contents = itertools.count()

    def _library(self, name: str) -> Library:
        root = self.root / name
        remote = replace(self.store.remote(self.prefix), endpoint_url=self.proxy.url)
        create(root, {"url": remote.url, "endpoint_url": self.proxy.url, "region": "us-east-1"})
        (root / NAME / "sub").mkdir(parents=True)
        return Library(root, Settings(remote))

    def teardown(self) -> None:
        self.proxy.heal()
        for library in self.libraries.values():
            library.close()

    # --- the oracle: what the sides hold, read without hashmark ---------------------------------------------------

    def dataset(self, name: str) -> Dataset:
        return self.libraries[name].dataset("82")

    def disk(self, name: str) -> Files:
        return {key: data for key, data in tree(self.root / name / NAME).items() if not key.endswith(".part")}

    def objects(self, under: str = f"{NAME}/") -> Files:
        start = f"{self.prefix}/{under}"
        return {row.key: self.bucket.get(start + row.key) for row in self.bucket.objects(start)}

    def reachable(self) -> set[bytes]:
        folders = [self.root / name / part for name in self.libraries for part in (NAME, ".hashmark/trash")]
        # What a killed run has not finished is nobody's content yet: the next one removes it.
        kept = {data for folder in folders for key, data in tree(folder).items() if not is_unfinished(key)}
        # A killed probe leaves scratch objects, which the next one removes.
        return kept | {data for key, data in self.objects("").items() if not key.startswith(".hashmark/probe-")}

    def say(self, said: Any) -> None:
        text = said if isinstance(said, str) else json.dumps(said, default=str)
        assert self.secret not in text, "a secret is said"

    # --- what people do to their files ---------------------------------------------------------------------------

    @rule(name=machines, key=keys)
    def write(self, name: str, key: str) -> None:
        (self.root / name / NAME / key).write_bytes(f"content {next(self.contents)}\n".encode())

    @rule(name=machines, key=keys, put_back=st.booleans())
    def edit_without_changing_the_size(self, name: str, key: str, put_back: bool) -> None:
        path = self.root / name / NAME / key
        if not path.exists():
            return
        facts, data = path.stat(), path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        if put_back:
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    @rule(name=machines, key=keys, seconds=st.sampled_from([0, 1, 2**31, 4 * 10**9]))
    def touch(self, name: str, key: str, seconds: int) -> None:
        path = self.root / name / NAME / key
        if path.exists():
            os.utime(path, (seconds, seconds))

    @rule(name=machines, key=keys, to=keys)
    def rename(self, name: str, key: str, to: str) -> None:
        path = self.root / name / NAME / key
        if path.exists():
            path.replace(self.root / name / NAME / to)

    @rule(name=machines, key=keys)
    def remove(self, name: str, key: str) -> None:
        (self.root / name / NAME / key).unlink(missing_ok=True)

    # --- what hashmark does --------------------------------------------------------------------------------------

    @rule(name=machines, verb=verbs, take=st.booleans(), delete=st.booleans(), fault=st.sampled_from(sorted(FAULTS)))
    def sync(self, name: str, verb: Direction, take: bool, delete: bool, fault: str) -> None:
        policy = _policy(verb, take=take, delete=delete)
        before = self.snapshot()
        FAULTS[fault](self.proxy)
        try:
            planned = plan(self.dataset(name), policy)
            result = run(planned)
            self.say(result.to_json())
            clean = result.done and not result.planned.plan.left_alone
        except HashmarkError as refused:
            self.say(str(refused))
            planned, clean = None, False
        finally:
            self.proxy.heal()
        self.check_changes(name, planned, before)
        if clean:
            assert plan(self.dataset(name), policy).plan.actions == (), "the second run is not empty"

    @rule(name=machines, verb=verbs, take=st.booleans(), at=st.integers(1, 80))
    def kill(self, name: str, verb: Direction, take: bool, at: int) -> None:
        """Kill a run of the command line at a step; the next run finishes."""
        policy = _policy(verb, take=take, delete=False)
        before = self.snapshot()
        planned = plan(self.dataset(name), policy)
        words = [str(verb), "82", *(["--take", str(policy.take)] if policy.take else [])]
        end = Killer(self.root / name, self.environment)(*words, at=at)
        self.say(end.out)
        self.check_changes(name, planned, before)

    @rule(name=machines)
    def restore(self, name: str) -> None:
        """Restore the newest batch; what it overwrites goes to the trash."""
        library = self.libraries[name]
        batches = sorted({entry.batch for entry in trash_entries(library)})
        if batches:
            before = self.reachable()
            restored = restore.restore(library, batches[-1])
            self.say(str(restored.failures))
            assert before <= self.reachable(), "a content is lost"

    def snapshot(self) -> tuple[Files, dict[str, Files], set[bytes]]:
        return self.objects(), {name: self.disk(name) for name in self.libraries}, self.reachable()

    def check_changes(
        self, name: str, planned: Planned | None, before: tuple[Files, dict[str, Files], set[bytes]]
    ) -> None:
        """Check that exactly the planned changes were made, and that nothing is lost."""
        objects, disks, reachable = before
        assert reachable <= self.reachable(), "a content is lost"
        verbs = {str(action.key): action.verb for action in planned.plan.actions} if planned else {}
        (other,) = set(self.libraries) - {name}
        assert self.disk(other) == disks[other], "the other machine's disk changed"
        for key, data in _changes(objects, self.objects()).items():
            assert verbs.get(key) in {Verb.UPLOAD, Verb.DELETE_REMOTE}, f"{key} was not to change in the bucket"
            assert data == (disks[name][key] if verbs[key] is Verb.UPLOAD else None)
        for key, data in _changes(disks[name], self.disk(name)).items():
            assert verbs.get(key) in {Verb.DOWNLOAD, Verb.DELETE_LOCAL}, f"{key} was not to change on disk"
            assert data == (objects[key] if verbs[key] is Verb.DOWNLOAD else None)

    # --- what holds at every step --------------------------------------------------------------------------------

    @invariant()
    def green_is_a_proof_and_red_is_one_too(self) -> None:
        objects = self.objects()
        for name in self.libraries:
            disk = self.disk(name)
            found = status(self.dataset(name))
            self.say(found.to_json())
            for row in found.files:
                if row.verdict is Verdict.SYNCED:
                    assert disk[row.key] == objects[row.key], f"{name}: {row.key} is green and differs"
                elif row.verdict in RED and row.local and row.remote:
                    assert disk[row.key] != objects[row.key], f"{name}: {row.key} is red and is equal"

    @invariant()
    def nothing_that_was_in_the_bucket_is_lost(self) -> None:
        self.acknowledged |= set(self.objects().values())
        assert self.acknowledged <= self.reachable()


def _policy(verb: Direction, *, take: bool, delete: bool) -> Policy:
    side = Side.MINE if verb is Direction.PUSH else Side.THEIRS
    return Policy(verb, take=side if take else None, delete=delete, max_delete=100 if delete else None)


def _changes(before: Files, after: Files) -> dict[str, bytes | None]:
    return {key: after.get(key) for key in {*before, *after} if before.get(key) != after.get(key)}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("examples", "steps"),
    [(5, 16), pytest.param(60, 40, marks=pytest.mark.slow)],
    ids=["16 steps", "60 times 40 steps"],
)
def test_whatever_happens_in_whatever_order_green_is_true_and_nothing_is_lost(
    seaweedfs: Store, tmp_path: Path, prefix: str, examples: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system's clock ticks in milliseconds here, so digests are cached sooner than FAT would allow."""
    monkeypatch.setattr(hashing, "GRANULARITY_NS", 0)
    folder = tmp_path / prefix
    folder.mkdir()
    with proxied(seaweedfs.endpoint_url) as proxy:
        world = {"store": seaweedfs, "proxy": proxy, "folder": folder, "numbers": itertools.count()}
        run_state_machine_as_test(
            type("Played", (Model,), world),
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=examples < 10,
                database=None, suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
