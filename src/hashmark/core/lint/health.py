"""Counts caption issues for `status` and the page, by the definitions that the findings use.

Missing and zero-byte captions show in names and sizes. The rest shows in the bytes, and is known of captions whose
facts were taken when they were hashed; `unread` counts the others. Who takes the facts is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hashmark.core.model import EMPTY_MD5
from hashmark.core.vocabulary import CAPTION_ISSUES


class CaptionHealth(NamedTuple):
    """Counts of images on disk and their captions; a caption counts under each of its issues.

    `missing`: images without a caption on disk. `zero_byte`: captions of zero bytes. `blank`: only whitespace.
    `multi_line`: more than one line that is not blank. `wrong_encoding`: anything but UTF-8 without a byte order mark,
    or what looks like UTF-16. `suspect`: reads like a model's refusal. `unread`: not read.
    """

    images: int = 0
    captions: int = 0
    missing: int = 0
    zero_byte: int = 0
    blank: int = 0
    multi_line: int = 0
    wrong_encoding: int = 0
    suspect: int = 0
    unread: int = 0

    @property
    def issues(self) -> dict[str, int]:
        """Counts by code of `core.vocabulary.CAPTION_ISSUES`, without the issues that no caption has."""
        counts = {code: getattr(self, code.replace("-", "_")) for code in CAPTION_ISSUES}
        return {code: count for code, count in counts.items() if count}

    def to_json(self) -> dict[str, int]:
        """Return plain data, as documented for `status --json`."""
        return {
            "images": self.images,
            "captions": self.captions,
            "missing": self.missing,
            "zeroByte": self.zero_byte,
            "blank": self.blank,
            "multiLine": self.multi_line,
            "wrongEncoding": self.wrong_encoding,
            "suspect": self.suspect,
            "unread": self.unread,
        }


def health_of(captions: Iterable[tuple[str, str | None] | None], flags: Mapping[str, tuple[str, ...]]) -> CaptionHealth:
    """Count the issues of captions, given for each image the key and MD5 of its caption, or None if it has none.

    The MD5 is None where the caption could not be read. `flags` are by MD5. A caption of several images counts once.
    """
    images = missing = 0
    digests: dict[str, str | None] = {}
    for caption in captions:
        images += 1
        if caption is None:
            missing += 1
        else:
            digests[caption[0]] = caption[1]
    counts: Counter[str] = Counter()
    for md5 in digests.values():
        said = None if md5 is None else ("zero-byte",) if md5 == EMPTY_MD5 else flags.get(md5)
        if said != ():
            counts.update(("unread",) if said is None else said)
    known = {name.replace("-", "_"): count for name, count in counts.items()}
    return CaptionHealth(images, len(digests), missing, **known)
