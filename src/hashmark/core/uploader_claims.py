"""Digests that uploaders store in an object's metadata. They are claims, never proofs: nobody checks them.

rclone stores the MD5 in base64 as `md5chksum` on objects whose ETag is not an MD5 (rclone, backend/s3). s3cmd stores
`s3cmd-attrs`, a list of `name:value` with `md5` in hex, computed before encryption (s3cmd, S3/S3.py). s4cmd stores
`md5` in hex.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple

_HEX = re.compile(r"[0-9a-f]{32}")


class ClaimedDigest(NamedTuple):
    """An MD5 in hex, and the program that claims it."""

    uploader: str
    md5: str


def claimed_digest(metadata: Mapping[str, str]) -> ClaimedDigest | None:
    """Return the first readable claim in an object's metadata (names in lower case, without `x-amz-meta-`)."""
    found = (
        ("rclone", _from_base64(metadata.get("md5chksum", ""))),
        ("s3cmd", _from_attrs(metadata.get("s3cmd-attrs", ""))),
        ("its uploader", metadata.get("md5", "").lower()),
    )
    return next((ClaimedDigest(name, md5) for name, md5 in found if _HEX.fullmatch(md5)), None)


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def _from_attrs(text: str) -> str:
    pairs = (pair.partition(":") for pair in text.split("/"))
    return next((value.lower() for name, _, value in pairs if name == "md5"), "")
