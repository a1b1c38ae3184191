"""What a comparison adds up to, as counts and as JSON."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.blocks import blocks
from hashmark.core.display import printable
from hashmark.core.keys import refuse_collisions
from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import NEEDS_SYNC, Evidence, FileStatus, Kind, Problem, RemoteObject, Verdict
from hashmark.core.pairs import Pairing, pair_up
from hashmark.core.report import DatasetStatus, Summary, file_json, problem_json
from hashmark.core.vocabulary import ATTENTION, reason_of
from support.core_values import in_bytes, keys, md5, status, verdicts


def dataset(*files: FileStatus, complete: bool = True) -> DatasetStatus:
    paired = pair_up(files, Pairing())
    return DatasetStatus("82", "82_stellar_sketch", complete, files, paired.pairs, paired.problems)


def test_the_json_of_a_dataset_has_the_documented_shape() -> None:
    """Names, nesting and values, exactly."""
    found = dataset(
        status("a.png", evidence=Evidence.ETAG_MD5, data=b"image"),
        status("a.txt", Verdict.LOCAL_CHANGED, evidence=Evidence.RECORDED, data=b"caption"),
        status("b.txt", Verdict.LOCAL_ONLY, data=b""),
        status("c.txt", Verdict.REMOTE_ONLY, data=b"remote"),
    )
    modified = "2024-05-06T07:08:09Z"
    assert json.loads(json.dumps(found.to_json())) == {
        "id": "82",
        "name": "82_stellar_sketch",
        "complete": True,
        "inSync": False,
        "counts": {"synced": 1, "local-changed": 1, "local-only": 1, "remote-only": 1},
        "captionHealth": CaptionHealth().to_json(),
        "files": [
            {
                "key": "a.png",
                "kind": "image",
                "verdict": "synced",
                "evidence": "etag-md5",
                "detail": None,
                "grade": "rules out accidents; two files with the same MD5 can be crafted on purpose",
                "reason": None,
                "local": {"size": 5, "md5": md5(b"image")},
                "remote": {"size": 5, "etag": md5(b"image"), "lastModified": modified},
            },
            {
                "key": "a.txt",
                "kind": "caption",
                "verdict": "local-changed",
                "evidence": "recorded",
                "detail": None,
                "grade": "as strong as the recorded proof",
                "reason": None,
                "local": {"size": 7, "md5": md5(b"caption")},
                "remote": {"size": 7, "etag": md5(b"caption"), "lastModified": modified},
            },
            {
                "key": "b.txt",
                "kind": "caption",
                "verdict": "local-only",
                "evidence": None,
                "detail": None,
                "grade": None,
                "reason": None,
                "local": {"size": 0, "md5": md5(b"")},
                "remote": None,
            },
            {
                "key": "c.txt",
                "kind": "caption",
                "verdict": "remote-only",
                "evidence": None,
                "detail": None,
                "grade": None,
                "reason": None,
                "local": None,
                "remote": {"size": 6, "etag": md5(b"remote"), "lastModified": modified},
            },
        ],
        "pairs": [{"image": "a.png", "caption": "a.txt", "isInS3": True, "captionInS3": False}],
        "problems": [
            {"key": "b.txt", "code": "orphan-caption", "message": "is a caption without an image"},
            {"key": "c.txt", "code": "orphan-caption", "message": "is a caption without an image"},
        ],
        "ignored": {"disk": {"count": 0, "names": []}, "bucket": {"count": 0, "names": []}},
    }


def test_an_image_without_caption_has_null_in_its_pair() -> None:
    """The key is there, so that a reader need not ask."""
    assert dataset(status("a.png", Verdict.LOCAL_ONLY)).to_json()["pairs"] == [
        {"image": "a.png", "caption": None, "isInS3": False, "captionInS3": False}
    ]


def test_an_incomplete_dataset_says_so() -> None:
    """In its JSON, and by not being in sync."""
    found = dataset(status("a.png"), complete=False)
    assert found.to_json()["complete"] is False
    assert not found.in_sync


@pytest.mark.parametrize("verdict", Verdict)
def test_a_dataset_is_in_sync_only_when_every_file_is_synced(verdict: Verdict) -> None:
    """One other verdict is enough."""
    expected = verdict is Verdict.SYNCED
    assert dataset(status("a.png"), status("b.png", verdict)).in_sync is expected
    assert Summary.of([status("a.png"), status("b.png", verdict)]).in_sync is expected


def test_files_can_be_asked_for_by_verdict() -> None:
    """In the order in which they are."""
    found = dataset(status("a", Verdict.DIFFERS), status("b"), status("c", Verdict.CONFLICT))
    assert [f.key for f in found.of(Verdict.CONFLICT, Verdict.DIFFERS)] == ["a", "c"]


@pytest.mark.parametrize(
    ("reason", "remedy", "expected"),
    [
        (None, None, None),
        ("opaque", None, "opaque"),
        ("opaque", "`hashmark verify`", "opaque; `hashmark verify` would settle it"),
        (None, "`hashmark verify`", None),
    ],
)
def test_the_reason_says_what_would_settle_it(reason: str | None, remedy: str | None, expected: str | None) -> None:
    """In one sentence, in text and in JSON."""
    row = status("a", Verdict.UNVERIFIED, reason=reason, remedy=remedy)
    assert reason_of(row) == expected
    assert file_json(row)["reason"] == expected


def test_names_that_are_not_utf8_can_be_printed_wherever_they_appear() -> None:
    """In keys, in pairs, and in the sentences of problems and reasons that quote them."""
    raw, plain = "a\udcff.png", "a\\xff.png"
    assert printable(raw) == plain
    assert printable("ü.png") == "ü.png"
    found = dataset(*refuse_collisions([status("A\udcff.png"), status("A\udcff.txt"), status("a\udcff.png")]))
    assert found.files[0].verdict is Verdict.REFUSED
    assert json.dumps(found.to_json(), ensure_ascii=False).encode()
    assert problem_json(Problem(raw, "x", f"matches '{raw}'")) == {
        "key": plain,
        "code": "x",
        "message": f"matches '{plain}'",
    }


def test_a_summary_adds_up() -> None:
    """Counts, evidence, images, local bytes, red."""
    summary = Summary.of(
        [
            status("a.png", evidence=Evidence.ETAG_MD5, data=b"12345"),
            status("a.txt", Verdict.LOCAL_CHANGED, evidence=Evidence.RECORDED, data=b"123"),
            status("b.png", Verdict.REMOTE_ONLY, data=b"1"),
            status("c.txt", evidence=Evidence.ETAG_MD5, data=b"1"),
        ]
    )
    assert summary.counts == {Verdict.SYNCED: 2, Verdict.LOCAL_CHANGED: 1, Verdict.REMOTE_ONLY: 1}
    assert summary.evidence == {"etag-md5": 2, "recorded": 1}
    assert (summary.images, summary.bytes, summary.total, summary.red) == (2, 9, 4, 1)


@pytest.mark.parametrize("verdict", Verdict)
def test_red_is_every_verdict_in_which_the_bucket_lacks_the_bytes(verdict: Verdict) -> None:
    """What only the bucket has, and what can't be told, is not red."""
    red = {"local-only", "local-changed", "differs", "remote-changed", "conflict", "deleted-remotely"}
    assert Summary.of([status("a", verdict)]).red == (verdict in red) == (verdict in NEEDS_SYNC)


def test_nothing_at_all_is_not_in_sync() -> None:
    """An empty folder beside an empty prefix: perhaps the disk is not mounted, and nobody should train on that."""
    assert (Summary().in_sync, Summary().total, dataset().in_sync, dataset().counts) == (False, 0, False, {})


rows_of = st.dictionaries(st.one_of(keys, st.text("aAé", min_size=1, max_size=2)), verdicts, max_size=14).map(
    lambda found: [
        status(key, found[key], evidence=Evidence.ETAG_MD5 if found[key] is Verdict.SYNCED else None)
        for key in in_bytes(found)
    ]
)
THREE = [status(key, Verdict.LOCAL_ONLY) for key in ("A.PNG", "A.png", "a.png")]
FULL = [status(key, Verdict.LOCAL_ONLY) for key in ("A", "AA", "AAa", "Aa", "B", "a", "aA", "aa", "b")]


def summary_of(rows: list[FileStatus], keep: int, size: int) -> Summary:
    """Add the rows in blocks of this size."""
    summary = Summary(keep)
    for block in blocks(rows, size):
        summary.add(block)
    return summary


@given(rows_of, st.integers(0, 3), st.integers(1, 4))
@example(THREE, 20, 3)
@example(THREE, 1, 1)
@example(FULL, 1, 2)
@example([status("A", Verdict.REFUSED), status("a")], 20, 1)
@example([status("A", evidence=Evidence.ETAG_MD5), status("a", evidence=Evidence.ETAG_MD5)], 20, 1)
def test_a_summary_of_a_stream_counts_what_the_whole_list_counts(rows: list[FileStatus], keep: int, size: int) -> None:
    """Collisions included, which turn files that were counted already; however few files are kept."""
    whole, summary = dataset(*refuse_collisions(rows)), summary_of(rows, keep, size)
    assert {str(verdict): count for verdict, count in summary.counts.items()} == whole.counts
    assert (summary.total, summary.in_sync) == (len(rows), whole.in_sync)
    assert summary.evidence == Counter(f.evidence for f in whole.files if f.evidence)
    assert summary.images == sum(f.kind is Kind.IMAGE for f in whole.files)


@given(rows_of, st.integers(0, 3), st.integers(1, 4))
@example(THREE, 20, 1)
@example(FULL, 2, 2)
@example([status("A", Verdict.REFUSED), status("a")], 20, 1)
def test_what_a_summary_keeps_is_little_and_true(rows: list[FileStatus], keep: int, size: int) -> None:
    """At most so many files of each verdict but synced, each as the whole list has it, each once."""
    whole = {f.key: f for f in refuse_collisions(rows)}
    summary = summary_of(rows, keep, size)
    for verdict, kept in summary.attention.items():
        assert len(kept) <= keep
        assert len({f.key for f in kept}) == len(kept)
        for row in kept:
            assert row.verdict is verdict
            assert row == whole[row.key]
        assert [f.key for f in kept] == in_bytes(f.key for f in kept)
    assert not summary.attention.get(Verdict.SYNCED)


@given(rows_of)
def test_a_summary_that_keeps_enough_keeps_all_in_key_order(rows: list[FileStatus]) -> None:
    """What is shown with `--full`."""
    summary = Summary.of(rows, keep=99)
    whole = dataset(*refuse_collisions(rows))
    for verdict in ATTENTION:
        assert summary.attention.get(verdict, []) == list(whole.of(verdict))


def test_a_listing_of_names_has_null_for_what_it_does_not_say() -> None:
    """Unknown is not zero."""
    row = FileStatus(status("a").key, Kind.OTHER, Verdict.UNVERIFIED, remote=RemoteObject(status("a").key))
    assert file_json(row)["remote"] == {"size": None, "etag": None, "lastModified": None}
