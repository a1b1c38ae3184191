"""Sends one S3 request and returns one answer. The AWS runtime retries, signs and keeps connections.

No redirect is followed: the runtime reports one as an answer, so credentials go only to the configured host. There is
one client per endpoint, because the runtime pools connections by host name without the port. What requests mean is not
known here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from awscrt.http import HttpHeaders, HttpRequest
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, create_default_s3_signing_config

from hashmark._version import __version__
from hashmark.core.errors import HashmarkError, UnexpectedAnswer
from hashmark.core.model import key_bytes
from hashmark.s3 import credentials, tls
from hashmark.s3.endpoint import Endpoint, Remote, resolve
from hashmark.s3.error_mapping import from_answer, from_runtime
from hashmark.s3.waiting import Pending

MEMORY_LIMIT_BYTES = 1 << 30
"""The minimum: the runtime refuses a smaller buffer pool."""

MAX_CONNECTIONS = 128
"""Requests on the wire at once: more than the files that a run has under way.

Given more requests, the runtime prepares as many again; while that queue is full, it does not deliver answers that have
come. (`s_s3_client_should_update_meta_request` in s3_client.c of aws-c-s3.)
"""

GBPS_PER_CONNECTION = 0.4
"""What the runtime assumes: it derives the number of connections from a target throughput, by default 25 from 10 Gbps.
(`s_throughput_per_connection_gbps` there.)"""

CONNECT_TIMEOUT_MS = 10_000


class Answer(NamedTuple):
    """A successful answer, with header names in lower case and the body in the chunks it came in."""

    status: int
    headers: Mapping[str, str]
    chunks: Sequence[bytes]

    @property
    def body(self) -> bytes:
        """Return the body in one piece."""
        return b"".join(self.chunks)


class Client:
    """A connection pool to one endpoint, for one bucket.

    Raises:
        SettingsError: the CA bundle can't be read, the endpoint is malformed, or the profile is unknown.
    """

    def __init__(self, remote: Remote) -> None:
        self.endpoint: Endpoint = resolve(remote)
        self._bucket = remote.bucket
        signing = create_default_s3_signing_config(
            region=self.endpoint.region, credential_provider=credentials.provider(remote)
        )
        self._watchdog = tls.Watchdog(remote, self.endpoint) if self.endpoint.tls and remote.verify else None
        self._client = S3Client(
            region=self.endpoint.region,
            signing_config=signing,
            tls_mode=S3RequestTlsMode.ENABLED if self.endpoint.tls else S3RequestTlsMode.DISABLED,
            tls_connection_options=tls.connection_options(remote, self.endpoint) if self.endpoint.tls else None,
            memory_limit=MEMORY_LIMIT_BYTES,
            throughput_target_gbps=MAX_CONNECTIONS * GBPS_PER_CONNECTION,
            connect_timeout_ms=CONNECT_TIMEOUT_MS,
        )

    def send(
        self,
        operation: str,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        on_bytes: Callable[[int], None] | None = None,
        max_bytes: int | None = None,
    ) -> Pending[Answer]:
        """Start a request. The future returns the answer, or raises a HashmarkError.

        `operation` is S3's name for it. An answer of more than `max_bytes` is an error. `on_bytes` is called with the
        number of bytes that have moved, on the runtime's thread.
        """
        request = self._request(method, key, query or {}, headers or {}, body)
        collector = _Collector(operation, f"'{key}'" if key else f"bucket '{self._bucket}'", self.endpoint, max_bytes)
        try:
            collector.request = self._client.make_request(
                type=S3RequestType.DEFAULT,
                operation_name=operation,
                request=request,
                on_headers=collector.on_headers,
                on_body=collector.on_body,
                on_done=collector.on_done,
                on_progress=(lambda progress, **_: on_bytes(progress)) if on_bytes else None,
            )
        except RuntimeError as error:  # the runtime refuses to start: "48 (AWS_ERROR_NAME): …"
            name = re.search(r"AWS_\w+", str(error))
            collector.on_done(_Refused(name.group() if name else "unknown"), None, None, None)
        if self._watchdog:
            self._watchdog.watch(collector.future, collector.fail)
        return collector.future

    def _request(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
    ) -> HttpRequest:
        path = self.endpoint.path(key)
        if query:
            path += "?" + "&".join(f"{quote(k, safe='')}={quote(key_bytes(v), safe='')}" for k, v in query.items())
        pairs = [("Host", self.endpoint.host), ("User-Agent", f"hashmark/{__version__}"), *headers.items()]
        if body is not None or method in {"PUT", "POST"}:
            pairs.append(("Content-Length", str(len(body or b""))))
        return HttpRequest(method, path, HttpHeaders(pairs), io.BytesIO(body) if body is not None else None)

    def call(self, operation: str, method: str, key: str = "", **options: Any) -> Answer:
        """Send a request and wait for the answer; the arguments are those of `send`.

        Raises:
            StoreError: one of its subclasses, for whatever went wrong.
        """
        return self.send(operation, method, key, **options).result()


class _Refused(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Collector:
    """Turns the callbacks of one request, which come on the runtime's thread, into a future."""

    def __init__(self, operation: str, subject: str, endpoint: Endpoint, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self.future: Pending[Answer] = Pending()
        self.request: Any = None  # referenced here: the runtime cancels a request without references
        self._about = (operation, subject, endpoint)
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def fail(self, error: HashmarkError) -> None:
        """Cancel the request; its future raises `error`."""
        request = self.request
        if not self.future.done():
            self.future.set_exception(error)
        if request is not None:
            request.cancel()

    def on_headers(self, status_code: int, headers: list[tuple[str, str]], **_: Any) -> None:
        self._status = status_code
        self._headers = {name.lower(): value for name, value in headers}

    def on_body(self, chunk: bytes, offset: int, **_: Any) -> None:
        if offset == 0:
            self._body.clear()  # the runtime retries from the beginning
        if self._max_bytes is not None and offset + len(chunk) > self._max_bytes:
            what = f"{self._about[0]} of {self._about[1]}"
            self.fail(UnexpectedAnswer(f"{what}: the answer is longer than any that S3 would return."))
        elif not self.future.done():
            self._body.append(bytes(chunk))

    def on_done(
        self,
        error: Exception | None,
        error_headers: list[tuple[str, str]] | None,
        error_body: bytes | None,
        status_code: int | None,
        **_: Any,
    ) -> None:
        operation, subject, endpoint = self._about
        self.request = None
        if self.future.done():
            return  # cancelled
        if error is None:
            self.future.set_result(Answer(self._status, self._headers, self._body))
        elif status_code and error_headers is not None and (status_code >= 300 or error_body):
            headers = {name.lower(): value for name, value in error_headers}
            self.future.set_exception(from_answer(status_code, headers, error_body or b"", operation, subject))
        else:
            name = getattr(error, "name", str(error))
            self.future.set_exception(from_runtime(name, operation, subject, endpoint.host, tls=endpoint.tls))
