"""One connection of HTTP/1.1, stricter than uvicorn's own: limits of time, and no request with two readings.

The head of a request must arrive within seconds, and its body must not trickle for ever. Responses have no limit: an
event stream is open for as long as its page. Who may ask for what is decided in `guard`.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from hashmark.web.server.guard import all_headers
from hashmark.web.server.listener import ClientSocket, Listener

HEAD_LIMIT_S = 10.0
"""How long the head of a request may take."""

BODY_GAP_LIMIT_S = 20.0
"""How long the sender of a body may pause."""

BODY_LIMIT_S = 600.0
"""How long a body may take as a whole: the largest one arrives in time at 14 KB/s."""

MAX_HEAD_BYTES = 64 << 10
"""The largest head of a request: a browser sends the cookies of every port of this machine."""

_HEAD_END = re.compile(rb"\n\r?\n")
_ODD_LINE = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""A line that ends in a bare line feed, or that continues the one before."""


class StrictParser(h11.Connection):
    """h11's parser, made to refuse lines that a proxy may read in another way, and large heads that arrive at once."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event.

        Raises:
            RemoteProtocolError: the request is malformed.
        """
        if self.their_state is h11.IDLE:
            received, _ = self.trailing_data
            end = _HEAD_END.search(received)
            length = end.end() if end else len(received)
            if length > MAX_HEAD_BYTES:
                raise h11.RemoteProtocolError("the head is too large")
            if _ODD_LINE.search(received, 0, length):
                raise h11.RemoteProtocolError("a line ends in a bare line feed, or continues another one")
        return super().next_event()


class LimitedConnection(H11Protocol):
    """A connection that is closed when the client takes too long to send a request."""

    listener: ClassVar[Listener | None] = None
    """The socket that accepted it; `protocol_of` sets it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        super().connection_made(transport)
        self.conn = StrictParser()
        self._timer: asyncio.TimerHandle | None = None
        self._expected = "nothing"
        self._since = 0.0
        if (client := self._socket()) is not None:
            client.began = True
        self._expect("head")

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and set the time for what is to follow."""
        super().data_received(data)
        self._update()

    def on_response_complete(self) -> None:
        """Handle the end of a response: the rest of its request has little time, the next request may wait."""
        super().on_response_complete()
        self._update()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        super().connection_lost(exc)
        self._expect("nothing")

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request with the headers of every answer and in the form of every error."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = json.dumps({"error": {"code": "malformed", "message": msg, "hint": ""}}).encode()
            own = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
            headers = [(name.encode(), value.encode()) for name, value in all_headers(own).items()]
            response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if not self._is_answered() and getattr(self, "cycle", None) is not None:
            self.cycle.disconnected = True  # its response would come after this one
        self.transport.close()

    def _update(self) -> None:
        """Find out what is expected next."""
        if self.transport.is_closing():
            self._expect("nothing")
        elif self.conn.their_state is h11.SEND_BODY:
            self._expect("rest" if self._is_answered() else "body")
        elif self.conn.their_state is not h11.IDLE:
            self._expect("response")
        elif self._is_answered() and not self.conn.trailing_data[0]:
            self._expect("request")  # uvicorn closes a connection that is idle for too long
        else:
            self._expect("head")

    def _is_answered(self) -> bool:
        """Whether the last request was answered; not where there was none yet."""
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        return cycle is not None and cycle.response_complete

    def _expect(self, part: str) -> None:
        if part == self._expected and part != "body":
            return
        now = self.loop.time()
        if part != self._expected:
            self._expected, self._since = part, now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if part == "body":
            self._timer = self.loop.call_at(min(now + BODY_GAP_LIMIT_S, self._since + BODY_LIMIT_S), self._end)
        elif part in {"head", "rest"}:
            self._timer = self.loop.call_at(now + HEAD_LIMIT_S, self._end)
        if (client := self._socket()) is not None:
            client.waiting = part != "response"

    def _end(self) -> None:
        self.transport.abort()

    def _socket(self) -> ClientSocket | None:
        return self.listener.client(self.client) if self.listener and self.client else None


def protocol_of(accepting: Listener) -> type[LimitedConnection]:
    """Return the class of the connections that this socket accepts."""

    class OwnConnection(LimitedConnection):
        listener = accepting

    return OwnConnection
