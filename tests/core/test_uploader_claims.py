"""What uploaders write beside objects, and what is no claim."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.uploader_claims import ClaimedDigest, claimed_digest

HEX = hashlib.md5(b"a stellar sketch\n").hexdigest()
B64 = base64.b64encode(bytes.fromhex(HEX)).decode()
ATTRS = f"atime:1732500000/ctime:1732500000/gid:0/gname:root/md5:{HEX}/mode:33188/mtime:1732500000/uid:0/uname:root"


@pytest.mark.parametrize(
    ("metadata", "claim"),
    [
        ({"md5chksum": B64}, ClaimedDigest("rclone", HEX)),
        ({"s3cmd-attrs": ATTRS}, ClaimedDigest("s3cmd", HEX)),
        ({"s3cmd-attrs": f"md5:{HEX.upper()}"}, ClaimedDigest("s3cmd", HEX)),
        ({"md5": HEX}, ClaimedDigest("its uploader", HEX)),
        ({"md5chksum": "not base64!", "s3cmd-attrs": ATTRS}, ClaimedDigest("s3cmd", HEX)),
        ({}, None),
        ({"md5chksum": base64.b64encode(b"short").decode()}, None),
        ({"s3cmd-attrs": "uid:0/mode:33188"}, None),
        ({"s3cmd-attrs": f"sha:{HEX}"}, None),
        ({"md5": "d41d8"}, None),
    ],
)
def test_a_claim_is_read_from_the_fields_that_uploaders_write(
    metadata: dict[str, str], claim: ClaimedDigest | None
) -> None:
    assert claimed_digest(metadata) == claim


@given(st.dictionaries(st.sampled_from(["md5chksum", "s3cmd-attrs", "md5"]), st.text(max_size=60)))
def test_any_metadata_is_a_claim_or_none(metadata: dict[str, str]) -> None:
    claim = claimed_digest(metadata)
    assert claim is None or len(bytes.fromhex(claim.md5)) == 16
