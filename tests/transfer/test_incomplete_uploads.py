"""Incomplete multipart uploads: found by `doctor`, and aborted only where nobody can be using them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hashmark.actions.doctor import Check, doctor
from hashmark.library.library import Library
from hashmark.s3 import multipart
from hashmark.state.state import OpenUpload
from hashmark.transfer import incomplete_uploads
from support.datasets import LibraryMaker
from support.stores import Store

TOMORROW = datetime.now(UTC) + timedelta(days=1, hours=1)


def begin(library: Library, key: str) -> tuple[str, str]:
    """An upload of which one part is up."""
    whole = library.dataset("82").prefix + key
    upload_id = multipart.begin(library.bucket.client, whole, {})
    query = {"partNumber": "1", "uploadId": upload_id}
    library.bucket.client.call("UploadPart", "PUT", whole, query=query, body=b"x")
    return whole, upload_id


def line(library: Library, *, abort: bool = False) -> Check:
    return next(check for check in doctor(library, abort_uploads=abort) if check.name == "uploads")


def made(library_on: LibraryMaker, store: Store) -> Library:
    library = library_on(store)
    (library.root / "82_stellar_sketch").mkdir(exist_ok=True)
    return library


def test_an_upload_that_never_ended_is_found_on_every_store(store: Store, library_on: LibraryMaker) -> None:
    library = made(library_on, store)
    assert line(library).ok is True
    key, upload_id = begin(library, "big +%ü.png")
    (found,) = incomplete_uploads.find(library)
    assert (found.upload.key, found.upload.upload_id, found.own) == (key, upload_id, False)
    assert found.old is (store.name == "moto"), "moto says of every upload that it began in 2010"
    check = line(library)
    assert (check.ok, "1 incomplete" in check.detail, "--abort-uploads" in check.meaning) == (False, True, True)
    multipart.abort(library.bucket.client, key, upload_id)
    assert line(library).ok is True


def test_others_uploads_are_given_up_only_when_they_are_old(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = made(library_on, seaweedfs)
    begin(library, "big.png")
    check = line(library, abort=True)
    assert (check.ok, "0 aborted" in check.detail, "under way" in check.meaning) == (False, True, True)
    assert len(incomplete_uploads.find(library)) == 1
    assert incomplete_uploads.abort(library, incomplete_uploads.find(library, TOMORROW)) == 1
    assert incomplete_uploads.find(library) == []


def test_own_uploads_are_given_up_unless_a_push_is_running(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = made(library_on, seaweedfs)
    key, upload_id = begin(library, "big.png")
    incomplete_uploads.note(library, key, OpenUpload(upload_id, None))
    assert "1 by this library" in line(library).detail
    with library.dataset("82").lock():
        assert line(library, abort=True).ok is False
        assert len(incomplete_uploads.find(library)) == 1
    check = line(library, abort=True)
    assert (check.ok, check.meaning) == (True, "all are aborted")
    assert incomplete_uploads.find(library) == []


def test_uploads_beside_the_library_s_prefix_are_not_its_business(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = made(library_on, seaweedfs)
    outside = f"{library.settings.remote.prefix}-not/big.png"
    upload_id = multipart.begin(library.bucket.client, outside, {})
    assert incomplete_uploads.find(library, TOMORROW) == []
    multipart.abort(library.bucket.client, outside, upload_id)
