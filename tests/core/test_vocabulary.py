"""Every verdict, kind of evidence and caption issue has its row, and the words claim no more than the evidence does."""

from __future__ import annotations

import pytest

from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import NEEDS_SYNC, Evidence, FileStatus, Verdict
from hashmark.core.vocabulary import (
    ATTENTION,
    CAPTION_FLAGS,
    CAPTION_ISSUES,
    CHECKSUM_GRADES,
    COLOURS,
    EVIDENCE,
    VERDICTS,
    grade,
    pair_colour,
    why,
)
from support.core_values import status

PROOFS = [e for e in Evidence if e not in {Evidence.NAME, Evidence.CLAIMED}]
"""What proves equality or difference; the other two prove nothing."""

CONFLICT = status("a.txt", Verdict.CONFLICT)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (status("a", evidence=Evidence.ETAG_MD5), "The bucket's ETag is this file's MD5."),
        (status("a", evidence=Evidence.BODY), "The object was downloaded; its bytes are the same."),
        (status("a", Verdict.LOCAL_ONLY), "Not in the bucket."),
        (status("a", Verdict.REMOTE_ONLY), "Not on the disk."),
        (status("a", Verdict.DELETED_REMOTELY), "Deleted from the bucket since last in sync."),
        (status("a", Verdict.DELETED_LOCALLY), "Deleted from the disk since last in sync."),
        (
            status("a", Verdict.LOCAL_CHANGED, evidence=Evidence.SIZE),
            "Edited on disk since last in sync: the sizes differ.",
        ),
        (
            status("a", Verdict.DIFFERS, evidence=Evidence.RECORDED, reason="its bytes were read and are others"),
            "Disk and bucket hold different bytes: its bytes were read and are others.",
        ),
        (status("a", Verdict.DIFFERS), "Disk and bucket hold different bytes."),
        (
            status("a", Verdict.UNVERIFIED, reason="the ETag is no MD5", remedy="`hashmark verify`"),
            "Cannot tell whether the bytes are equal: the ETag is no MD5; `hashmark verify` would settle it.",
        ),
        (status("a", Verdict.UNVERIFIED), "Not compared yet."),
        (status("a", Verdict.REFUSED, reason="has a '..' segment"), "Refused: has a '..' segment."),
        (
            CONFLICT,
            "Changed on both sides since last in sync. Nothing is overwritten until you choose a side.",
        ),
        (
            CONFLICT._replace(local=None),
            "Deleted on disk, but changed in the bucket since last in sync.",
        ),
        (
            CONFLICT._replace(remote=None),
            "Deleted from the bucket, but edited on disk since last in sync.",
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
        with pytest.raises(ValueError, match="without proof"):
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


# --- grades


@pytest.mark.parametrize("evidence", PROOFS)
def test_every_proof_has_a_grade_for_equality_and_one_for_difference(evidence: Evidence) -> None:
    assert grade(status("a", evidence=evidence))
    for verdict in NEEDS_SYNC - {Verdict.LOCAL_ONLY, Verdict.DELETED_REMOTELY}:
        assert grade(status("a", verdict, evidence=evidence))


@pytest.mark.parametrize("evidence", [Evidence.NAME, Evidence.CLAIMED])
def test_what_proves_nothing_is_never_graded_as_proof(evidence: Evidence) -> None:
    assert grade(status("a", evidence=evidence)) is None
    said = grade(status("a", Verdict.UNVERIFIED, evidence=evidence)) or ""
    assert said.startswith("no proof")


def test_without_evidence_there_is_no_grade() -> None:
    assert grade(status("a", Verdict.LOCAL_ONLY)) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [("sha256", "crafted files"), ("sha1", "same SHA-1"), ("crc64nvme", "2^64"), ("crc32c", "2^32"), ("crc32", "2^32")],
)
def test_a_checksum_is_graded_by_its_kind(kind: str, words: str) -> None:
    row = status("a", evidence=Evidence.CHECKSUM)._replace(detail=kind)
    assert words in (grade(row) or "")


def test_only_bytes_and_sha256_are_graded_above_collisions_made_on_purpose() -> None:
    weak = [Evidence.ETAG_MD5, Evidence.ETAG_MULTIPART]
    assert all("on purpose" in (grade(status("a", evidence=kind)) or "") for kind in weak)
    assert grade(status("a", evidence=Evidence.BODY)) == "certain: every byte was compared"


# --- rows


def test_every_verdict_has_a_row_with_a_known_colour_and_words_of_its_own() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert {terms.colour for terms in VERDICTS.values()} == set(COLOURS)
    assert len({terms.meaning for terms in VERDICTS.values()}) == len(Verdict)


def test_red_and_conflict_are_the_verdicts_that_need_sync() -> None:
    assert {v for v, terms in VERDICTS.items() if terms.colour in {"red", "conflict"}} == NEEDS_SYNC
    assert [v for v, terms in VERDICTS.items() if terms.colour == "green"] == [Verdict.SYNCED]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_file_alone_has_the_colour_of_its_verdict(verdict: Verdict) -> None:
    assert pair_colour(verdict, None) == pair_colour(None, verdict) == VERDICTS[verdict].colour


def test_attention_is_every_verdict_but_synced_once() -> None:
    """A verdict that is missing would never be shown."""
    assert sorted(ATTENTION) == sorted(v for v in Verdict if v is not Verdict.SYNCED)


def test_no_two_colours_have_the_same_sign_or_label() -> None:
    """For those who cannot tell colours apart."""
    for of in ("sign", "label"):
        assert len({getattr(colour, of) for colour in COLOURS.values()}) == len(COLOURS)


def test_every_kind_of_evidence_has_a_row_in_the_order_of_cost() -> None:
    assert list(EVIDENCE) == list(Evidence)
    for evidence, terms in EVIDENCE.items():
        assert any(terms), evidence
        assert (terms.same is None) is (terms.different is None) is (evidence not in PROOFS)


def test_every_caption_issue_is_counted_and_every_count_is_an_issue() -> None:
    counted = {name.replace("_", "-") for name in CaptionHealth._fields} - {"images", "captions", "unread"}
    assert set(CAPTION_ISSUES) == counted
    assert ("missing", "zero-byte", *CAPTION_FLAGS) == tuple(CAPTION_ISSUES)


def test_every_checksum_that_stores_keep_has_a_grade() -> None:
    assert set(CHECKSUM_GRADES) == {"sha256", "sha1", "crc64nvme", "crc32c", "crc32"}
