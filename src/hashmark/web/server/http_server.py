"""Serves the page: listens on an address, prints links, and shuts down.

What it serves is `app`; who has access is decided in `guard`.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from hashmark.core.errors import UsageError
from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.web.server.app import create_app
from hashmark.web.server.asgi import App
from hashmark.web.server.browser_file import BrowserFile
from hashmark.web.server.connection import protocol_of
from hashmark.web.server.guard import Guard
from hashmark.web.server.listener import Listener, raise_descriptor_limit
from hashmark.web.server.logout_file import LogoutFile
from hashmark.web.server.sessions import Keys
from hashmark.web.session.services import Services

TOKEN = "HASHMARK_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable that holds a fixed token, for scripts and for other hosts."""

MIN_TOKEN_CHARS = 32
"""The shortest accepted fixed token."""


@dataclass(frozen=True)
class ListenAddress:
    """Where to listen. An address that other machines can reach needs a fixed token, and TLS or `insecure_http`.

    `names` are further accepted values of Host, for a proxy or another name of this machine. With `or_any_port` it
    listens on a free port if the given one is taken.
    """

    host: str = "127.0.0.1"
    port: int = 8271
    names: tuple[str, ...] = ()
    cert: Path | None = None
    key: Path | None = None
    insecure_http: bool = False
    token: str | None = field(default=None, repr=False)
    or_any_port: bool = False

    @property
    def tls(self) -> bool:
        """Whether it serves HTTPS."""
        return self.cert is not None

    def check(self) -> None:
        """Refuse an unsafe address.

        Raises:
            UsageError: other machines could get access, or the certificate can't be used.
        """
        if self.token is not None and len(self.token) < MIN_TOKEN_CHARS:
            raise UsageError(f"{TOKEN} is too short.", f"Use {MIN_TOKEN_CHARS} random characters or more.")
        if (self.cert is None) != (self.key is None):
            raise UsageError("TLS needs both --tls-cert and --tls-key.")
        if self.cert and self.key:
            _check_pair(self.cert, self.key)
        if is_loopback(self.host):
            return
        if self.token is None:
            raise UsageError(
                f"{self.host} can be reached from other machines, and no token is set.",
                f"Set {TOKEN} to {MIN_TOKEN_CHARS} random characters or more: `openssl rand -hex 32`.",
            )
        if not self.tls and not self.insecure_http:
            raise UsageError(
                f"{self.host} can be reached from other machines, and traffic would not be encrypted.",
                "Give --tls-cert and --tls-key, or accept that with --insecure-http.",
            )


def _check_pair(cert: Path, key: Path) -> None:
    """Refuse files that TLS can't use, and name them: uvicorn would fail after the link was printed, and name none."""
    for file in (cert, key):
        try:
            file.open("rb").close()
        except OSError as error:
            raise UsageError(f"Cannot read {file}: {error.strerror}.", "Give another file.") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cert)
    except ssl.SSLError:
        raise UsageError(f"{cert} contains no certificate.", "Give --tls-cert a PEM file.") from None
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        wrong = f"{key} contains no private key that matches {cert} ({error.reason or error})."
        raise UsageError(wrong, "Give --tls-key the certificate's own key, as a PEM file.") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address. Decided from the address, never from a request."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Server(uvicorn.Server):
    """Tells when it serves, and ends open event streams when it is told to shut down: it does not wait for them."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None], on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_exit = on_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal: the first shuts down gracefully, the second at once."""
        self._on_exit()
        super().handle_exit(sig, frame)


def serve(
    library: Library,
    where: ListenAddress,
    on_link: Callable[[str], None],
    *,
    against: Mapping[str, tuple[RemoteObject, ...]] | None = None,
    every: float | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal arrives; Ctrl-C is the ordinary way to stop.

    `on_link` is called with each link that logs a browser in. `on_ready` is called once a browser can be started, with
    the address of a private file that takes it to the first link.

    Raises:
        UsageError: the address can't be used or is unsafe.
        LocalError: the private file can't be written.
    """
    where.check()
    raise_descriptor_limit()
    sock = _listen(where)
    port = sock.getsockname()[1]
    scheme = "https" if where.tls else "http"
    shown_host = f"[{where.host}]" if ":" in where.host else where.host
    base = f"{scheme}://{shown_host}:{port}"

    def link() -> str:
        return f"{base}/?token={keys.new_link()}"

    browser_file: BrowserFile | None = None

    def remove_browser_file() -> None:
        if browser_file is not None:
            browser_file.remove()

    def next_link() -> None:
        remove_browser_file()
        on_link(link())

    def stop() -> None:
        remove_browser_file()  # here, since no more code runs after SIGTERM
        end_streams(app)

    keys = Keys(where.token, on_used=next_link)
    app = create_app(library, against=against, every=every)
    guarded = Guard(app, keys, hosts(where, port), cookie=f"hashmark-{port}", tls=where.tls)
    config = server_config(guarded, where, sock, end_sessions(keys, library))
    first = link()

    def started() -> None:
        # Not before: uvicorn handles signals from its start on, and a Ctrl-C before that can leave it half-started.
        on_link(first)
        if on_ready is not None and browser_file is not None:
            threading.Thread(target=on_ready, args=(browser_file.url,), daemon=True).start()

    server = Server(config, on_start=started, on_exit=stop)
    with closing(sock), suppress(KeyboardInterrupt):  # uvicorn raises the signal again after it has shut down
        try:
            if on_ready is not None:
                browser_file = BrowserFile(first)
            server.run(sockets=[sock])
        finally:
            remove_browser_file()


def server_config(
    app: App, where: ListenAddress, listener: Listener, on_tick: Callable[[], Awaitable[None]]
) -> uvicorn.Config:
    """Return how uvicorn serves the guarded application. `on_tick` is called every second."""
    return uvicorn.Config(
        app,
        loop="asyncio",  # another one accepts connections by itself, without the listener's limits
        http=protocol_of(listener),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        ssl_certfile=where.cert,
        ssl_keyfile=where.key,
        callback_notify=on_tick,
        timeout_notify=0,
    )


def end_sessions(keys: Keys, library: Library) -> Callable[[], Awaitable[None]]:
    """Return a function that ends the sessions that are to end: expired ones, or all after `--logout-all`."""
    file = LogoutFile(library)

    async def end() -> None:
        keys.end_expired()
        if file.is_new_request():
            keys.end_all()

    return end


def end_streams(app: FastAPI) -> None:
    """End every open event stream and stop all work: the server would wait for them."""
    services: Services | None = getattr(app.state, "services", None)
    if services is not None:
        services.stop()


def hosts(where: ListenAddress, port: int) -> list[str]:
    """Return the accepted values of Host."""
    own = [where.host, *where.names]
    if is_loopback(where.host):
        own += ["127.0.0.1", "localhost", "::1"]
    names = [f"[{name}]" if ":" in name and not name.startswith("[") else name for name in own]
    default = 443 if where.tls else 80
    return [f"{name}:{port}" for name in names] + (names if port == default else []) + list(where.names)


def _listen(where: ListenAddress) -> Listener:
    try:
        return _bind(where.host, where.port)
    except OSError as error:
        if where.or_any_port and error.errno == errno.EADDRINUSE:
            return _bind(where.host, 0)
        message = f"Cannot bind to {where.host}:{where.port}: {error.strerror}."
        raise UsageError(message, "Choose another port with --port.") from None


def _bind(host: str, port: int) -> Listener:
    sock = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()  # a browser that opens the link at once waits for its answer instead of being refused
    except OSError:
        sock.close()
        raise
    return sock


def token_from_environment() -> str | None:
    """Return the fixed token, if one is set."""
    return os.environ.get(TOKEN) or None
