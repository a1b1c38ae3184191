"""One request and its answer: what is sent, what has come of the answer, and whether to try again.

How requests travel is known to `s3.transport`, and what they mean to `s3.client`; neither is known here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import pycurl

from hashmark.s3.file_body import FileBody
from hashmark.s3.signing import Signature, signed
from hashmark.s3.waiting import Pending

MAX_TRIES = 6
MAX_TRIES_WHEN_SILENT = 2
"""A store that accepts a connection and stays silent is not asked more often."""

FIRST_DELAY_S = 0.25
MAX_DELAY_S = 20.0

ERROR_BYTES = 64 << 10
"""How much of an error's body is read: enough for its code."""

PIECE_BYTES = 256 << 10
"""Enough to hash and write at a time; little enough to stay in the cache of a processor and be allocated cheaply."""

BUSY_STATUS: Final = frozenset({429, 503})
"""The store did not begin with the request."""

RETRIED_STATUS: Final = BUSY_STATUS | {408, 500, 502, 504, 520, 521, 522, 523, 524, 529, 530}
"""Those from 520 on are Cloudflare's, before R2 and other stores (Cloudflare's documentation, "5xx errors")."""

_CHANCE: Final = random.SystemRandom()
"""Not the module's own numbers: a training script that seeds those draws the same ones whatever the store does."""

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


class Answer(NamedTuple):
    """An answer: header names in lower case, and the body in the chunks it came in (of an error, its beginning)."""

    status: int
    headers: Mapping[str, str]
    chunks: Sequence[bytes]

    @property
    def body(self) -> bytes:
        """Return the body in one piece."""
        return b"".join(self.chunks)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces of about `PIECE_BYTES`: libcurl's chunks have 16 kB at most."""
        gathered: list[bytes] = []
        size = 0
        for chunk in self.chunks:
            gathered.append(chunk)
            size += len(chunk)
            if size >= PIECE_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
        if gathered:
            yield b"".join(gathered)


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

CANCELLED = -2
"""The code of a request that was stopped on its way, because it was cancelled."""


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
    """Returns whether the request is to fail with Interrupted; called before each try."""
    is_stopped_midway: bool
    """Whether a cancelled request is stopped on its way too: no effect of it may be visible before its end."""
    sign: Callable[[], Signature]
    """Returns what to sign with; called before each try."""
    is_refused_for_now: Callable[[Answer], bool]
    """Returns whether an answer asks to try again, where its status does not say so."""
    result: Callable[[Answer | NoAnswer], Answer]
    """Returns the last answer, or raises what the future is to raise."""


class Exchange:
    """One request and what has come of its answer. Only the network thread uses it."""

    __slots__ = (
        "_chunks", "_has_enough", "_headers", "_is_cancelled", "_is_too_long", "_lines", "_received", "_status",
        "_told", "epoch", "future", "request", "tries",
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
        self._is_too_long = self._has_enough = self._is_cancelled = False
        self._status = self._received = 0
        self._headers: dict[str, str] = {}
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []

    @property
    def on_header(self) -> Callable[[bytes], None]:
        """Take one line of the header. It is read later: a function of ours would run eight times for each answer."""
        return self._lines.append

    def _read_head(self) -> None:
        """Read the lines of the header that have come; a status line begins a new one."""
        for line in self._lines:
            if line.startswith(b"HTTP/"):
                self._headers = {}
                status = line.split(b" ", 2)[1:2]
                self._status = int(status[0]) if status and status[0].strip().isdigit() else 0
                continue
            name, colon, value = line.partition(b":")
            if colon:
                self._headers[name.decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")
        self._lines.clear()

    def on_body(self, chunk: bytes) -> int | None:
        """Take a chunk of the body. Return None to go on, or a number of bytes that ends the transfer."""
        if self._lines:
            self._read_head()
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

    def on_progress(self, _down_total: int, down: int, _up_total: int, up: int) -> int:
        """Tell of bytes that have moved, but not again of those that an earlier try had moved.

        Return 0 to go on, or a number that ends the transfer.
        """
        moved = up if self.request.body is not None else down if self._status < 300 else 0
        if moved > self._told and self.request.on_bytes:
            self.request.on_bytes(moved - self._told)
            self._told = moved
        self._is_cancelled = self.request.is_stopped_midway and self.request.is_cancelled()
        return int(self._is_cancelled)

    def outcome(self, error: NoAnswer | None) -> Answer | NoAnswer:
        """Return what has come of this try, which ended with `error`."""
        self._read_head()
        if self._is_too_long:
            return NoAnswer(TOO_LONG, "the answer is too long")
        if self._is_cancelled and error is not None:
            return NoAnswer(CANCELLED, "the request was cancelled")
        if error is not None and not self._has_enough:
            return error
        if self._status < 200:
            return NoAnswer(pycurl.E_GOT_NOTHING, "no status")
        return Answer(self._status, self._headers, self._chunks)


def retry_delay_s(exchange: Exchange, got: Answer | NoAnswer) -> float | None:
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
    silent_tries = 1 if request.slow else MAX_TRIES_WHEN_SILENT
    if not again or tries >= (silent_tries if silent else MAX_TRIES):
        return None
    # Half of it is random, so that requests that failed together do not come back together.
    backoff: float = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (tries - 1))
    return max(backoff * _CHANCE.uniform(0.5, 1), wanted)


def _retry_after(answer: Answer) -> float:
    """Return the seconds that the store asks to wait; at most as many as we would wait ourselves."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), MAX_DELAY_S) if text.isdecimal() and len(text) < 9 else 0.0


def header_lines(request: Request) -> list[bytes]:
    """Return the lines of a request's header, signed now, that libcurl does not write by itself."""
    pairs = signed(request.method, request.url, request.headers, request.sign())
    # libcurl leaves out a header that is given without a value, unless it ends in ";" (CURLOPT_HTTPHEADER).
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in pairs]
    lines += ["Expect:", "Accept:"]
    if not any(name == "Content-Type" for name, _ in pairs):
        lines.append("Content-Type:")
    return [line.encode() for line in lines]
