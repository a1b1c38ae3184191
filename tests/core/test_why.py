"""Every verdict can be told in words, and the words claim no more than the evidence."""

from __future__ import annotations

import pytest

from hashmark.core.model import Evidence, FileStatus, Verdict
from hashmark.core.why import why
from tests.core.build import status

PROOFS = [e for e in Evidence if e not in {Evidence.NAME, Evidence.CLAIMED}]
"""What proves equality or difference; the other two prove nothing."""

CONFLICT = status("a.txt", Verdict.CONFLICT)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (status("a", evidence=Evidence.ETAG_MD5), "The bucket's ETag is the MD5 of this file."),
        (status("a", evidence=Evidence.BODY), "The object was downloaded and its bytes are the same."),
        (status("a", Verdict.LOCAL_ONLY), "The bucket does not have this file."),
        (status("a", Verdict.REMOTE_ONLY), "Only the bucket has this file."),
        (status("a", Verdict.DELETED_REMOTELY), "It was in sync, and has since been deleted from the bucket."),
        (status("a", Verdict.DELETED_LOCALLY), "It was in sync, and has since been deleted from the disk."),
        (
            status("a", Verdict.LOCAL_CHANGED, evidence=Evidence.SIZE),
            "Edited on disk since both sides were last equal: the sizes differ.",
        ),
        (
            status("a", Verdict.DIFFERS, evidence=Evidence.RECORDED, reason="its bytes were read and are others"),
            "Disk and bucket hold different bytes: its bytes were read and are others.",
        ),
        (status("a", Verdict.DIFFERS), "Disk and bucket hold different bytes."),
        (
            status("a", Verdict.UNVERIFIED, reason="the ETag is no MD5", settle="`hashmark verify`"),
            "It can't be told whether the bytes are the same: the ETag is no MD5; `hashmark verify` would settle it.",
        ),
        (status("a", Verdict.UNVERIFIED), "Not compared yet."),
        (status("a", Verdict.REFUSED, reason="has a '..' segment"), "Refused: has a '..' segment."),
        (
            CONFLICT,
            "Both sides changed since they were last equal. Nothing is overwritten until you say whose content wins.",
        ),
        (
            CONFLICT._replace(local=None),
            "Deleted on disk, but changed in the bucket since both sides were last equal.",
        ),
        (
            CONFLICT._replace(remote=None),
            "Deleted from the bucket, but edited on disk since both sides were last equal.",
        ),
    ],
)
def test_a_verdict_is_told_with_its_evidence(row: FileStatus, words: str) -> None:
    assert why(row) == words


@pytest.mark.parametrize("evidence", [None, *Evidence])
@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("reason", [None, "a reason"])
def test_every_verdict_with_any_evidence_is_a_sentence(
    verdict: Verdict, evidence: Evidence | None, reason: str | None
) -> None:
    """A green without proof can't come about; should it all the same, there are no words for it."""
    row = status("a.txt", verdict, evidence=evidence, reason=reason or ("x" if verdict is Verdict.REFUSED else None))
    if verdict is Verdict.SYNCED and evidence not in PROOFS:
        with pytest.raises(KeyError):
            why(row)
        return
    said = why(row)
    assert said.endswith(".")
    assert said[0].isupper()
    assert "None" not in said


def test_no_two_proofs_have_the_same_words() -> None:
    """And those of a difference are not those of equality."""
    same = {why(status("a", evidence=evidence)) for evidence in PROOFS}
    different = {why(status("a", Verdict.DIFFERS, evidence=evidence)) for evidence in PROOFS}
    assert len(same) == len(different) == len(PROOFS)
    assert not same & different


def test_a_reason_that_quotes_odd_bytes_can_be_printed() -> None:
    said = why(status("a", Verdict.REFUSED, reason="is like 'a\udcff'"))
    assert said.encode() == b"Refused: is like 'a\\xff'."
