"""The fault matrix, rows 27 to 31, 33, 34, 37 and 38: wrong listings, hostile keys, credentials and redirects."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from hashmark import Library, Verdict, pull, push
from hashmark.actions.status import Options, status
from hashmark.cli import exits
from hashmark.core.errors import BrokenListing, HashmarkError, NoSuchBucket, RefusedPlan, ServerError
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.library.settings import Settings
from hashmark.s3 import listing as listing_module
from hashmark.trash.empty import empty, trash_contents
from support.datasets import fill
from support.faults.proxy import Fault, edit, redirect, swap
from support.faults.proxy import status as answers
from support.faults.server import Reply, error, scripted
from support.faults.world import NAME, TEXT, World, in_bucket, on_disk, verdicts
from support.stores import Store

FOR_EVER = 10**6
LOGIN = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Wi-Fi</body></html>"
WELL_FORMED = b"<html><head><title>Sign in</title></head><body>Wi-Fi</body></html>"
TWENTY = {f"{n:02}.txt": TEXT + bytes([n]) for n in range(20)}


@pytest.fixture
def synced(world: World) -> World:
    """Twenty files, the same on this machine and in the bucket."""
    here = world.machine()
    fill(here, TWENTY)
    assert push(here).done
    return world


def unharmed(world: World) -> None:
    world.proxy.heal()
    here = world.machine()
    assert on_disk(here) == in_bucket(here) == TWENTY
    assert status(here).in_sync


def refuses_to_list(world: World, *kinds: type[HashmarkError]) -> None:
    """Check that every command fails at the listing and nothing is deleted on either side."""
    here = world.machine()
    (here.path / "00.txt").unlink()
    asked: list[Callable[[], object]] = [
        lambda: status(here),
        lambda: push(here, delete=True, max_delete=100),
        lambda: pull(here, delete=True, max_delete=100),
    ]
    for ask in asked:
        with pytest.raises(kinds):
            ask()
    assert len(on_disk(here)) == 19
    fill(here, {"00.txt": TWENTY["00.txt"]})
    unharmed(world)


@pytest.mark.parametrize(
    "body",
    [LOGIN, WELL_FORMED, error("NoSuchBucket"), b"", b"{}"],
    ids=["a login page", "a well-formed page", "an error", "nothing", "JSON"],
)
def test_row_27_a_page_instead_of_a_listing_is_an_error_and_nothing_is_deleted(synced: World, body: bytes) -> None:
    """Guard: without the checks of the root element and `IsTruncated`, it counts as an empty bucket."""
    synced.proxy.on("ListObjectsV2", NAME, swap(body), times=FOR_EVER)
    refuses_to_list(synced, BrokenListing, NoSuchBucket)


def _without_token(body: bytes) -> bytes:
    return re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", body)


class _SameToken:
    """Give every page the token of the first."""

    def __init__(self) -> None:
        self._first = b""

    def __call__(self, body: bytes) -> bytes:
        found = re.search(rb"<NextContinuationToken>.*?</NextContinuationToken>", body)
        self._first = self._first or (found.group() if found else b"")
        return re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", lambda _: self._first, body)


@pytest.mark.parametrize("sort", ["no token", "a loop", "a page left out"])
def test_row_28_a_truncated_or_looping_listing_is_an_error(
    synced: World, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of five keys. KeyCount reveals the missing page.

    Guard: without the checks of the token, of repeated tokens and of KeyCount, it counts as a shorter listing.
    """
    monkeypatch.setattr(listing_module, "PAGE_KEYS", 5)
    first_row = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
    faults: dict[str, Fault] = {
        "no token": edit(_without_token),
        "a loop": edit(_SameToken()),
        "a page left out": edit(lambda body: first_row.sub(b"", body)),
    }
    synced.proxy.on("ListObjectsV2", NAME, faults[sort], times=FOR_EVER)
    refuses_to_list(synced, BrokenListing)


def test_row_29_a_listing_that_fails_at_page_3_is_an_error_of_the_whole(
    synced: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guard: with the pages before the error taken for the whole listing, the rest counts as deleted."""
    monkeypatch.setattr(listing_module, "PAGE_KEYS", 5)
    here = synced.machine()
    synced.proxy.on("ListObjectsV2", NAME, answers(500), nth=3, times=FOR_EVER, overall=True)
    with pytest.raises(ServerError):
        pull(here, delete=True, max_delete=100)
    unharmed(synced)


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_row_30_an_empty_source_deletes_nothing_whatever_was_confirmed(synced: World, direction: str) -> None:
    """An unmounted disk, or a wrong prefix.

    Guard: without the check for an empty source, everything on the other side is deleted.
    """
    here = synced.machine()
    if direction == "push":
        for path in here.path.iterdir():
            path.unlink()
    else:
        for key in TWENTY:
            synced.bucket.delete(here.prefix + key)
    with pytest.raises(RefusedPlan, match="is empty"):
        (push if direction == "push" else pull)(here, delete=True, max_delete=1000)
    assert len(in_bucket(here) if direction == "push" else on_disk(here)) == 20


def test_row_30_more_than_a_tenth_is_deleted_only_with_the_number(synced: World) -> None:
    """Guard: without the cap, three of twenty files are deleted without consent."""
    here = synced.machine()
    for key in ("00.txt", "01.txt", "02.txt"):
        (here.path / key).unlink()
    with pytest.raises(RefusedPlan, match="3 of 20 files") as refused:
        push(here, delete=True)
    assert refused.value.deletes == 3
    assert len(in_bucket(here)) == 20
    with pytest.raises(RefusedPlan):
        push(here, delete=True, max_delete=2)
    assert push(here, delete=True, max_delete=3).done
    assert len(in_bucket(here)) == 17


@pytest.mark.parametrize("sort", ["refused", "not mentioned"])
def test_row_31_a_batch_delete_that_fails_in_part_names_the_keys(synced: World, sort: str) -> None:
    """The answer is 200, but refuses one key or does not mention it.

    Guard: with every key that the answer does not list as an error counted as deleted, it is reported as deleted.
    """
    here = synced.machine()
    for key in ("00.txt", "01.txt"):
        (here.path / key).unlink()
    assert push(here, delete=True, max_delete=2).done
    refused = rb"<Error><Key>\1</Key><Code>AccessDenied</Code></Error>" if sort == "refused" else b""
    one = edit(
        lambda body: re.sub(rb"<Deleted>\s*<Key>([^<]*00\.txt)</Key>.*?</Deleted>", refused, body, flags=re.DOTALL)
    )
    synced.proxy.on("DeleteObjects", "", one)
    gone, failed = empty(here.library, trash_contents(here.library))
    assert gone == 1
    ((key, why),) = [(f.key, f.message) for f in failed]
    assert key.endswith("00.txt")
    assert "AccessDenied" in why or "NotConfirmed" in why
    assert empty(here.library, trash_contents(here.library)) in [(1, []), (0, [])], "asked again, nothing is left"


HOSTILE = (
    "../outside.txt", "a/../../outside.txt", "/absolute.txt", "C:/x.txt", "back\\slash.txt", "nul\x00.txt",
    "bell\x07.txt", "a//b.txt", "CON", "nul.txt", "trailing.", "space ", "./here.txt", "..",
)  # fmt: skip


def _with_rows(keys: tuple[str, ...], world: World) -> Fault:
    """Insert these keys into a listing with encoded keys, in byte order: XML cannot have some of them otherwise."""

    def change(body: bytes) -> bytes:
        if b"<EncodingType>url</EncodingType>" not in body:
            return body
        prefix = f"{world.prefix}/{NAME}/"
        own = re.findall(rb"<Contents>.*?</Contents>", body, re.DOTALL)
        row = "<Contents><Key>{}</Key><Size>17</Size><ETag>&quot;{}&quot;</ETag></Contents>"
        planted = [row.format(escape(quote(prefix + key, safe="/")), "0" * 32).encode() for key in keys]
        both = sorted([(_key(r), r) for r in (*own, *planted)])
        first, last = body.find(b"<Contents>"), body.rfind(b"</Contents>") + len(b"</Contents>")
        count = f"<KeyCount>{len(both)}</KeyCount>".encode()
        return re.sub(rb"<KeyCount>\d+</KeyCount>", count, body[:first] + b"".join(r for _, r in both) + body[last:])

    return edit(change)


def _key(row: bytes) -> bytes:
    found = re.search(rb"<Key>(.*?)</Key>", row)
    assert found
    return unquote_to_bytes(found.group(1))


def test_row_33_hostile_keys_are_refused_by_name_and_the_rest_goes_on(synced: World) -> None:
    """The keys are inserted into the listing, because no store accepts all of them; the exit status is 4.

    Guard: without the check of keys, a path outside the dataset is tried.
    """
    synced.proxy.on("ListObjectsV2", NAME, _with_rows(HOSTILE, synced), times=FOR_EVER)
    here = synced.machine("new")
    found = status(here)
    assert {row.key for row in found.of(Verdict.REFUSED)} == set(HOSTILE)
    result = pull(here)
    assert (result.carried_out, result.done) == (True, False), result.failures
    assert exits.for_result(result) == exits.Exit.PARTLY
    assert on_disk(here) == TWENTY
    assert synced.proxy.count("GetObject", NAME) == 20, "none of them was asked for"
    assert {p.name for p in here.library.root.iterdir()} == {NAME, ".hashmark"}


COLLIDING = ("Case.txt", "case.txt", unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt"))


def test_row_34_names_that_are_one_on_other_disks_are_both_refused_before_anything_is_written(world: World) -> None:
    """Letter case, and two spellings of one accent.

    Guard: without the search for collisions, all are written, and on a Mac one overwrites the other.
    """
    here = world.machine()
    for key in (*COLLIDING, "plain.txt"):
        world.bucket.put(here.prefix + key, TEXT)
    result = pull(here)
    assert {row.status.key for row in result.planned.plan.left_alone} == set(COLLIDING)
    assert exits.for_result(result) == exits.Exit.PARTLY
    assert on_disk(here) == {"plain.txt": TEXT}
    fill(here, dict.fromkeys(COLLIDING, b"other"))
    assert push(here).planned.plan.actions == ()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (answers(400, "ExpiredToken"), "expired-credentials", "Sign in again"),
        (answers(301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-3"}), "wrong-region", "eu-west-3"),
        (answers(403, "RequestTimeTooSkewed"), "clock-skew", "clock"),
    ],
    ids=["expired token", "wrong region", "clock skew"],
)
def test_row_37_expired_credentials_or_a_wrong_region_stop_the_run_with_the_next_step_and_it_resumes(
    world: World, fault: Fault, code: str, words: str
) -> None:
    """The store refuses after twenty of two hundred files; the twenty are kept.

    Guard: without an error class for this refusal, every other file is tried too, and the message names no remedy.
    """
    here = world.machine()
    files = {f"{n:03}.txt": TEXT + bytes([n]) for n in range(200)}
    fill(here, files)
    world.proxy.on("PutObject", NAME, fault, nth=21, times=FOR_EVER, overall=True)
    result = push(here)
    fatal = result.outcome.fatal
    assert fatal is not None
    assert (fatal.code, words in str(fatal)) == (code, True)
    assert result.outcome.state.files_done == 20
    assert result.outcome.not_tried > 0
    world.proxy.heal()
    again = push(here)
    assert again.done
    assert len(again.planned.plan.actions) == 180
    assert in_bucket(here) == files


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_row_38_a_redirect_is_refused_and_the_token_goes_nowhere(
    seaweedfs: Store, world: World, tmp_path: Path, code: int
) -> None:
    """With a session token, which a client that follows the redirect would hand over.

    Guard: our code sends to the configured host only; if it followed the redirect, the sink would see the token.
    """
    access, secret = read_credentials(seaweedfs.credentials_file)
    token = "token-that-nobody-may-see"
    keys = tmp_path / "credentials"
    lines = [f"aws_access_key_id={access}", f"aws_secret_access_key={secret}", f"aws_session_token={token}"]
    keys.write_text("\n".join(["[default]", *lines]) + "\n")
    with scripted(lambda _: Reply(200)) as sink:
        for operation in ("ListObjectsV2", "PutObject", "HeadObject", "GetObject"):
            world.proxy.on(operation, r"|\.hashmark", redirect(sink.url, code), times=FOR_EVER)
        remote = replace(seaweedfs.remote(world.prefix), endpoint_url=world.proxy.url, credentials_file=str(keys))
        with Library(tmp_path / "redirected", Settings(remote)) as library:
            said = []
            for ask in (
                lambda: library.bucket.folders(""),
                lambda: library.bucket.put("x", TEXT),
                lambda: library.bucket.head("x"),
                lambda: library.bucket.get("x"),
            ):
                with pytest.raises(HashmarkError) as refused:
                    ask()
                said.append(str(refused.value))
        assert any(token in request.headers.get("x-amz-security-token", "") for request in world.proxy.seen)
        assert sink.seen == []
        assert not any(token in text or secret in text for text in said)


def test_row_7_unreadable_source_is_an_error_and_not_a_deleted_file(synced: World) -> None:
    """Broken symlinks stand for unreadable files, because root can read every file.

    Guard: with unreadable files left out of the walk, they count as deleted on this side.
    """
    here = synced.machine()
    (here.path / "00.txt").unlink()
    (here.path / "00.txt").symlink_to("nowhere")
    found = verdicts(here)
    assert found["00.txt"] == "refused"
    assert not status(here, Options()).complete
    (here.path / "01.txt").unlink()
    with pytest.raises(RefusedPlan, match="could not be read completely"):
        push(here, delete=True, max_delete=10)
    assert exits.for_result(push(here)) == exits.Exit.PARTLY
    assert in_bucket(here) == TWENTY
