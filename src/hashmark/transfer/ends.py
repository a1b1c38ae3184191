"""What a transfer is given and what it gives back: the two ends it moves between, and what each move proved.

How anything is moved is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hashmark.core.model import Base, Evidence, LocalFile, Stamp
from hashmark.core.plan import Action
from hashmark.s3.bucket import Bucket

Progress = Callable[[int], None] | None
"""Told of bytes as they move, on any thread."""


@dataclass(frozen=True)
class Ends:
    """The two ends of a transfer: a folder, and a prefix of a bucket (ending in `/`), each with its trash.

    `guarded_writes` and `guarded_deletes` say that the store honours If-Match there; where it does not, each is
    preceded by a look. `checks_md5` says that a probe saw the store refuse a wrong Content-MD5; `odd_etags` that
    it saw ETags that look like MD5s and are none; `parts_of_md5s` that it saw ETags of uploads in parts made of MD5s,
    so that those of parts are MD5s, or False that they are not; `takes_if_match` False that it ignores or refuses
    If-Match on writes.
    """

    bucket: Bucket
    root: Path
    prefix: str
    trash: Path
    remote_trash: str
    guarded_writes: bool
    guarded_deletes: bool
    checks_md5: bool
    odd_etags: bool
    parts_of_md5s: bool | None = None
    md5_etags: bool = False
    """Whether the bucket has shown that ETags which look like MD5s are MD5s."""
    takes_if_match: bool = True
    on_upload: Callable[[str, str | None], None] = lambda _key, _upload_id: None
    """Told of every upload in parts: the whole key, with the upload's id when it begins and None when it has ended."""
    look: Callable[[str, bytes], object] = lambda _key, _data: None
    """Shown the bytes of every small file that is read for the first time; what it makes of them is `Done.seen`."""
    doubted: set[str] = field(default_factory=set)
    """Files whose parts were answered with other ETags than their MD5s."""
    kept: set[str] = field(default_factory=set)
    """Keys whose old object is in the trash already: a second try must not put a newer one over it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one action proved: the new base, or that the key is gone. `sent` is an uploaded file, with its digest.

    `placed` is the stamp of a downloaded file in its place, None where another program changed it at once. `seen` is
    what `Ends.look` made of its bytes.
    """

    action: Action
    evidence: Evidence | None
    base: Base | None
    sent: LocalFile | None = None
    seen: object = None
    placed: Stamp | None = None

    @property
    def etag_is_md5(self) -> bool:
        """Whether the object's ETag was seen to be the MD5 of its bytes."""
        return self.base is not None and self.base.etag == self.base.md5
