"""Reads and saves one caption that a person edits, so that no edit is lost: neither this one nor anyone else's.

A save names the text it replaces, by digest. The replaced file goes to the trash. Cleaning many captions by rules is
another use case.
"""

from __future__ import annotations

import threading
from codecs import BOM_UTF8
from dataclasses import dataclass

from hashmark.core.encoding import MAX_CAPTION_BYTES, decode, encode, keep_line_ends
from hashmark.core.errors import FileChanged, UsageError
from hashmark.core.pairs import Pairing, split_suffix
from hashmark.disk.durable import as_local_error
from hashmark.disk.place import open_slot
from hashmark.disk.read import read_file
from hashmark.disk.unfinished import Unfinished
from hashmark.library.dataset import Dataset
from hashmark.trash.batch import new_batch_name
from hashmark.trash.journal import digest

BYTE_ORDER_MARK = BOM_UTF8.decode()

_SAVE_LOCK = threading.Lock()


@dataclass(frozen=True)
class Caption:
    """A caption on disk: its text, its encoding, and the MD5 of its bytes, None if it has no file."""

    key: str
    text: str
    encoding: str
    md5: str | None


def caption_key(image: str, pairing: Pairing) -> str:
    """Return the key for a new caption of this image: its stem, and the suffix that the library prefers."""
    return split_suffix(image)[0] + pairing.captions[0]


def read_caption(dataset: Dataset, key: str) -> Caption:
    """Read the caption at `key`; an empty one if there is no such file.

    Raises:
        Unreadable, UnsafePath: it can't be read, or is too large.
    """
    found = read_file(dataset.path, key, MAX_CAPTION_BYTES)
    if found is None:
        return Caption(key, "", "utf-8", None)
    text, encoding = decode(found[0])
    return Caption(key, text, encoding, digest(found[0]))


def write_caption(dataset: Dataset, key: str, text: str, *, replaces: str | None) -> Caption:
    """Save `text` as the caption, if the file still holds what the user saw.

    `replaces` is the MD5 of the bytes that the user saw, None if there was no file. Encoding, byte order mark and line
    ends are kept. Nothing is written if the bytes would be the same.

    Raises:
        FileChanged: the file has changed since; it is left as it is.
        UsageError: the file's encoding can't represent a character of the text, or the text is too long.
        LocalError: the file can't be written; ReadOnly if its permissions forbid it.
    """
    found = read_file(dataset.path, key, MAX_CAPTION_BYTES)
    before, stamp = found or (b"", None)
    if digest(before if stamp else None) != replaces:
        raise FileChanged(f"'{key}' changed on disk after it was opened here and is left as it is.", "Compare both.")
    data = _encoded(key, text, before)
    if stamp is None or data != before:
        _put(dataset, key, data, before, replaces)
    return Caption(key, *decode(data), digest(data))


def _encoded(key: str, text: str, before: bytes) -> bytes:
    if before.startswith(BOM_UTF8) and not text.startswith(BYTE_ORDER_MARK):
        text = BYTE_ORDER_MARK + text  # invisible, so whoever replaced the text did not mean it; cleaning drops it
    try:
        data = encode(keep_line_ends(decode(before)[0], text), before)
    except UnicodeEncodeError as error:
        char = error.object[error.start]
        if 0xD800 <= ord(char) <= 0xDFFF:
            raise UsageError(f"'{key}' cannot be saved: U+{ord(char):04X} is a lone surrogate.") from None
        raise UsageError(
            f"'{key}' was not saved: its encoding {decode(before)[1]} has no '{char}'.",
            "Convert the file to UTF-8 first, or remove the character.",
        ) from None
    if len(data) > MAX_CAPTION_BYTES:
        raise UsageError(
            f"'{key}' was not saved: it would have {len(data)} bytes, and a caption may have {MAX_CAPTION_BYTES}."
        )
    return data


def _put(dataset: Dataset, key: str, data: bytes, before: bytes, replaces: str | None) -> None:
    trash = dataset.library.trash / new_batch_name(dataset.library, "edit") / dataset.name / key
    # One save of this process at a time: between the last check and the rename there is a tiny gap.
    with _SAVE_LOCK, open_slot(dataset.path, key, create=True) as slot:
        expected = slot.stamp()
        if expected is not None:
            slot.facts()  # raises if it can't be written
        temporary = slot.temporary()
        file = Unfinished(slot, temporary)
        try:
            file.fill([data])
            # Checked again after the stamp was taken: from here on, `put` detects every change.
            now = read_file(dataset.path, key, MAX_CAPTION_BYTES)
            if (now[0] if now else b"") != before or (expected is None) != (now is None):
                raise FileChanged(
                    f"'{key}' changed on disk while it was being saved and is left as it is.", "Compare both."
                )
            slot.put(temporary, expected, trash, replaces)
        except OSError as error:
            raise as_local_error(error, key) from None
        finally:
            file.drop()
