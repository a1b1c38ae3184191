"""Checks everything a library needs, probes its store, and says what each result means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hashmark._version import __version__
from hashmark.core.display import printable
from hashmark.core.errors import (
    AccessDenied,
    ClockSkew,
    ExpiredCredentials,
    HashmarkError,
    NoCredentials,
    WrongCredentials,
)
from hashmark.library.capabilities import contradictions, probe_store, record_probe
from hashmark.library.digest_cache import why_nothing_is_remembered
from hashmark.library.library import Library
from hashmark.native import kernel
from hashmark.s3.probe import ProbeResult, probe_reading
from hashmark.s3.store_capabilities import service_of
from hashmark.transfer import incomplete_uploads

MEANING = {
    "write": ("hashmark can push here", "nothing can be pushed; status and pull may still work", ""),
    "etag-md5": (
        "a dataset of ordinary files is proven by one listing",
        "files are proven by what hashmark recorded when it pushed them, by stored checksums, or by `verify`",
        "small files are proven by reading them, others by `verify`; a pull reads twice what no ETag proves",
    ),
    "etag-multipart": (
        "a large file is proven by its ETag, once the sizes of its parts are known",
        "large files are proven by what hashmark recorded, by stored checksums, or by `verify`",
        "large files are proven by what hashmark recorded, by stored checksums, or by `verify`",
    ),
    "etag-part-copy": (
        "a large file that differs from a multipart object is recognized by the ETag alone",
        "a large file with another multipart ETag stays unverified, since its parts may have been copied; use `verify`",
        "a large file with another multipart ETag stays unverified, since its parts may have been copied; use `verify`",
    ),
    "checksum": (
        "a checksum stored with an object proves its content",
        "a checksum stored with an object is its uploader's claim, and proves nothing",
        "",
    ),
    "etag-changes": (
        "an ETag that is unchanged shows that the object is",
        "what was written in the last seconds is read again before it counts as proven",
        "what was written in the last seconds counts as proven by its ETag",
    ),
    "exact-listing": (
        "an object is known by its listing",
        "each object gets a HEAD request for its size and ETag, so that a check takes longer",
        "a HEAD request finds out with the first object",
    ),
    "create-only": (
        "a new file can't overwrite someone else's",
        "two people who push the same new file at the same instant can overwrite each other",
        "hashmark inspects each object before it writes",
    ),
    "replace-only": (
        "an object is replaced only if it is still the one you were shown",
        "hashmark inspects each object before it writes, which leaves a small gap",
        "hashmark inspects each object before it writes",
    ),
    "conditional-complete": (
        "a new large file can't overwrite someone else's",
        "hashmark inspects the object before it completes a large upload, which leaves a small gap",
        "hashmark inspects the object before it completes a large upload",
    ),
    "conditional-delete": (
        "an object is deleted only if it is still the one you were shown",
        "an object that changes in the instant before its deletion is deleted too (a copy of the old one is kept)",
        "an object that changes in the instant before its deletion is deleted too (a copy of the old one is kept)",
    ),
    "content-md5": (
        "the store refuses bytes that were damaged in transit",
        "uploads are proven by their ETag, or by reading them back",
        "uploads are proven by their ETag, or by reading them back",
    ),
    "copy": (
        "what is overwritten or deleted goes to the bucket's trash",
        "nothing in the bucket is overwritten or deleted, because no copy could be kept in the trash",
        "",
    ),
    "start-after": (
        "a long listing is read in parallel",
        "a long listing is read page by page",
        "a long listing is read page by page",
    ),
}
"""What each result of the probe means: where the store supports it, where it does not, and where that is unknown."""

READ = {
    "read": (
        "hashmark can pull here",
        "nothing can be pulled",
        "whether hashmark can pull here shows with the first object",
    ),
}
"""What the results mean of what is tried only where nothing is written."""

_INCOMPLETE = (
    "their parts are in no listing but are billed: the next push continues this library's own if their files are still "
    "to be pushed; `hashmark doctor --abort-uploads` aborts them, and others' that are more than a day old"
)

_CREDENTIALS = (NoCredentials, WrongCredentials, ExpiredCredentials, AccessDenied, ClockSkew)


@dataclass(frozen=True)
class Check:
    """One line. `ok` None: it could not be found out. `vital`: nothing works without it.

    `is_unquoted`: it works only with ETags that have no quotes around them.
    """

    name: str
    ok: bool | None
    detail: str
    meaning: str
    vital: bool = False
    is_unquoted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "meaning": self.meaning}


def doctor(library: Library, *, abort_uploads: bool = False, read_only: bool = False) -> Iterator[Check]:
    """Yield check after check as they come; stop where nothing further can work.

    The bucket is left as it was, except that `abort_uploads` aborts incomplete multipart uploads: this library's own,
    and others' that are more than a day old. With `read_only`, or where the credentials may not write, what can be
    found out by reading is.
    """
    settings = library.settings.remote
    yield Check("library", True, str(library.root), f"mirrors {settings.url}")
    for problem in library.warnings():
        yield Check(problem.code, False, problem.message, "set verify = true, and ca_bundle for a private authority")
    state = library.state
    yield Check(
        "state",
        state.problem is None,
        state.problem.message if state.problem else str(library.own_folder() / "state.sqlite"),
        "digests are remembered" if state.persistent else "every status reads every file again",
    )
    yield _hashing()
    yield _files(library)
    try:
        prefix = f"{settings.prefix}/" if settings.prefix else ""
        folders = library.bucket.folders(prefix)
        endpoint = library.bucket.client.endpoint
    except HashmarkError as error:
        name = "credentials" if isinstance(error, _CREDENTIALS) else "reach"
        yield Check(name, False, error.message, error.hint, vital=True)
        return
    yield Check("reach", True, f"{endpoint.url}, region {endpoint.region}", "the store answers")
    yield Check("credentials", True, "accepted", "the store knows the access key")
    yield Check("listing", True, f"{len(folders)} folders under {settings.url}", "an incomplete listing is an error")
    yield from _probe_results(library, prefix, read_only=read_only)
    yield _uploads(library, abort=abort_uploads)


def report(library: Library, checks: Iterable[Check]) -> dict[str, Any]:
    """Return what the checks have found of the store, as plain data that names neither the user nor what is theirs."""
    client = library.bucket.client
    words = {True: "yes", False: "no", None: "unknown"}
    known = {check.name: check for check in checks if check.name in MEANING | READ}
    return {
        "format": 1,
        "hashmark": __version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "service": service_of(client.endpoint.hostname),
        "software": client.software(),
        "capabilities": {name: "unquoted" if check.is_unquoted else words[check.ok] for name, check in known.items()},
    }


def _hashing() -> Check:
    instructions = kernel.describe()
    return Check(
        "hashing",
        None if instructions == kernel.BY_HASHLIB else True,
        instructions,
        "one file after another on each core; hashmark was built without a C compiler, or HASHMARK_KERNEL is off"
        if instructions == kernel.BY_HASHLIB
        else "eight files at a time on each core",
    )


def _files(library: Library) -> Check:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for dataset in library.datasets():
        if why := why_nothing_is_remembered(dataset):
            names[why].append(printable(dataset.name))
    if not names:
        return Check(
            "files", True, "every change of a file shows in its times", "a file is read once, until it changes"
        )
    detail = "; ".join(f"{', '.join(some)}: {why}" for why, some in names.items())
    return Check("files", False, detail, "each check of these datasets reads every file")


def _uploads(library: Library, *, abort: bool) -> Check:
    try:
        found = incomplete_uploads.find(library)
        if not found:
            return Check("uploads", True, "no incomplete multipart uploads", "nothing is billed that no listing shows")
        what = ", ".join(incomplete_uploads.describe(found))
        if not abort:
            return Check("uploads", False, what, _INCOMPLETE)
        count = incomplete_uploads.abort(library, found)
    except HashmarkError as error:
        return Check("uploads", None, error.message, "incomplete multipart uploads can't be listed here")
    left = len(found) - count
    meaning = f"{left} may be under way" if left else "all are aborted"
    return Check("uploads", not left, f"{what}: {count} aborted", meaning)


def _probe_results(library: Library, prefix: str, *, read_only: bool) -> Iterator[Check]:
    found: list[ProbeResult] = []
    if not read_only:
        try:
            yield from _noted(library, probe_store(library), found)
        except HashmarkError as error:
            yield Check("write", False, error.message, error.hint or MEANING["write"][1])
            read_only = isinstance(error, AccessDenied)
    if read_only:
        try:
            yield from _noted(library, probe_reading(library.bucket, prefix), found)
        except HashmarkError as error:
            yield Check("read", False, error.message, error.hint or READ["read"][1], vital=True)
    record_probe(library, found)


def _noted(library: Library, results: Iterable[ProbeResult], found: list[ProbeResult]) -> Iterator[Check]:
    """Yield a check for each result, and add the results to `found`."""
    contradicted = contradictions(library)
    for result in results:
        found.append(result)
        good, bad, unknown = (MEANING | READ)[result.name]
        if result.name in contradicted:
            yield Check(result.name, False, "an object that was read, or listed as unchanged, shows otherwise", bad)
            continue
        meaning = good if result.ok else bad if result.ok is False else unknown
        vital = result.name == "read"
        yield Check(result.name, result.ok, result.detail, meaning, vital, is_unquoted=result.is_unquoted)
