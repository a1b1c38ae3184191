"""`serve`: the S3 Manager in the browser, until Ctrl-C."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from pathlib import Path

import typer

from hashmark.cli.exits import Exit
from hashmark.core.errors import UsageError
from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.library.listing_file import read_listing
from hashmark.web.server.http_server import ListenAddress, serve


def listings(library: Library, given: list[str]) -> Mapping[str, tuple[RemoteObject, ...]]:
    """Saved listings by dataset name, from `DATASET=FILE`.

    Raises:
        UsageError: not of that form, or the file is no listing.
        NoSuchDataset: there is no such dataset.
    """
    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--against {text} does not say which dataset.", "Give DATASET=FILE, such as 82=old.json.")
        dataset = library.dataset(name)
        found[dataset.name] = read_listing(Path(file).expanduser(), dataset).objects
    return found


def _open(url: str) -> None:
    webbrowser.open(url)


def run(library: Library, where: ListenAddress, *, against: list[str], every: float | None, open_page: bool) -> Exit:
    """Serve the library; the first line printed is the link that lets a browser in."""
    first = True

    def tell(link: str) -> None:
        nonlocal first
        typer.echo(f"Open {link}" if first else f"That link is used up. For another browser: {link}")
        if first:
            typer.echo("The link works once. Ctrl-C ends the server.")
        first = False

    serve(
        library,
        where,
        tell,
        against=listings(library, against),
        every=every,
        on_ready=_open if open_page else lambda _url: None,
    )
    return Exit.DONE
