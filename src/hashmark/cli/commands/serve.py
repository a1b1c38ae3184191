"""`hashmark serve`: show the library in the browser, until Ctrl-C; or log every browser out."""

from __future__ import annotations

import sys
import webbrowser
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path

from hashmark.cli.arguments import Parser, number
from hashmark.cli.exits import Exit
from hashmark.core.errors import UsageError
from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.library.listing_file import read_listing
from hashmark.web.server import http_server
from hashmark.web.server.logout_file import request_logout


def add_arguments(parser: Parser) -> None:
    """Declare where the page is served, and to whom."""
    parser.option("--host", "ADDRESS", "The address to listen on. Default: 127.0.0.1.", default="127.0.0.1")
    parser.option(
        "--port", "N", "The port; 0 for any free one. Default: 8271.", type=number(int, 0, 65535), default=8271
    )
    parser.flag("--open", "Open the page in your browser.")
    parser.option("--every", "SECONDS", "Compare with the bucket again this often (5 or more).", type=number(float, 5))
    parser.repeatable("--against", "DATASET=FILE", "Show a dataset against a saved listing; may be repeated.")
    parser.repeatable("--name", "HOST", "Another host name to answer to, such as a proxy's; may be repeated.")
    parser.option("--tls-cert", "FILE", "Serve HTTPS with this certificate.", type=Path)
    parser.option("--tls-key", "FILE", "The certificate's private key.", type=Path)
    parser.flag("--insecure-http", "Allow plain HTTP beyond this machine.")
    parser.flag("--logout-all", "End every session of this library's running servers, and serve nothing.")
    parser.common(json=False)
    parser.examples("hashmark serve --open", "hashmark serve --against 82=saved.json")


def run(arguments: Namespace) -> Exit:
    """Serve the library, or log every browser out. The first line printed is the link that lets a browser in."""
    if arguments.logout_all:
        return _log_out_all(arguments)
    address = http_server.ListenAddress(
        arguments.host,
        arguments.port,
        tuple(arguments.name),
        arguments.tls_cert,
        arguments.tls_key,
        insecure_http=arguments.insecure_http,
        token=http_server.token_from_environment(),
    )
    first = True

    def show_link(link: str) -> None:
        nonlocal first
        sys.stdout.write(
            f"Open {link}\nThe link works once. Press Ctrl-C to stop the server.\n"
            if first
            else f"That link was used. For another browser: {link}\n"
        )
        sys.stdout.flush()
        first = False

    with Library.open(arguments.library) as library:
        library.check_endpoint()
        against = _saved_listings(library, arguments.against)
        http_server.serve(
            library,
            address,
            show_link,
            against=against,
            every=arguments.every,
            on_ready=_open_browser if arguments.open else None,
        )
    return Exit.DONE


def _open_browser(address: str) -> None:
    webbrowser.open(address)


def _log_out_all(arguments: Namespace) -> Exit:
    with Library.open(arguments.library) as library:
        request_logout(library)
    sys.stdout.write(
        "Every running server of this library ends its sessions within two seconds.\n"
        "To log in again, open the newest link that the server printed.\n"
    )
    return Exit.DONE


def _saved_listings(library: Library, given: Iterable[str]) -> Mapping[str, tuple[RemoteObject, ...]]:
    """Return the saved listings by dataset name, from `DATASET=FILE`.

    Raises:
        UsageError: one has another form, or the file is not a listing.
        NoSuchDataset: there is no such dataset.
    """
    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--against {text} does not name a dataset.", "Use DATASET=FILE, such as 82=old.json.")
        dataset = library.dataset(name)
        found[dataset.name] = read_listing(Path(file).expanduser(), dataset).objects
    return found
