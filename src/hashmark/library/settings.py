"""Reads and validates `hashmark.toml`, and writes it for a new library. The file never holds a secret.

Knows values only, and opens no connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashmark.core.errors import SettingsError
from hashmark.core.keys import SETTINGS_FILE, STATE_FOLDER
from hashmark.core.model import Problem
from hashmark.core.pairs import Pairing
from hashmark.s3.endpoint import ADDRESSING, Remote, parse_endpoint, parse_url

SETTINGS = SETTINGS_FILE

_TYPES: dict[str, dict[str, type]] = {
    "remote": {
        "url": str,
        "endpoint_url": str,
        "region": str,
        "profile": str,
        "addressing": str,
        "ca_bundle": str,
        "verify": bool,
        "embedded": bool,
    },
    "pairing": {"captions": list, "ignore": list},
}


@dataclass(frozen=True)
class Settings:
    """The content of `hashmark.toml`. `prefixes` maps dataset folders to their prefix under the remote's.

    `cleaning` maps them to their `clean` table, which `core.cleaning` parses when it is needed.
    """

    remote: Remote
    embedded: bool = False
    pairing: Pairing = field(default_factory=Pairing)
    prefixes: dict[str, str] = field(default_factory=dict)
    cleaning: dict[str, dict[str, Any]] = field(default_factory=dict)


def unknown_datasets(settings: Settings, folders: Collection[str], in_bucket: Collection[str]) -> list[Problem]:
    """Return a problem for each dataset with settings that is neither a folder of the library nor of the bucket.

    Its name is most likely misspelled, and its settings have no effect. `in_bucket` are the folders at the top of the
    bucket's prefix, so a dataset whose prefix has several parts counts as known if the first exists.
    """
    found = []
    for name in sorted({*settings.prefixes, *settings.cleaning} - {*folders}):
        top = settings.prefixes.get(name, name).split("/")[0]
        if top and top not in in_bucket:
            import difflib  # noqa: PLC0415 - only for a misspelled name

            near = difflib.get_close_matches(name, folders, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            text = f"has settings in {SETTINGS} but exists neither here nor in the bucket{hint}"
            found.append(Problem(name, "unknown-dataset", text))
    return found


def is_library(folder: Path) -> bool:
    """Return whether the folder is the root of a library."""
    return os.path.isfile(folder / SETTINGS)  # noqa: PTH113 - pathlib's raises without permission


def refuse_inside(folder: Path) -> None:
    """Refuse to create a library inside another one, which would take it for a dataset or a part of one.

    Raises:
        SettingsError: the folder is inside a library.
    """
    for above in folder.resolve().parents:
        if is_library(above):
            raise SettingsError(f"This is inside the library {above}.", "Choose a folder outside it.")


def read_settings(path: Path) -> Settings:
    """Read and validate `hashmark.toml`.

    Raises:
        SettingsError: it can't be read or parsed (the message has the line), or has an unknown name or invalid value.
    """
    try:
        raw = path.read_bytes().removeprefix(BOM_UTF8)
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path} can't be parsed: it is not UTF-8 (at line {line}).", "Fix that line.") from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> Settings:
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # what TOML forbids, or a number that Python will not read
        raise SettingsError(f"{path} can't be parsed: {error}.", "Fix that line.") from None
    except RecursionError:
        raise SettingsError(f"{path} can't be parsed: it is nested too deeply.") from None
    _check_names(path, "", data, {"remote": dict, "pairing": dict, "datasets": dict})
    for section, names in _TYPES.items():
        _check_names(path, f"[{section}] ", data.get(section, {}), names)
    datasets = _datasets(path, data.get("datasets", {}))
    return Settings(
        remote=_remote(path, data.get("remote", {})),
        embedded=data.get("remote", {}).get("embedded", False),
        pairing=_pairing(path, data.get("pairing", {})),
        prefixes={name: entry["prefix"] for name, entry in datasets.items() if "prefix" in entry},
        cleaning={name: entry["clean"] for name, entry in datasets.items() if "clean" in entry},
    )


def _check_names(path: Path, where: str, table: dict[str, Any], known: dict[str, type]) -> None:
    for name, value in table.items():
        if name not in known:
            import difflib  # noqa: PLC0415 - only for a misspelled name

            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Valid settings: {', '.join(known)}."
            raise SettingsError(f"{path}: {where}'{name}' is not a setting.", hint)
        if not isinstance(value, known[name]):
            raise SettingsError(f"{path}: {where}'{name}' must be {_plain(known[name])}.")


def _plain(kind: type) -> str:
    return {str: "a string in quotes", bool: "true or false", list: "a list of strings", dict: "a section"}[kind]


def _remote(path: Path, table: dict[str, Any]) -> Remote:
    if "url" not in table:
        raise SettingsError(f"{path}: [remote] has no 'url'.", 'Add url = "s3://bucket/prefix".')
    if table.get("addressing", "auto") not in ADDRESSING:
        raise SettingsError(f"{path}: [remote] 'addressing' must be one of {', '.join(ADDRESSING)}.")
    with _named(path, "[remote] 'url'"):
        bucket, prefix = parse_url(table["url"])
    with _named(path, "[remote] 'endpoint_url'"):
        if "endpoint_url" in table:
            parse_endpoint(table["endpoint_url"])
    return Remote(bucket, prefix, **{k: v for k, v in table.items() if k not in {"url", "embedded"}})


@contextlib.contextmanager
def _named(path: Path, where: str) -> Iterator[None]:
    """Add the file and the setting to a `SettingsError` from the body."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{path}: {where}: {error.message}", error.hint) from None


def _pairing(path: Path, table: dict[str, Any]) -> Pairing:
    for name, values in table.items():
        if not all(isinstance(value, str) for value in values):
            raise SettingsError(f"{path}: [pairing] '{name}' must be a list of strings.")
    captions = tuple(table.get("captions", Pairing().captions))
    if not captions or not all(c.startswith(".") for c in captions):
        raise SettingsError(f"{path}: [pairing] 'captions' must list suffixes such as \".txt\".")
    ignore = tuple(table.get("ignore", ()))
    if not all(glob.strip("/") for glob in ignore):
        raise SettingsError(f"{path}: [pairing] 'ignore' has an empty pattern.")
    return Pairing(captions, ignore)


def _datasets(path: Path, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, entry in table.items():
        if not isinstance(entry, dict):
            raise SettingsError(f'{path}: write [datasets."{name}"] as a section.')
        where = f'{path}: [datasets."{name}"] '
        _check_names(path, f'[datasets."{name}"] ', entry, {"prefix": str, "clean": dict})
        if not re.fullmatch(r"[^./\0][^/\0]*", name):
            raise SettingsError(f"{path}: [datasets] '{name}' is not the name of a folder in this library.")
        found[name] = dict(entry)
        if "prefix" in entry:
            found[name]["prefix"] = prefix = entry["prefix"].strip("/")
            if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
                raise SettingsError(f"{where}'prefix' has an empty, '.' or '..' segment.", "Use plain folder names.")
            if STATE_FOLDER in prefix.split("/"):
                own = f"the segment '{STATE_FOLDER}', which is reserved for hashmark's trash"
                raise SettingsError(f"{where}'prefix' has {own}.", "Use another folder.")
    return found


def create(root: Path, remote: dict[str, str | bool], more: str = "") -> Settings:
    """Write `hashmark.toml` for a new library at `root`, which is created if missing; return the settings.

    `more` is TOML to add after the remote's section.

    Raises:
        SettingsError: the file exists, or a value is invalid; nothing is written.
        LocalError: it can't be written.
    """
    path = root / SETTINGS
    if os.path.lexists(path):
        raise SettingsError(f"{path} already exists.", "Edit it, or choose another folder.")
    text = "[remote]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in remote.items())
    text += "# Credentials come from the usual AWS places (environment, ~/.aws), never from this file.\n" + more
    settings = _parse(path, text)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{path} can't hold a value that is not UTF-8.") from None
    from hashmark.disk.durable import replace_file  # noqa: PLC0415 - not needed to read settings

    replace_file(path, data)
    return settings


def _toml(value: str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    escaped = re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\u{ord(match[0]):04X}", escaped)
    return f'"{escaped}"'
