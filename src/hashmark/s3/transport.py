"""Sends HTTP requests over libcurl: many at a time on one network thread.

No redirect is followed, so credentials go only to the host that was named. What requests mean, and which answers are
good, is not known here.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import itertools
import os
import resource
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import pycurl

from hashmark._version import __version__
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.s3.concurrency import MAX_REQUESTS, Concurrency
from hashmark.s3.exchange import (
    BUSY_STATUS,
    MAX_TRIES_WHEN_SILENT,
    Answer,
    Exchange,
    NoAnswer,
    Request,
    header_lines,
    retry_delay_s,
)
from hashmark.s3.file_body import FileBody
from hashmark.s3.timeouts import TIMEOUTS
from hashmark.s3.waiting import Pending

CONNECT_TIMEOUT_MS = 10_000

SLOWEST_LINE = 32 << 10
"""Bytes per second of the slowest line that is expected to work."""

CANCEL_POLL_S = 0.25
"""How often requests that wait to be tried again are asked whether they were cancelled."""

UNSENT_BYTES = 128 << 10
"""What the kernel holds of a connection before it is on the wire. More would look like progress that is none."""

UPLOAD_BUFFER_BYTES = 512 << 10
"""How much of a file is read at a time."""

Options = Sequence[tuple[int, Any]]
"""Options of libcurl, by their numbers, that all requests share."""


class Transport:
    """Sends requests from any thread; a network thread of its own does the work, and ends after this object."""

    def __init__(self, options: Options) -> None:
        self._loop = _Loop(options)
        weakref.finalize(self, self._loop.end).atexit = False

    def send(self, request: Request) -> Pending[Answer]:
        """Start a request. The future's callbacks run on the network thread."""
        exchange = Exchange(request)
        self._loop.add(exchange)
        return exchange.future


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
        self._inbox: deque[Exchange] = deque()
        self._wake_lock = threading.RLock()  # garbage collection may call `end` where the lock is held
        self._is_awake = False
        self._is_ended = False
        self._is_abandoned = False
        self._thread: threading.Thread | None = None
        self._waiting: deque[Exchange] = deque()
        self._later: list[tuple[float, int, Exchange]] = []
        self._next_poll = 0.0
        self._numbers = itertools.count()
        self._active: dict[pycurl.Curl, Exchange] = {}
        self._idle: list[pycurl.Curl] = []
        self._sending = 0
        """Bytes that requests on the wire may have in the kernel."""
        self._moving = 0
        """Bytes that they move in all."""
        self._concurrency = Concurrency(_most_requests())
        self._moved_at = 0.0
        """When something was last received or sent, or a request began while there was no other."""
        self._is_reported = False

    def add(self, exchange: Exchange) -> None:
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
                self._moved_at = time.monotonic()
        now = time.monotonic()
        if self._timer is not None and self._timer <= now:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        self._report_silence(now)
        while self._inbox:
            self._waiting.append(self._inbox.popleft())
        if self._later and now >= self._next_poll:
            self._next_poll = now + CANCEL_POLL_S
            self._end_cancelled()
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
        due = [self._timer] if self._timer is not None else []
        due += [min(self._later[0][0], self._next_poll)] if self._later else []
        due += [self._moved_at + TIMEOUTS.report_after_s] if self._active and not self._is_reported else []
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _report_silence(self, now: float) -> None:
        if self._active and not self._is_reported and now - self._moved_at >= TIMEOUTS.report_after_s:
            self._is_reported = True
            TIMEOUTS.on_silence()

    def _end_cancelled(self) -> None:
        """Fail the requests that were cancelled while they waited to be tried again."""
        gone = [entry for entry in self._later if entry[2].request.is_cancelled()]
        if gone:
            self._later = [entry for entry in self._later if entry not in gone]
            heapq.heapify(self._later)
        for _, _, exchange in gone:
            exchange.future.set_exception(Interrupted("The request was not sent."))

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

    def _begin(self, exchange: Exchange) -> None:
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        if not self._active and not exchange.tries:
            self._moved_at, self._is_reported = time.monotonic(), False
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

    def _prepare(self, curl: pycurl.Curl, exchange: Exchange) -> None:
        request = exchange.request
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
        curl.setopt(pycurl.HTTPHEADER, header_lines(request))
        # The store may work on a slow request before it answers, and would only be told to begin again.
        stall = TIMEOUTS.request_s if request.slow else max(1, TIMEOUTS.request_s // MAX_TRIES_WHEN_SILENT)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(CONNECT_TIMEOUT_MS, stall * 1000))
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
        if error is None:  # a request that is sent again does not end the silence
            self._is_reported = False
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
            delay = retry_delay_s(exchange, got)
            result = request.result(got) if delay is None else None
        except Exception as refused:  # noqa: BLE001 - whatever it is, the caller must hear of it
            exchange.future.set_exception(refused)
            return
        if delay is not None:
            heapq.heappush(self._later, (time.monotonic() + delay, next(self._numbers), exchange))
        elif result is not None:
            exchange.future.set_result(result)


def _most_requests() -> int:
    """Return how many requests may be on the wire: at most one for every second file that this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_REQUESTS if soft == resource.RLIM_INFINITY else min(MAX_REQUESTS, max(4, soft // 2 - 32))


def _in_kernel(request: Request) -> int:
    return min(len(request.body or b""), 2 * UNSENT_BYTES)


_loops: weakref.WeakSet[_Loop] = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    for loop in list(_loops):
        loop.abandon()
