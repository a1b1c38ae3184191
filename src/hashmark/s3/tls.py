"""Encrypted connections: which certificates to trust, and an early error where that fails.

The runtime's TLS library delays a failed handshake deliberately, by 10 to 30 s (s2n's "blinding"), and the runtime
tries six times. So if a request gets no answer within PATIENCE_S, Python tries the same handshake and says at once what
is wrong. What requests are for is not known here.
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

PATIENCE_S = 2.0


def connection_options(remote: Remote, endpoint: Endpoint) -> Any:
    """Return the runtime's TLS options: the system's certificate authorities, or only those of `ca_bundle`.

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
    """Watches the first request over TLS. Once one was answered, the certificate is known to be trusted."""

    def __init__(self, remote: Remote, endpoint: Endpoint) -> None:
        self._bundle = _bundle(remote)
        self._endpoint = endpoint
        self._trusted = False

    def watch(self, future: Future[Any], fail: Callable[[HashmarkError], None]) -> None:
        """Call `fail` if `future` gets no answer because the certificate is not trusted."""
        if self._trusted:
            return
        timer = threading.Timer(PATIENCE_S, self._check, (future, fail))
        timer.daemon = True
        timer.start()

        def answered(done: Future[Any]) -> None:
            timer.cancel()
            self._trusted = self._trusted or not isinstance(done.exception(), TlsFailure)

        future.add_done_callback(answered)

    def _check(self, future: Future[Any], fail: Callable[[HashmarkError], None]) -> None:
        why = None if future.done() else self._handshake()
        if why:
            fail(TlsFailure(f"The certificate of {self._endpoint.host} is not trusted ({why})."))

    def _handshake(self) -> str | None:
        """Return what is wrong with the certificate; None if nothing is, or if that can't be found out."""
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
