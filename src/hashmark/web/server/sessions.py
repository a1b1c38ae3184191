"""What grants access: links that work once, the sessions that they started, and a fixed token if one was set.

Knows only digests of secrets, and nothing of requests; `guard` asks it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable

IDLE_LIMIT_S = 12 * 3600
"""A session without a request for this long ends. An open event stream is no request."""

SESSION_LIMIT_S = 7 * 24 * 3600
"""A session ends after this long, however it was used."""


class Session:
    """What a login started; `ended` is set when it ends. Used on the event loop's thread."""

    def __init__(self, now: float) -> None:
        self.ended = asyncio.Event()
        self._started = self._last_used = now

    def use(self, now: float) -> None:
        """Note that it was used."""
        self._last_used = now

    def has_expired(self, now: float) -> bool:
        """Whether one of the limits is reached."""
        return now - self._last_used >= IDLE_LIMIT_S or now - self._started >= SESSION_LIMIT_S


class Keys:
    """Links, sessions and the fixed token. `on_used` is called after a link was used, to print the next one."""

    def __init__(
        self,
        fixed: str | None = None,
        on_used: Callable[[], None] = lambda: None,
        *,
        clock: Callable[[], float] = time.time,  # not a monotonic clock, which stands still while a laptop sleeps
    ) -> None:
        self._fixed = _digest(fixed) if fixed else None
        self._links: set[bytes] = set()
        self._sessions: dict[bytes, Session] = {}
        self._on_used = on_used
        self._clock = clock

    def new_link(self) -> str:
        """Return a token that can be exchanged once for a session. Earlier unused ones stay valid."""
        token = secrets.token_urlsafe(32)
        self._links.add(_digest(token))
        return token

    def is_token(self, token: str) -> bool:
        """Whether the token can be exchanged for a session; does not use it up."""
        return _digest(token) in self._links or self.is_fixed(token)

    def exchange(self, token: str) -> str | None:
        """Exchange a token for a new session; None if it is wrong. The fixed token can be exchanged many times."""
        digest = _digest(token)
        used = digest in self._links
        if not used and not self.is_fixed(token):
            return None
        self._links.discard(digest)
        secret = secrets.token_urlsafe(32)
        self._sessions[_digest(secret)] = Session(self._clock())
        if used:
            self._on_used()
        return secret

    def session(self, secret: str) -> Session | None:
        """Return the session with this secret, which counts as used now; None if there is none or it has ended."""
        digest = _digest(secret)
        session = self._sessions.get(digest)
        if session is None or self._end_if_expired(digest):
            return None
        session.use(self._clock())
        return session

    def end(self, session: Session) -> None:
        """End a session: its secret grants no access any more."""
        self._sessions = {digest: other for digest, other in self._sessions.items() if other is not session}
        session.ended.set()

    def end_all(self) -> None:
        """End every session. Links that were not used yet stay valid."""
        for session in list(self._sessions.values()):
            self.end(session)

    def end_expired(self) -> None:
        """End the sessions that have reached a limit, so that their event streams end too."""
        for digest in list(self._sessions):
            self._end_if_expired(digest)

    def _end_if_expired(self, digest: bytes) -> bool:
        session = self._sessions[digest]
        if not session.has_expired(self._clock()):
            return False
        self.end(session)
        return True

    def is_fixed(self, token: str) -> bool:
        """Whether this is the fixed token."""
        return self._fixed is not None and secrets.compare_digest(_digest(token), self._fixed)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
