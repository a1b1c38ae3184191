"""Encrypted connections: whom to trust, and an early word where trust fails.

The runtime's TLS library answers a failed handshake with a deliberate delay of 10 to 30 s (s2n's "blinding"),
and the runtime tries six times. So a request that gets no answer within moments has its handshake tried once
more, by Python, which says at once what is wrong. Knows nothing of what requests are for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from awscrt.io import ClientTlsContext, TlsContextOptions

from hashmark.core.errors import HashmarkError, SettingsError, TlsFailure
from hashmark.s3.endpoint import Endpoint, Remote

PATIENCE_SECONDS = 2.0


def connection_options(remote: Remote, endpoint: Endpoint) -> Any:
    """The runtime's TLS options: the system's authorities, or those of `ca_bundle` alone.

    Raises:
        SettingsError: the bundle is not a file, or holds no certificates.
    """
    options = TlsContextOptions()
    options.verify_peer = remote.verify
    if bundle := _bundle(remote):
        options.override_default_trust_store(bundle.read_bytes())
    try:
        connection = ClientTlsContext(options).new_connection_options()
    except RuntimeError:
        what = f"The ca_bundle '{remote.ca_bundle}'" if remote.ca_bundle else "The system's list of authorities"
        raise SettingsError(f"{what} can't be used.", "Give a PEM file with certificates as `ca_bundle`.") from None
    connection.set_server_name(endpoint.hostname)
    return connection


def _bundle(remote: Remote) -> Path | None:
    if not remote.ca_bundle:
        return None
    path = Path(remote.ca_bundle).expanduser()
    if not path.is_file():
        raise SettingsError(f"The ca_bundle '{path}' is not a file.", "Give the path of a PEM file.")
    return path


class Watchdog:
    """Watches the first request over TLS; once one was answered, trust is known to be right."""

    def __init__(self, remote: Remote, endpoint: Endpoint) -> None:
        self._bundle = _bundle(remote)
        self._endpoint = endpoint
        self._trusted = False

    def watch(self, future: Future[Any], fail: Callable[[HashmarkError], None]) -> None:
        """Call `fail` if `future` stays without an answer because the certificate is not trusted."""
        if self._trusted:
            return
        timer = threading.Timer(PATIENCE_SECONDS, self._look, (future, fail))
        timer.daemon = True
        timer.start()

        def answered(done: Future[Any]) -> None:
            timer.cancel()
            self._trusted = self._trusted or not isinstance(done.exception(), TlsFailure)

        future.add_done_callback(answered)

    def _look(self, future: Future[Any], fail: Callable[[HashmarkError], None]) -> None:
        why = None if future.done() else self._handshake()
        if why:
            text = f"The certificate of {self._endpoint.host} is not trusted ({why})."
            fail(TlsFailure(text))

    def _handshake(self) -> str | None:
        """What is wrong with the certificate, or None: it is fine, or it can't be told."""
        import socket  # noqa: PLC0415 - both only where something is slow or wrong
        import ssl  # noqa: PLC0415

        context = ssl.create_default_context(cafile=str(self._bundle) if self._bundle else None)
        address = (self._endpoint.hostname, self._endpoint.port)
        try:
            with (
                socket.create_connection(address, timeout=5) as plain,
                context.wrap_socket(plain, server_hostname=self._endpoint.hostname),
            ):
                return None
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except OSError:
            return None
