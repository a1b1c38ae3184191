"""Sends one S3 request and returns one answer: names bucket and key, signs, and turns refusals into errors.

How requests travel is known to `s3.transport`. What they mean is not known here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hashmark.core.errors import HashmarkError, Interrupted, UnexpectedAnswer, Unsupported
from hashmark.core.model import key_bytes
from hashmark.s3 import credentials, tls
from hashmark.s3.endpoint import Endpoint, Remote, resolve
from hashmark.s3.error_mapping import CLOCK_SKEW, error_code, from_answer, from_libcurl, is_error, is_passing
from hashmark.s3.exchange import CANCELLED, TOO_LONG, Answer, NoAnswer, Request
from hashmark.s3.file_body import FileBody
from hashmark.s3.key_encoding import KeyEncoding
from hashmark.s3.signing import Signature
from hashmark.s3.transport import Transport
from hashmark.s3.waiting import Pending

if TYPE_CHECKING:
    from datetime import datetime

MAX_ANSWER_BYTES = 16 << 20
"""The largest answer that is read where the caller names no other limit.

A page of a thousand keys of 1024 bytes, each byte percent-encoded, has about 4 MB.
"""

SLOW_OPERATIONS = frozenset({"CopyObject", "UploadPartCopy", "CompleteMultipartUpload", "DeleteObjects"})
"""The store may work on these for minutes before it answers."""

STOPPED_MIDWAY = frozenset({"GetObject", "UploadPart"})
"""These change nothing that can be seen before they end."""

LATE_ERRORS = frozenset({"CopyObject", "UploadPartCopy", "CompleteMultipartUpload"})
"""These may answer with an error although the status, sent before, is 200 (Amazon S3 API reference, the same pages)."""

MIN_CLOCK_ERROR_S = 60
"""A smaller error of this machine's clock is no reason to refuse a request: S3 allows 15 minutes."""


class Client:
    """A connection pool to one endpoint, for one bucket.

    Raises:
        SettingsError: the CA bundle can't be read, the endpoint is malformed, or the profile is unknown.
    """

    def __init__(self, remote: Remote) -> None:
        self.endpoint: Endpoint = resolve(remote)
        self.key_encodings: list[KeyEncoding] = [KeyEncoding.FORM] if self.endpoint.is_aws else list(KeyEncoding)
        """How the store may write keys in listings, as far as its pages have shown it. AWS does as it documents."""
        self._bucket = remote.bucket
        self._signer = _Signer(remote, self.endpoint.region)
        self._transport = Transport(tls.options(remote, self.endpoint))

    def send(
        self,
        operation: str,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | FileBody | None = None,
        on_bytes: Callable[[int], None] | None = None,
        size: int = 0,
        max_bytes: int = MAX_ANSWER_BYTES,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Pending[Answer]:
        """Start a request. The future returns the answer, or raises a HashmarkError.

        `operation` is S3's name for it. An answer of more than `max_bytes` is an error; `size` is the number of bytes
        that it is expected to have. `on_bytes` is called with the number of bytes that have moved, on the network
        thread. If `is_cancelled`, a request that has not begun fails with Interrupted, and so does one with `on_bytes`
        whose effect is not visible yet (STOPPED_MIDWAY).
        """
        reading = _Reading(operation, f"'{key}'" if key else f"bucket '{self._bucket}'", self.endpoint, self._signer)
        try:
            pairs = reading.checked(key, headers or {})
            self._signer.refresh()
        except HashmarkError as error:
            refused: Pending[Answer] = Pending()
            refused.set_exception(error)
            return refused
        url = self.endpoint.url + self.endpoint.path(key)
        if query:
            url += "?" + "&".join(f"{quote(k, safe='')}={quote(key_bytes(v), safe='')}" for k, v in query.items())
        return self._transport.send(
            Request(
                method,
                url,
                pairs,
                body,
                size=size or len(body or b""),
                max_bytes=max_bytes,
                # An upload that is begun twice leaves one that nobody knows.
                repeatable=operation != "CreateMultipartUpload",
                slow=operation in SLOW_OPERATIONS,
                on_bytes=on_bytes,
                is_cancelled=is_cancelled,
                is_stopped_midway=operation in STOPPED_MIDWAY,
                sign=self._signer.signature,
                is_refused_for_now=reading.is_refused_for_now,
                result=reading.result,
            )
        )

    def call(self, operation: str, method: str, key: str = "", **options: Any) -> Answer:
        """Send a request and wait for the answer; the arguments are those of `send`.

        Raises:
            StoreError: one of its subclasses, for whatever went wrong.
        """
        return self.send(operation, method, key, **options).result()

    def store_time(self) -> datetime | None:
        """Return what the store's clock showed in its latest answer, in whole seconds; None if it did not say."""
        return _time_of(self._signer.latest_date)

    def software(self) -> str:
        """Return what the store calls its software, by its latest answer; empty if it does not say."""
        return self._signer.latest_server


class _Signer:
    """Knows what requests are signed with, and by how much this machine's clock is off."""

    def __init__(self, remote: Remote, region: str) -> None:
        self._source = credentials.source(remote)
        self._region = region
        self._clock_error_s = 0.0
        self.latest_date = ""
        """The `Date` header of the store's latest answer."""
        self.latest_server = ""
        """Its `Server` header."""

    def refresh(self) -> None:
        """Fetch credentials that are missing or about to expire; that may take seconds.

        Raises:
            NoCredentials: there are none.
        """
        self._source()

    def signature(self) -> Signature:
        keys = self._source()
        return Signature(keys.access_key, keys.secret_key, keys.token, self._region, self._clock_error_s)

    def correct_clock(self, answer: Answer) -> bool:
        """Take the time from an answer. Return whether it differs enough to explain that the store refused ours."""
        theirs = _time_of(answer.headers.get("date", ""))
        if theirs is None:
            return False
        error = theirs.timestamp() - time.time()
        if abs(error - self._clock_error_s) < MIN_CLOCK_ERROR_S:
            return False
        self._clock_error_s = error
        return True


@functools.lru_cache(8)
def _time_of(date: str) -> datetime | None:
    """Return the time of a `Date` header, None if it is none."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and not needed to compare

    try:
        return parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None


class _Reading:
    """Reads the answer to one request."""

    def __init__(self, operation: str, subject: str, endpoint: Endpoint, signer: _Signer) -> None:
        self._operation = operation
        self._subject = subject
        self._endpoint = endpoint
        self._signer = signer

    def checked(self, key: str, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the headers of a request for `key`.

        Raises:
            Unsupported: libcurl would resolve the key's segments `.` or `..` like a path's, and so name another object.
            UnexpectedAnswer: a header has a control character, which only an ETag from the store can bring in.
        """
        if "." in key and not {".", ".."}.isdisjoint(key.split("/")):
            what = f"{self._operation} of {self._subject}"
            raise Unsupported(f"{what}: keys with '.' or '..' between slashes can't be requested.")
        for name, value in headers.items():
            if not value.isprintable():
                what = f"{self._operation} of {self._subject}: its {name} has characters that no header can carry."
                raise UnexpectedAnswer(what)
        return tuple(headers.items())

    def is_refused_for_now(self, answer: Answer) -> bool:
        """Return whether the body of an answer says to try again, where its status does not."""
        if not self._is_error(answer):
            return False
        code = error_code(answer.body)
        return self._signer.correct_clock(answer) if code in CLOCK_SKEW else is_passing(code)

    def result(self, got: Answer | NoAnswer) -> Answer:
        """Return an answer that is not an error.

        Raises:
            HashmarkError: it is one, or there is none.
        """
        if isinstance(got, NoAnswer):
            if got.code == CANCELLED:
                raise Interrupted(f"{self._operation} of {self._subject} was stopped.")
            if got.code == TOO_LONG:
                what = f"{self._operation} of {self._subject}"
                raise UnexpectedAnswer(f"{what}: the answer is longer than any that S3 would return.")
            raise from_libcurl(got, self._operation, self._subject, self._endpoint)
        self._signer.latest_date = got.headers.get("date", "")
        self._signer.latest_server = got.headers.get("server", "")
        if self._is_error(got):
            raise from_answer(got.status, got.headers, got.body, self._operation, self._subject)
        return got

    def _is_error(self, answer: Answer) -> bool:
        return answer.status >= 300 or (self._operation in LATE_ERRORS and is_error(answer.body))
