"""What grants access: links that work once, the sessions that they started, and a fixed token if one was set.

Knows only digests of secrets, and nothing of requests; `guard` asks it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable


class Keys:
    """Links, sessions and the fixed token. `on_used` is called after a link was used, to print the next one."""

    def __init__(self, fixed: str | None = None, on_used: Callable[[], None] = lambda: None) -> None:
        self._fixed = _digest(fixed) if fixed else None
        self._links: set[bytes] = set()
        self._sessions: set[bytes] = set()
        self._on_used = on_used

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
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session))
        if used:
            self._on_used()
        return session

    def is_session(self, session: str) -> bool:
        """Whether this is the secret of a session."""
        return _digest(session) in self._sessions

    def is_fixed(self, token: str) -> bool:
        """Whether this is the fixed token."""
        return self._fixed is not None and secrets.compare_digest(_digest(token), self._fixed)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
