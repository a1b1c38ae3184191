"""What each kind of evidence proves, in words that claim no more than it does."""

from __future__ import annotations

import pytest

from hashmark.core.grades import grade
from hashmark.core.model import NEEDS_SYNC, Evidence, Verdict
from tests.core.build import status

PROOFS = [kind for kind in Evidence if kind not in {Evidence.NAME, Evidence.CLAIMED}]


@pytest.mark.parametrize("evidence", PROOFS)
def test_every_proof_has_a_grade_for_equality_and_one_for_difference(evidence: Evidence) -> None:
    assert grade(status("a", evidence=evidence))
    for verdict in NEEDS_SYNC - {Verdict.LOCAL_ONLY, Verdict.DELETED_REMOTELY}:
        assert grade(status("a", verdict, evidence=evidence))


@pytest.mark.parametrize("evidence", [Evidence.NAME, Evidence.CLAIMED])
def test_what_proves_nothing_is_never_graded_as_proof(evidence: Evidence) -> None:
    assert grade(status("a", evidence=evidence)) is None
    said = grade(status("a", Verdict.UNVERIFIED, evidence=evidence)) or ""
    assert said.startswith(("a claim", "no proof"))


def test_without_evidence_there_is_no_grade() -> None:
    assert grade(status("a", Verdict.LOCAL_ONLY)) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [("sha256", "deceive"), ("sha1", "one SHA-1"), ("crc64nvme", "2^64"), ("crc32c", "2^32"), ("crc32", "2^32")],
)
def test_a_checksum_is_graded_by_its_kind(kind: str, words: str) -> None:
    row = status("a", evidence=Evidence.CHECKSUM)._replace(detail=kind)
    assert words in (grade(row) or "")


def test_only_bytes_and_sha256_are_graded_above_collisions_made_on_purpose() -> None:
    weak = [Evidence.ETAG_MD5, Evidence.ETAG_MULTIPART]
    assert all("on purpose" in (grade(status("a", evidence=kind)) or "") for kind in weak)
    assert grade(status("a", evidence=Evidence.BODY)) == "certain: every byte was compared"
