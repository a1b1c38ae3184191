"""Sends HTTP requests over libcurl: many at a time on one network thread, signed, and repeated where that is harmless.

No redirect is followed, so credentials go only to the host that was named. An answer is never larger than its request
allows. What requests mean, and which answers are good, is not known here.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import itertools
import os
import random
import resource
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pycurl

from hashmark._version import __version__
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.s3.concurrency import MAX_REQUESTS, Concurrency
from hashmark.s3.file_body import FileBody
from hashmark.s3.waiting import Pending

CONNECT_TIMEOUT_MS = 10_000

STALL_S = 20
"""How long a connection may be silent before its request fails; longer while much is being sent."""

SLOW_STALL_S = 180
"""The same for requests that the store works on before it answers: copies, and the completion of an upload."""

SLOWEST_LINE = 32 << 10
"""Bytes per second of the slowest line that is expected to work."""

UNSENT_BYTES = 128 << 10
"""What the kernel holds of a connection before it is on the wire. More would look like progress that is none."""

UPLOAD_BUFFER_BYTES = 512 << 10
"""How much of a file is read at a time."""

MAX_TRIES = 6
MAX_TRIES_WHEN_SILENT = 2
"""A store that accepts a connection and stays silent is given up soon."""

FIRST_DELAY_S = 0.25
MAX_DELAY_S = 20.0

ERROR_BYTES = 64 << 10
"""How much of an error's body is read: enough for its code."""

BUSY_STATUS: Final = frozenset({429, 503})
"""The store did not begin with the request."""

RETRIED_STATUS: Final = BUSY_STATUS | {500, 502, 504}

_CUT_SHORT: Final = frozenset(
    {
        pycurl.E_GOT_NOTHING,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_RECV_ERROR,
        pycurl.E_SEND_ERROR,
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_SSL_CONNECT_ERROR,
    }
)
_NOT_SENT: Final = frozenset({pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY})


Options = Sequence[tuple[int, Any]]
"""Options of libcurl, by their numbers, that all requests share."""


class Signature(NamedTuple):
    """What a request is signed with (AWS Signature Version 4). Secret: never shown or logged."""

    access_key: str
    secret_key: str
    token: str | None
    region: str
    date: str | None
    """The time as X-Amz-Date has it, if this machine's clock is off; None for its clock."""


class Answer(NamedTuple):
    """An answer: header names in lower case, and the body in the chunks it came in (of an error, its beginning)."""

    status: int
    headers: Mapping[str, str]
    chunks: Sequence[bytes]

    @property
    def body(self) -> bytes:
        """Return the body in one piece."""
        return b"".join(self.chunks)


class NoAnswer(Exception):
    """There is no answer.

    `code` and `message` are libcurl's, `errno` is the system's error or 0, and `proxy` the status by which a proxy
    refused or 0.
    """

    def __init__(self, code: int, message: str, *, errno: int = 0, proxy: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.errno = errno
        self.proxy = proxy


TOO_LONG = -1
"""The code of an answer that is larger than its request allows."""


class Request(NamedTuple):
    """One request. The functions are called on the network thread."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    """All of them are signed."""
    body: bytes | FileBody | None
    size: int
    """The bytes that are expected to move."""
    max_bytes: int
    """A larger answer is an error."""
    repeatable: bool
    """Whether it may be sent again although the store may have carried it out."""
    slow: bool
    """Whether the store may work long before it answers."""
    on_bytes: Callable[[int], None] | None
    """Called with the number of bytes that have moved."""
    is_cancelled: Callable[[], bool]
    """Returns whether the request is to fail with Interrupted if it has not begun; called before each try."""
    sign: Callable[[], Signature]
    """Returns what to sign with; called before each try."""
    is_refused_for_now: Callable[[Answer], bool]
    """Returns whether an answer asks to try again, where its status does not say so."""
    result: Callable[[Answer | NoAnswer], Answer]
    """Returns the last answer, or raises what the future is to raise."""


class Transport:
    """Sends requests from any thread; a network thread of its own does the work, and ends after this object."""

    def __init__(self, options: Options) -> None:
        self._loop = _Loop(options)
        weakref.finalize(self, self._loop.end).atexit = False

    def send(self, request: Request) -> Pending[Answer]:
        """Start a request. The future's callbacks run on the network thread."""
        exchange = _Exchange(request)
        self._loop.add(exchange)
        return exchange.future


class _Exchange:
    """One request and what has come of its answer. Only the network thread uses it."""

    __slots__ = (
        "_chunks", "_has_enough", "_headers", "_is_too_long", "_received", "_status", "_told", "epoch", "future",
        "request", "tries",
    )  # fmt: skip

    def __init__(self, request: Request) -> None:
        self.request = request
        self.future: Pending[Answer] = Pending()
        self.tries = 0
        self.epoch = 0
        self._told = 0
        self.begin()

    def begin(self) -> None:
        """Forget the answer of an earlier try."""
        self._is_too_long = self._has_enough = False
        self._status = self._received = 0
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []

    def on_header(self, line: bytes) -> None:
        """Take one line of the header; a status line begins a new one."""
        if line.startswith(b"HTTP/"):
            self._headers = {}
            status = line.split(b" ", 2)[1:2]
            self._status = int(status[0]) if status and status[0].strip().isdigit() else 0
            return
        name, colon, value = line.partition(b":")
        if colon:
            self._headers[name.decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")

    def on_body(self, chunk: bytes) -> int | None:
        """Take a chunk of the body. Return None to go on, or a number of bytes that ends the transfer."""
        self._received += len(chunk)
        if self._status >= 300:
            if self._received > ERROR_BYTES:
                self._has_enough = True
                return 0
        elif self._received > self.request.max_bytes:
            self._is_too_long = True
            return 0
        self._chunks.append(chunk)
        return None

    def on_progress(self, _down_total: int, down: int, _up_total: int, up: int) -> None:
        """Tell of bytes that have moved, but not again of those that an earlier try had moved."""
        moved = up if self.request.body is not None else down if self._status < 300 else 0
        if moved > self._told and self.request.on_bytes:
            self.request.on_bytes(moved - self._told)
            self._told = moved

    def outcome(self, error: NoAnswer | None) -> Answer | NoAnswer:
        """Return what has come of this try, which ended with `error`."""
        if self._is_too_long:
            return NoAnswer(TOO_LONG, "the answer is too long")
        if error is not None and not self._has_enough:
            return error
        if self._status < 200:
            return NoAnswer(pycurl.E_GOT_NOTHING, "no status")
        return Answer(self._status, self._headers, self._chunks)


def _set_socket_options(descriptor: int, _purpose: int) -> int:
    """Let the kernel hold little that is not on the wire (`UNSENT_BYTES`). Return 0, libcurl's "go on"."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with socket.socket(fileno=os.dup(descriptor)) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return 0


_COMMON: Options = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.USERAGENT, f"hashmark/{__version__}"),
    (pycurl.LOW_SPEED_LIMIT, 1),
    (pycurl.TCP_KEEPALIVE, 1),
    (pycurl.SOCKOPTFUNCTION, _set_socket_options),
)


class _Loop:
    """The network thread: libcurl's multi interface, driven by a selector (`curl_multi_socket_action`)."""

    def __init__(self, options: Options) -> None:
        self._options = (*_COMMON, *options)
        self._inbox: deque[_Exchange] = deque()
        self._wake_lock = threading.RLock()  # garbage collection may call `end` where the lock is held
        self._is_awake = False
        self._is_ended = False
        self._is_abandoned = False
        self._thread: threading.Thread | None = None
        self._waiting: deque[_Exchange] = deque()
        self._later: list[tuple[float, int, _Exchange]] = []
        self._numbers = itertools.count()
        self._active: dict[pycurl.Curl, _Exchange] = {}
        self._idle: list[pycurl.Curl] = []
        self._sending = 0
        """Bytes that requests on the wire may have in the kernel."""
        self._moving = 0
        """Bytes that they move in all."""
        self._concurrency = Concurrency(_most_requests())

    def add(self, exchange: _Exchange) -> None:
        """Take a request, from any thread."""
        self._inbox.append(exchange)
        with self._wake_lock:
            if self._thread is None:
                self._open()
            elif not self._is_awake:
                self._is_awake = True
                self._bell.send(b"x")

    def end(self) -> None:
        """End the thread once all requests are done."""
        self._is_ended = True
        self._wake()

    def abandon(self) -> None:
        """End the thread now; requests under way get no answer. For the end of the process."""
        self._is_abandoned = True
        thread = self._thread
        self._wake()
        if thread is not None:
            thread.join(2)

    def _wake(self) -> None:
        with self._wake_lock:
            if self._thread is not None and not self._is_awake:
                self._is_awake = True
                self._bell.send(b"x")

    def _open(self) -> None:
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._is_awake = True
        self._bell.send(b"x")
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        _loops.add(self)
        self._thread.start()

    def _run(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._timer: float | None = None
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        multi.setopt(pycurl.M_MAXCONNECTS, MAX_REQUESTS)
        try:
            while self._step():
                pass
        except Exception as error:  # noqa: BLE001 - an internal error must not leave anybody waiting
            self._fail_all(error)
        finally:
            for curl in self._active:
                multi.remove_handle(curl)
            self._active.clear()
            multi.close()
            self._selector.close()
            with self._wake_lock:
                self._thread = None
                self._ear.close()
                self._bell.close()
                if self._inbox and not self._is_abandoned:
                    self._open()  # they came while this thread was ending

    def _fail_all(self, error: Exception) -> None:
        later = [exchange for _, _, exchange in self._later]
        for exchange in (*self._active.values(), *self._waiting, *later, *self._inbox):
            if not exchange.future.done():
                exchange.future.set_exception(HashmarkError(f"Internal error: {type(error).__name__}: {error}."))
        for queue in (self._waiting, self._later, self._inbox):
            queue.clear()
        self._sending = self._moving = 0

    def _step(self) -> bool:
        """Wait for what happens next and handle it. Return whether there is more to come."""
        for key, mask in self._selector.select(self._timeout()):
            if key.fileobj is self._ear:
                with self._wake_lock:
                    self._ear.recv(64)
                    self._is_awake = False
            else:
                events = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                    pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
                )
                self._multi.socket_action(key.fd, events)
        now = time.monotonic()
        if self._timer is not None and self._timer <= now:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        while self._inbox:
            self._waiting.append(self._inbox.popleft())
        while self._later and self._later[0][0] <= now:
            self._waiting.append(heapq.heappop(self._later)[2])
        while self._waiting and self._concurrency.has_room(
            len(self._active), self._moving, self._waiting[0].request.size
        ):
            self._begin(self._waiting.popleft())
        if self._is_abandoned:
            return False
        return not self._is_ended or bool(self._active or self._waiting or self._later or self._inbox)

    def _timeout(self) -> float | None:
        due = [at for at in (self._timer, self._later[0][0] if self._later else None) if at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _on_timer(self, timeout_ms: int) -> None:
        self._timer = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000

    def _on_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(fd)
            return
        events = (selectors.EVENT_READ if what & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if what & pycurl.POLL_OUT else 0
        )
        try:
            self._selector.modify(fd, events)
        except KeyError:
            self._selector.register(fd, events)

    def _begin(self, exchange: _Exchange) -> None:
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        exchange.tries += 1
        exchange.begin()
        exchange.epoch = self._concurrency.epoch
        request = exchange.request
        self._sending += _in_kernel(request)
        self._moving += request.size
        try:
            if request.is_cancelled():
                raise Interrupted("The request was not sent.")
            self._prepare(curl, exchange)
            self._multi.add_handle(curl)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
            self._sending -= _in_kernel(request)
            self._moving -= request.size
            curl.close()
            exchange.future.set_exception(error)
            return
        self._active[curl] = exchange

    def _prepare(self, curl: pycurl.Curl, exchange: _Exchange) -> None:
        request = exchange.request
        signature = request.sign()
        for option, value in self._options:
            curl.setopt(option, value)
        curl.setopt(pycurl.URL, request.url)
        if request.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif isinstance(request.body, FileBody):
            request.body.seek(0)
            curl.setopt(pycurl.UPLOAD, 1)
            curl.setopt(pycurl.INFILESIZE_LARGE, len(request.body))
            curl.setopt(pycurl.UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES)
            curl.setopt(pycurl.READFUNCTION, request.body.read)
            curl.setopt(pycurl.SEEKFUNCTION, request.body.seek)
        elif request.body is not None or request.method in {"PUT", "POST"}:
            curl.setopt(pycurl.POSTFIELDS, request.body or b"")
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        elif request.method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{signature.region}:s3")
        curl.setopt(pycurl.USERNAME, signature.access_key)
        curl.setopt(pycurl.PASSWORD, signature.secret_key)
        curl.setopt(pycurl.HTTPHEADER, _header_lines(request, signature))
        stall = SLOW_STALL_S if request.slow else STALL_S
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS)
        curl.setopt(pycurl.LOW_SPEED_TIME, stall + self._sending // SLOWEST_LINE)
        if exchange.tries > 1:
            # libcurl remembers for half a minute that a name could not be looked up.
            curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
        if not request.repeatable:
            # libcurl itself sends a request again if a connection that was kept open turns out to be closed.
            curl.setopt(pycurl.FRESH_CONNECT, 1)
        if request.on_bytes:
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, exchange.on_progress)
        curl.setopt(pycurl.HEADERFUNCTION, exchange.on_header)
        curl.setopt(pycurl.WRITEFUNCTION, exchange.on_body)

    def _collect(self) -> None:
        """Handle the requests that have ended."""
        while True:
            queued, good, bad = self._multi.info_read()
            for curl in good:
                self._ended(curl, None)
            for curl, code, message in bad:
                errno, proxy = curl.getinfo(pycurl.OS_ERRNO), curl.getinfo(pycurl.HTTP_CONNECTCODE)
                self._ended(curl, NoAnswer(code, message, errno=errno, proxy=proxy))
            if not queued:
                return

    def _ended(self, curl: pycurl.Curl, error: NoAnswer | None) -> None:
        exchange = self._active.pop(curl)
        self._multi.remove_handle(curl)
        curl.reset()  # or it would keep the body
        self._idle.append(curl)
        request = exchange.request
        self._sending -= _in_kernel(request)
        self._moving -= request.size
        got = exchange.outcome(error)
        if isinstance(got, Answer) and got.status in BUSY_STATUS:
            self._concurrency.slow_down(exchange.epoch)
        elif isinstance(got, Answer):
            self._concurrency.ended(request.size, time.monotonic(), is_queued=bool(self._waiting))
        try:
            delay = _delay(exchange, got)
            result = request.result(got) if delay is None else None
        except Exception as refused:  # noqa: BLE001 - whatever it is, the caller must hear of it
            exchange.future.set_exception(refused)
            return
        if delay is not None:
            heapq.heappush(self._later, (time.monotonic() + delay, next(self._numbers), exchange))
        elif result is not None:
            exchange.future.set_result(result)


def _delay(exchange: _Exchange, got: Answer | NoAnswer) -> float | None:
    """Return the seconds until the next try, or None if there is to be none."""
    tries, request, wanted = exchange.tries, exchange.request, 0.0
    if isinstance(got, Answer):
        statuses = RETRIED_STATUS if request.repeatable else BUSY_STATUS
        again = got.status in statuses or request.is_refused_for_now(got)
        wanted = _retry_after(got)
    else:
        again = got.code in _NOT_SENT or (got.code in _CUT_SHORT and request.repeatable)
        # What OpenSSL refuses, as an answer without TLS, and what a proxy refuses, as a missing login, stays so.
        again = again and "SSL routines" not in got.message and not 400 <= got.proxy < 500
    silent = isinstance(got, NoAnswer) and got.code == pycurl.E_OPERATION_TIMEDOUT
    if not again or tries >= (MAX_TRIES_WHEN_SILENT if silent else MAX_TRIES):
        return None
    # Half of it is random, so that requests that failed together do not come back together.
    backoff: float = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (tries - 1))
    return max(backoff * random.uniform(0.5, 1), wanted)  # noqa: S311 - no secret


def _most_requests() -> int:
    """Return how many requests may be on the wire: at most one for every second file that this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_REQUESTS if soft == resource.RLIM_INFINITY else min(MAX_REQUESTS, max(4, soft // 2 - 32))


def _in_kernel(request: Request) -> int:
    return min(len(request.body or b""), 2 * UNSENT_BYTES)


def _retry_after(answer: Answer) -> float:
    """Return the seconds that the store asks to wait; at most as many as we would wait ourselves."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), MAX_DELAY_S) if text.isdecimal() and len(text) < 9 else 0.0


def _header_lines(request: Request, signature: Signature) -> list[bytes]:
    pairs = [*request.headers, ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    if signature.token:
        pairs.append(("x-amz-security-token", signature.token))
    if signature.date:
        pairs.append(("X-Amz-Date", signature.date))
    # libcurl leaves out a header that is given without a value, unless it ends in ";" (CURLOPT_HTTPHEADER).
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in pairs]
    lines += ["Expect:", "Accept:"]
    if not any(name == "Content-Type" for name, _ in pairs):
        lines.append("Content-Type:")
    return [line.encode() for line in lines]


_loops: weakref.WeakSet[_Loop] = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    for loop in list(_loops):
        loop.abandon()
