"""Makes a folder a library. Contacts nothing."""

from __future__ import annotations

import os
from pathlib import Path

from hashmark.library.access import remember_endpoint
from hashmark.library.library import Library
from hashmark.library.settings import create, refuse_inside


def init(
    folder: str | os.PathLike[str],
    remote: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> Library:
    """Write the `hashmark.toml` of a new library at `folder`, which is created if missing, and open the library.

    `remote` is the bucket, as `s3://bucket/prefix`. `endpoint_url` is left out for AWS; naming it allows signed
    requests to it.

    Raises:
        TypeError: a value is not a string.
        SettingsError: the folder is inside a library or is one, or a value is invalid.
        LocalError: the file can't be written.
    """
    given: dict[str, object] = {"url": remote, "endpoint_url": endpoint_url, "region": region, "profile": profile}
    values: dict[str, str | bool] = {}
    for name, value in given.items():
        if isinstance(value, str):
            values[name] = value
        elif value is not None or name == "url":
            raise TypeError(f"{'remote' if name == 'url' else name} is a string, not {type(value).__name__}.")
    root = Path(folder).expanduser()
    refuse_inside(root)
    create(root, values)
    library = Library.open(root)
    remember_endpoint(library.settings.remote)
    return library
