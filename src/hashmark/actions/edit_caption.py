"""One caption read and written by hand, so that no edit is lost: neither this one nor anybody else's.

A save says which text it replaces, by digest. What is replaced goes to the trash. Cleaning many captions by rules
is another use case.
"""

from __future__ import annotations

import hashlib
import threading
from codecs import BOM_UTF8
from dataclasses import dataclass

from hashmark.core.encoding import MAX_CAPTION_BYTES, decode, encode, keep_line_ends
from hashmark.core.errors import FileChanged, UsageError
from hashmark.core.pairs import Pairing, split_suffix
from hashmark.disk.durable import as_local_error
from hashmark.disk.place import open_slot
from hashmark.disk.read import read_file
from hashmark.library.dataset import Dataset
from hashmark.trash.batch import new_batch_name

MARK = BOM_UTF8.decode()

_SAVING = threading.Lock()


@dataclass(frozen=True)
class Caption:
    """A caption on disk: its text, the encoding it was read as, and the MD5 of its bytes; None where it has no file."""

    key: str
    text: str
    encoding: str
    md5: str | None


def caption_key(image: str, pairing: Pairing) -> str:
    """The key that a new caption of this image gets: its stem, and the suffix that the library prefers."""
    return split_suffix(image)[0] + pairing.captions[0]


def read_caption(dataset: Dataset, key: str) -> Caption:
    """The caption at `key`, empty where there is no such file.

    Raises:
        Unreadable, UnsafePath: it can't be read, or is too large.
    """
    found = read_file(dataset.path, key, MAX_CAPTION_BYTES)
    if found is None:
        return Caption(key, "", "utf-8", None)
    text, encoding = decode(found[0])
    return Caption(key, text, encoding, _md5(found[0]))


def write_caption(dataset: Dataset, key: str, text: str, *, replaces: str | None) -> Caption:
    """Put `text` in the caption's place, if that still holds what the user saw.

    `replaces` is the MD5 of the bytes that were shown, None where there was no file. Encoding, byte order mark and
    line ends stay as they were. Nothing is written where the bytes would be the same.

    Raises:
        FileChanged: the file is another one by now; it is left as it is.
        UsageError: the file's encoding has no bytes for a character of the text, or the text is too long.
        LocalError: the disk refuses; ReadOnly where the file's permissions do.
    """
    found = read_file(dataset.path, key, MAX_CAPTION_BYTES)
    before, stamp = found or (b"", None)
    if (_md5(before) if stamp else None) != replaces:
        raise FileChanged(f"'{key}' changed on disk after it was opened here; it is left as it is.", "Compare both.")
    data = _encoded(key, text, before)
    if stamp is None or data != before:
        _put(dataset, key, data, before, replaces)
    return Caption(key, *decode(data), _md5(data))


def _encoded(key: str, text: str, before: bytes) -> bytes:
    if before.startswith(BOM_UTF8) and not text.startswith(MARK):
        text = MARK + text  # whoever replaced the whole text did not mean what can't be seen; cleaning drops it
    try:
        data = encode(keep_line_ends(decode(before)[0], text), before)
    except UnicodeEncodeError as error:
        char = error.object[error.start]
        if 0xD800 <= ord(char) <= 0xDFFF:
            raise UsageError(f"'{key}' can't hold half a character (U+{ord(char):04X}).") from None
        raise UsageError(
            f"'{key}' is encoded as {decode(before)[1]}, which has no '{char}'; it was not saved.",
            "Convert the file to UTF-8 first, or leave that character out.",
        ) from None
    if len(data) > MAX_CAPTION_BYTES:
        raise UsageError(f"'{key}' would have {len(data)} bytes, more than a caption may have; it was not saved.")
    return data


def _put(dataset: Dataset, key: str, data: bytes, before: bytes, replaces: str | None) -> None:
    trash = dataset.library.trash / new_batch_name("edit") / dataset.name / key
    # One save of this process at a time: between the last look and the rename there is a gap, if a tiny one.
    with _SAVING, open_slot(dataset.path, key, create=True) as slot:
        expected = slot.stamp()
        if expected is not None:
            slot.facts()  # may it be written?
        temporary = slot.temporary()
        try:
            slot.fill(temporary, [data])
            # Looked at once more, after the stamp was taken: from here on `put` sees every change.
            now = read_file(dataset.path, key, MAX_CAPTION_BYTES)
            if (now[0] if now else b"") != before or (expected is None) != (now is None):
                raise FileChanged(f"'{key}' changed on disk while it was saved; it is left as it is.", "Compare both.")
            slot.put(temporary, expected, trash, replaces, synced=True)
        except OSError as error:
            raise as_local_error(error, key) from None
        finally:
            slot.drop(temporary)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
