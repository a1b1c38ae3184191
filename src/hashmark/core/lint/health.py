"""How well a dataset's captions are, in numbers, by the definitions that the findings use: for `status` and the page.

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
    """Images on disk and their captions, counted; a caption counts under each thing that is odd with it.

    `missing`: images without a caption on disk. `zero_byte`: captions without a byte. `blank`: nothing but blanks.
    `multi_line`: more than one line that is not blank. `wrong_encoding`: anything but UTF-8 without a byte order mark,
    or what looks like UTF-16.
    `suspect`: reads like a model's refusal. `unread`: not looked into.
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
        """Plain data, as documented for `status --json`."""
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
    """The health of the captions of some images: for each image its caption's key and MD5, or None where it has none.

    The MD5 is None where the caption could not be read. `flags` are by MD5. A caption may serve several images, and
    counts once.
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
