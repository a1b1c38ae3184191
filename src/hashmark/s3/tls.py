"""How connections are made: encrypted or not, which certificates are trusted, and no proxy to this machine itself.

What requests are for is not known here.
"""

from __future__ import annotations

from pathlib import Path

import pycurl

from hashmark.core.errors import SettingsError
from hashmark.s3.endpoint import Endpoint, Remote
from hashmark.s3.transport import Options


def options(remote: Remote, endpoint: Endpoint) -> Options:
    """Return libcurl's options for connections to `endpoint`.

    Certificates are checked against the system's authorities, or only those of `ca_bundle`.

    Raises:
        SettingsError: the bundle is not a file, or holds no certificates.
    """
    # A proxy could not reach this machine's own ports. Other hosts get the proxy of the usual variables.
    proxy = [(pycurl.NOPROXY, "*")] if endpoint.is_loopback else []
    if not endpoint.tls:
        return proxy
    if not remote.verify:
        return [*proxy, (pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    return [*proxy, *_authorities(remote)]


def _authorities(remote: Remote) -> Options:
    import ssl  # noqa: PLC0415 - not needed without TLS

    if remote.ca_bundle:
        path = Path(remote.ca_bundle).expanduser()
        if not path.is_file():
            raise SettingsError(f"The ca_bundle '{path}' is not a file.", "Give the path of a PEM file.")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError:
            what = f"The ca_bundle '{remote.ca_bundle}' can't be used."
            raise SettingsError(what, "Give a PEM file with certificates as `ca_bundle`.") from None
        # Without a folder: libcurl would add the one that it was built with.
        return [(pycurl.CAINFO, str(path)), (pycurl.CAPATH, None)]
    # libcurl comes with the path of the machine it was built on; Python knows this one's, and SSL_CERT_FILE.
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return [(pycurl.CAINFO, paths.cafile), (pycurl.CAPATH, paths.capath)]
    import certifi  # noqa: PLC0415 - for Pythons that know no authorities, as python.org's on macOS

    return [(pycurl.CAINFO, certifi.where())]
