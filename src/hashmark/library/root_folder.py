"""Sorts what is in a library's root: folders that are datasets, and everything else with the reason why it is none.

Does not know which names other machines cannot have, nor what the bucket holds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from hashmark.core.keys import SETTINGS_FILE, STATE_FOLDER, is_unfinished
from hashmark.core.model import Kind
from hashmark.core.pairs import Pairing
from hashmark.library.settings import Settings


class RootFolder(NamedTuple):
    """The names in a root, sorted: `folders` that are not hidden, those of them that are `datasets`, and what is
    `ignored`, each as (reason, name), with the reasons of `core.ignored.ROOT_REASONS`."""

    folders: list[str]
    datasets: list[str]
    ignored: list[tuple[str, str]]


def read_root(root: Path, settings: Settings) -> RootFolder:
    """Read the root of a library.

    Raises:
        OSError: it can't be read.
    """
    with os.scandir(root) as scan:
        entries = sorted((entry.name, _is_folder(entry)) for entry in scan)
    found = RootFolder([], [], [])
    for name, is_folder in entries:
        if name in {STATE_FOLDER, SETTINGS_FILE} or is_unfinished(name):
            continue  # hashmark's own
        if is_folder and not name.startswith("."):
            found.folders.append(name)
        if reason := _why_ignored(root, name, settings, is_folder=is_folder):
            found.ignored.append((reason, name))
        else:
            found.datasets.append(name)
    return found


def _why_ignored(root: Path, name: str, settings: Settings, *, is_folder: bool) -> str | None:
    if not is_folder:
        return "file"
    if name.startswith("."):
        return "hidden-folder"
    pairing = settings.pairing
    if pairing.ignores_by_settings(f"{name}/"):
        return "settings"
    # `cache` is what trainers call a folder beside the images; with images of its own it is somebody's dataset.
    named = name in settings.prefixes or name in settings.cleaning
    if pairing.ignores(f"{name}/") and not named and not _has_image(root / name, pairing):
        return "cache-folder"
    return None


def _has_image(folder: Path, pairing: Pairing) -> bool:
    try:
        with os.scandir(folder) as scan:
            return any(pairing.kind(entry.name) is Kind.IMAGE for entry in scan)
    except OSError:
        return True  # a comparison then says why it can't be read


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink loop, or no permission
        return False
