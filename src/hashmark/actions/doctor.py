"""Checks everything a library needs, tries what its store can do, and says what each finding means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hashmark.core.errors import (
    AccessDenied,
    ClockSkew,
    ExpiredCredentials,
    HashmarkError,
    NoCredentials,
    WrongCredentials,
)
from hashmark.library.capabilities import probe_store, record_probe
from hashmark.library.library import Library
from hashmark.s3.probe import ProbeResult
from hashmark.transfer import incomplete_uploads

MEANING = {
    "write": ("hashmark can push here", "nothing can be pushed; status and pull may still work", ""),
    "etag-md5": (
        "a dataset of ordinary files is proven by one listing",
        "files are proven by what hashmark recorded when it pushed them, by stored checksums, or by `verify`",
        "",
    ),
    "etag-multipart": (
        "a large file is proven by its ETag, once the sizes of its parts are known",
        "large files are proven by what hashmark recorded, by stored checksums, or by `verify`",
        "large files are proven by what hashmark recorded, by stored checksums, or by `verify`",
    ),
    "etag-part-copy": (
        "a large file is told from an object in parts by the ETag alone",
        "a large file that an ETag of parts does not fit stays grey: the parts may have been copied. `verify` tells",
        "a large file that an ETag of parts does not fit stays grey: the parts may have been copied. `verify` tells",
    ),
    "checksum": (
        "a checksum kept beside an object proves what the object is",
        "a checksum kept beside an object is its uploader's word, and proves nothing",
        "",
    ),
    "create-only": (
        "a new file can't overwrite someone else's",
        "two people who push the same new file at the same instant can overwrite each other",
        "hashmark looks at each object before it writes",
    ),
    "replace-only": (
        "a file is replaced only if it is still the one you were shown",
        "hashmark looks at each object before it writes, which leaves a small gap",
        "hashmark looks at each object before it writes",
    ),
    "content-md5": (
        "the store refuses bytes that were damaged on the way",
        "uploads are proven by their ETag, or by reading them back",
        "uploads are proven by their ETag, or by reading them back",
    ),
    "copy": (
        "what is overwritten or deleted goes to the bucket's trash",
        "nothing in the bucket is overwritten or deleted, because it could not be kept in the trash",
        "",
    ),
    "start-after": (
        "a long listing is read in many places at once",
        "a long listing is read page by page",
        "a long listing is read page by page",
    ),
    "conditional-delete": (
        "an object is deleted only if it is still the one you were shown",
        "an object that changes in the instant before it is deleted goes too (a copy of it was kept)",
        "an object that changes in the instant before it is deleted goes too (a copy of it was kept)",
    ),
}


_UNFINISHED = (
    "no listing shows their parts, which are paid for: `hashmark doctor --abort-uploads` gives up this library's own, "
    "and others' that are more than a day old"
)

_CREDENTIALS = (NoCredentials, WrongCredentials, ExpiredCredentials, AccessDenied, ClockSkew)


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report. `ok` None: it could not be found out. `vital`: nothing works without it."""

    name: str
    ok: bool | None
    detail: str
    meaning: str
    vital: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "meaning": self.meaning}


def doctor(library: Library, *, abort_uploads: bool = False) -> Iterator[Check]:
    """Check after check, as they come; stops where nothing further can work.

    The bucket is left as it was, but for uploads in parts that never ended, where `abort_uploads` asks to give up
    this library's own and those of others that are more than a day old.
    """
    settings = library.settings.remote
    yield Check("library", True, str(library.root), f"mirrors {settings.url}")
    for problem in library.warnings():
        yield Check(problem.code, False, problem.message, "set verify = true, and ca_bundle for a private authority")
    state = library.state
    yield Check(
        "state",
        state.problem is None,
        state.problem.message if state.problem else str(library.state_folder / "state.sqlite"),
        "digests are remembered" if state.persistent else "every status reads every file again",
    )
    try:
        prefix = f"{settings.prefix}/" if settings.prefix else ""
        folders = library.bucket.folders(prefix)
        endpoint = library.bucket.client.endpoint
    except HashmarkError as error:
        name = "credentials" if isinstance(error, _CREDENTIALS) else "reach"
        yield Check(name, False, error.message, error.hint, vital=True)
        return
    yield Check("reach", True, f"{endpoint.url}, region {endpoint.region}", "the store answers")
    yield Check("credentials", True, "accepted", "the store knows who asks")
    yield Check(
        "listing", True, f"{len(folders)} folders under {settings.url}", "a complete listing is told from a broken one"
    )
    yield from _abilities(library)
    yield _uploads(library, abort=abort_uploads)


def _uploads(library: Library, *, abort: bool) -> Check:
    try:
        found = incomplete_uploads.unfinished(library)
        if not found:
            return Check("uploads", True, "no upload in parts is unfinished", "nothing is paid for unseen")
        what = ", ".join(incomplete_uploads.told(found))
        if not abort:
            return Check("uploads", False, what, _UNFINISHED)
        count = incomplete_uploads.abort(library, found)
    except HashmarkError as error:
        return Check("uploads", None, error.message, "uploads in parts that never ended can't be found here")
    left = len(found) - count
    meaning = f"{left} may be under way" if left else "all are gone"
    return Check("uploads", not left, f"{what}: {count} given up", meaning)


def _abilities(library: Library) -> Iterator[Check]:
    found: list[ProbeResult] = []
    try:
        for finding in probe_store(library):
            found.append(finding)
            yield _check(finding)
    except HashmarkError as error:
        yield Check("write", False, error.message, error.hint or MEANING["write"][1])
    record_probe(library, found)


def _check(finding: ProbeResult) -> Check:
    good, bad, unknown = MEANING[finding.name]
    meaning = good if finding.ok else bad if finding.ok is False else unknown
    return Check(finding.name, finding.ok, finding.detail, meaning)
