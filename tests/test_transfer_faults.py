"""Transfers over a network that loses, damages and delays, with a real store behind it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hashmark import Dataset, Library, pull, push, status
from hashmark.actions.trash import entries
from hashmark.settings import Settings
from hashmark.transfer import moves
from tests.conftest import Store
from tests.faults import Reply, Request, error, forward, scripted

TEXT = b"a stellar sketch\n"
Fault = Callable[[Request, Callable[[], Reply], int], Reply]
"""What to answer: given the request, the store's own answer when called, and how often this request came before."""


@dataclass(frozen=True)
class Behind:
    """Libraries on a real store, reached through faults."""

    store: Store
    prefix: str
    folder: Path

    @contextmanager
    def faults(self, fault: Fault, name: str = "here") -> Iterator[Dataset]:
        seen: Counter[tuple[str, str, str]] = Counter()

        def answer(request: Request) -> Reply:
            which = (request.method, request.path, request.query.get("partNumber", ""))
            seen[which] += 1
            return fault(request, lambda: forward(self.store.endpoint_url, request), seen[which] - 1)

        with scripted(answer) as server, self._library(server.url, name) as library:
            yield library.dataset("82")

    @contextmanager
    def plainly(self, name: str = "here") -> Iterator[Dataset]:
        with self._library(self.store.endpoint_url, name) as library:
            yield library.dataset("82")

    @contextmanager
    def _library(self, url: str, name: str) -> Iterator[Library]:
        root = self.folder / name
        (root / "82_x").mkdir(parents=True, exist_ok=True)
        remote = replace(self.store.remote(self.prefix), endpoint_url=url, store_name="the store")
        with Library(root, Settings(remote)) as library:
            yield library


@pytest.fixture
def behind(seaweedfs: Store, prefix: str, tmp_path: Path) -> Behind:
    return Behind(seaweedfs, prefix, tmp_path)


def is_data(request: Request, method: str) -> bool:
    """Whether a request moves a file of the dataset (and not a probe, a listing or the trash)."""
    return request.method == method and "/82_x/" in request.path and ".hashmark" not in request.path


def lost_after_landing(request: Request, store: Callable[[], Reply], before: int) -> Reply:
    """The first write of each object lands, and its answer is lost: the client hears of a failure."""
    answer = store()
    if is_data(request, "PUT") and before == 0 and "x-amz-copy-source" not in request.headers:
        return Reply(500, error("InternalError"))
    return answer


def test_a_write_whose_answer_is_lost_is_recognised_as_our_own(behind: Behind) -> None:
    """The repeated write meets its own condition, is refused with 412, and must not become a conflict."""
    with behind.faults(lost_after_landing) as dataset:
        (dataset.path / "new.txt").write_bytes(TEXT)
        result = push(dataset)
        assert result.done, result.failures
        (dataset.path / "new.txt").write_bytes(TEXT + b"edited\n")
    with behind.faults(lost_after_landing) as dataset:
        result = push(dataset)
        assert result.done, result.failures
        assert status(dataset).in_sync
        assert push(dataset).planned.plan.actions == ()


def test_an_upload_in_parts_whose_last_answer_is_lost_is_recognised_too(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "SINGLE_PUT", 5 << 20)
    monkeypatch.setattr(moves, "PART_SIZE", 5 << 20)

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        answer = store()
        completes = request.method == "POST" and "uploadId" in request.query
        return Reply(500, error("InternalError")) if completes and before == 1 else answer

    with behind.faults(fault) as dataset:
        (dataset.path / "big.png").write_bytes(os.urandom(11 << 20))
        result = push(dataset)
        assert result.done, result.failures
        assert status(dataset).in_sync


def test_a_delete_whose_answer_is_lost_is_recognised_as_our_own(behind: Behind) -> None:
    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        answer = store()
        lost = is_data(request, "DELETE") and before == 0
        return Reply(500, error("InternalError")) if lost else answer

    with behind.faults(fault) as dataset:
        for name in ("a.txt", "b.txt"):
            (dataset.path / name).write_bytes(TEXT)
        push(dataset)
        (dataset.path / "a.txt").unlink()
        result = push(dataset, delete=True, max_delete=1)
        assert result.done, result.failures
        (dataset.path / "a.txt").write_bytes(TEXT + b"again\n")
        assert [str(row.verdict) for row in status(dataset).files] == ["local-only", "synced"]


def test_a_second_try_never_puts_the_new_bytes_over_the_old_ones_in_the_trash(behind: Behind) -> None:
    """The answer is lost so often that the whole move is tried again; the trash must keep the old content."""

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        answer = store()
        mine = is_data(request, "PUT") and "x-amz-copy-source" not in request.headers
        return Reply(500, error("InternalError")) if mine and before < 7 else answer

    with behind.plainly() as dataset:
        (dataset.path / "a.txt").write_bytes(TEXT)
        push(dataset)
        (dataset.path / "a.txt").write_bytes(TEXT + b"edited\n")
    with behind.faults(fault) as dataset:
        result = push(dataset)
        assert result.done, result.failures
        (kept,) = entries(dataset.library)
        where = f"{dataset.library.remote_trash}{kept.batch}/{kept.dataset}/{kept.key}"
        assert dataset.library.bucket.read(where) == TEXT


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else data


def test_a_byte_flipped_on_the_way_up_is_refused_and_sent_again(behind: Behind) -> None:
    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        if is_data(request, "PUT") and before == 0:
            return forward(behind.store.endpoint_url, replace(request, body=flipped(request.body)))
        return store()

    with behind.faults(fault) as dataset:
        (dataset.path / "a.txt").write_bytes(TEXT)
        result = push(dataset)
        assert result.done, result.failures
        assert dataset.library.bucket.read(dataset.prefix + "a.txt") == TEXT


@pytest.mark.parametrize("times", [1, 99])
def test_a_byte_flipped_on_the_way_down_never_reaches_the_file(times: int, behind: Behind) -> None:
    with behind.plainly("there") as there:
        (there.path / "a.txt").write_bytes(TEXT)
        push(there)

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        answer = store()
        damaged = is_data(request, "GET") and before < times
        return replace(answer, body=flipped(answer.body)) if damaged else answer

    with behind.faults(fault) as here:
        result = pull(here)
        if times == 1:
            assert result.done, result.failures
            assert (here.path / "a.txt").read_bytes() == TEXT
        else:
            assert [f.code for f in result.failures] == ["bad-digest"]
            assert list(here.path.iterdir()) == [], "neither the file nor a leftover"


def test_a_body_cut_short_is_asked_for_again(behind: Behind) -> None:
    with behind.plainly("there") as there:
        (there.path / "a.txt").write_bytes(TEXT * 1000)
        push(there)

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        answer = store()
        if is_data(request, "GET") and before == 0:
            return replace(answer, body=answer.body[:100], announced=len(answer.body))
        return answer

    with behind.faults(fault) as here:
        assert pull(here).done
        assert (here.path / "a.txt").read_bytes() == TEXT * 1000


def test_a_store_that_asks_to_slow_down_is_heeded_and_the_run_finishes(behind: Behind) -> None:
    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        chosen = hashlib.md5(request.path.encode()).digest()[0] % 3 == 0
        if is_data(request, "PUT") and chosen and before < 2:
            return Reply(503, error("SlowDown"))
        return store()

    with behind.faults(fault) as dataset:
        for n in range(60):
            (dataset.path / f"{n}.txt").write_bytes(TEXT + bytes([n]))
        result = push(dataset)
        assert result.done, result.failures
        assert status(dataset).in_sync


@pytest.mark.slow
def test_a_store_that_goes_away_stops_the_run_at_once_and_says_what_was_not_tried(behind: Behind) -> None:
    alive = {"puts": 0}

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        if is_data(request, "PUT"):
            alive["puts"] += 1
            if alive["puts"] > 20:
                return Reply(403, error("ExpiredToken"))
        return store()

    with behind.faults(fault) as dataset:
        for n in range(200):
            (dataset.path / f"{n}.txt").write_bytes(TEXT + bytes([n]))
        result = push(dataset)
        assert not result.done
        assert result.outcome.fatal is not None
        assert result.outcome.fatal.code == "expired-credentials"
        assert result.outcome.state.files_done == 20
        assert result.outcome.not_tried > 100
    with behind.plainly() as dataset:
        assert push(dataset).done
        assert status(dataset).in_sync


def test_deletes_wait_for_the_transfers_and_do_not_follow_a_failure(behind: Behind) -> None:
    with behind.plainly() as dataset:
        for name in ("a.txt", "b.txt", "c.txt"):
            (dataset.path / name).write_bytes(TEXT)
        push(dataset)
        (dataset.path / "a.txt").unlink()
        (dataset.path / "b.txt").write_bytes(TEXT + b"edited\n")

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        return Reply(403, error("AccessDenied")) if is_data(request, "PUT") else store()

    with behind.faults(fault) as dataset:
        result = push(dataset, delete=True, max_delete=1)
        assert [f.code for f in result.failures] == ["access-denied"]
        assert result.outcome.not_tried == 1
        assert {o.key for o in dataset.library.bucket.objects(dataset.prefix)} == {"a.txt", "b.txt", "c.txt"}


def test_etags_that_are_no_md5s_are_pulled_once_the_doctor_has_seen_them(behind: Behind) -> None:
    """A store of the kind whose ETags are random: the bytes are then read twice instead."""
    made_up = "9f8e7d6c5b4a49388271605f4e3d2c1b"

    def fault(request: Request, store: Callable[[], Reply], before: int) -> Reply:
        if is_data(request, "GET") or is_data(request, "HEAD"):
            return Reply(200, TEXT, {"ETag": f'"{made_up}"'})
        answer = store()
        real = hashlib.md5(TEXT).hexdigest().encode()
        return replace(answer, body=answer.body.replace(real, made_up.encode()))

    with behind.plainly("there") as there:
        (there.path / "a.txt").write_bytes(TEXT)
        push(there)
    with behind.faults(fault) as here:
        assert [f.code for f in pull(here).failures] == ["bad-digest"]
        here.library.state.record_facts(here.library.bucket.store, {"etag-md5": "no"})
        result = pull(here)
        assert result.done, result.failures
        assert (here.path / "a.txt").read_bytes() == TEXT
