"""The arithmetic of ETags, against a plain computation written here."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.etags import (
    MAX_PARTS,
    MIB,
    UPLOADER_PART_SIZES,
    MultipartHasher,
    fits,
    may_be_md5,
    multipart_etag,
    normal_etag,
    part_count,
    part_size_candidates,
    upload_part_size,
)
from support.core_values import md5

HEX = md5(b"")


def by_hand(parts: list[bytes]) -> str:
    """The ETag of an upload in these parts, as the definition has it."""
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def fed(data: bytes, cuts: list[int | tuple[int, ...]]) -> MultipartHasher:
    hasher = MultipartHasher(cuts)
    hasher.update(data)
    return hasher


DATA = bytes(range(100))


@pytest.mark.parametrize("part_size", [1, 7, 10, 33, 50, 99, 100, 101, 5000])
def test_equal_parts_give_the_etag_of_the_definition(part_size: int) -> None:
    """The last part may be shorter, and a part size above the file's makes one part."""
    hasher = fed(DATA, [part_size])
    assert hasher.etags() == {part_size: by_hand(cut(DATA, part_size))}
    assert hasher.md5() == md5(DATA)


@pytest.mark.parametrize("sizes", [(100,), (40, 60), (60, 40), (1, 98, 1), (10,) * 10, (50, 0, 50), (100, 0), (0, 100)])
def test_parts_of_any_sizes_give_the_etag_of_the_definition(sizes: tuple[int, ...]) -> None:
    """An empty part counts, at the end as well: some uploaders close with one."""
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    parts = [DATA[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    assert fed(DATA, [sizes]).etags() == {sizes: by_hand(parts)}


@pytest.mark.parametrize("size", [1, 8, (0,)])
def test_an_empty_object_uploaded_in_parts_has_one_empty_part(size: int | tuple[int, ...]) -> None:
    """Fed nothing at all, or nothing explicitly."""
    assert MultipartHasher([size]).etags() == {size: by_hand([b""])} == fed(b"", [size]).etags()
    assert MultipartHasher().md5() == md5(b"")


@pytest.mark.parametrize(
    ("sizes", "parts"), [((40, 50), 3), ((99,), 2), ((50, 25, 5), 4), ((100, 5), 1), ((60, 50, 9), 2)]
)
def test_a_file_longer_or_shorter_than_its_parts_fits_no_upload_in_so_many(sizes: tuple[int, ...], parts: int) -> None:
    """Bytes beyond the last part make one more, and a part that was not begun is not there."""
    (etag,) = fed(DATA, [sizes]).etags().values()
    assert part_count(etag) == parts != len(sizes)


@pytest.mark.parametrize("size", [0, -1])
def test_a_part_size_that_is_none_is_an_error_and_not_an_endless_loop(size: int) -> None:
    """Nothing can be cut into parts of no bytes."""
    with pytest.raises(ValueError, match="part size"):
        MultipartHasher([size])


def test_the_etag_can_be_asked_for_more_than_once_and_between() -> None:
    """Asking changes nothing."""
    hasher = MultipartHasher([10, (100, 0)])
    hasher.update(DATA[:30])
    assert hasher.etags()[10] == by_hand(cut(DATA[:30], 10))
    hasher.update(DATA[30:])
    assert hasher.etags() == hasher.etags() == {10: by_hand(cut(DATA, 10)), (100, 0): by_hand([DATA, b""])}


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8), st.lists(st.integers(1, 60), max_size=3))
def test_how_the_bytes_arrive_does_not_matter(data: bytes, splits: list[int], sizes: list[int]) -> None:
    """Any chunks, of bytes or of memory, lead to what the whole leads to; several cuts don't disturb each other."""
    cuts: list[int | tuple[int, ...]] = [*sizes, tuple(len(part) for part in cut(data, 7))]
    hasher = MultipartHasher(cuts)
    edges = [0, *sorted(min(split, len(data)) for split in splits), len(data)]
    for n, (start, end) in enumerate(itertools.pairwise(edges)):
        piece = data[start:end]
        hasher.update(memoryview(piece) if n % 2 else piece)
    assert hasher.md5() == md5(data)
    expected: dict[int | tuple[int, ...], str] = {size: by_hand(cut(data, size)) for size in sizes}
    assert hasher.etags() == expected | {cuts[-1]: by_hand(cut(data, 7))}


def test_part_digests_alone_give_the_etag() -> None:
    """What an uploader knows when its last part is through."""
    parts = [b"one", b"two", b"three"]
    assert multipart_etag(b"".join(hashlib.md5(part).digest() for part in parts)) == by_hand(parts)
    assert multipart_etag(hashlib.md5(b"").digest()) == "59adb24ef3cdbe0297f05b395827453f-1"


@pytest.mark.parametrize(
    ("size", "part_size", "parts", "expected"),
    [
        (0, 5, 1, True),
        (0, 5, 0, False),
        (0, 5, 2, False),
        (1, 5, 1, True),
        (5, 5, 1, True),
        (5, 5, 2, False),
        (6, 5, 2, True),
        (10, 5, 2, True),
        (10, 5, 3, False),
        (11, 5, 3, True),
        (11, 5, 2, False),
        (5, 0, 1, False),
        (0, 0, 1, False),
        (5, -5, 1, False),
        (MAX_PARTS * MIB, MIB, MAX_PARTS, True),
        (MAX_PARTS * MIB + 1, MIB, MAX_PARTS, False),
    ],
)
def test_a_part_size_fits_if_it_makes_exactly_so_many_parts(
    size: int, part_size: int, parts: int, expected: bool
) -> None:
    """The borders: nothing, exact multiples, one byte more."""
    assert fits(size, part_size, parts) is expected


@given(st.integers(0, 500), st.integers(1, 60), st.integers(0, 500))
def test_fitting_is_what_cutting_says(size: int, part_size: int, parts: int) -> None:
    """The division agrees with the pieces."""
    count = len(cut(bytes(size), part_size))
    assert fits(size, part_size, count)
    assert fits(size, part_size, parts) == (parts == count)


@pytest.mark.parametrize(
    ("size", "parts", "expected"),
    [
        (20 * MIB, 3, 8 * MIB),  # aws cli
        (20 * MIB, 4, 5 * MIB),  # rclone
        (20 * MIB, 2, 16 * MIB),  # minio
        (3000 * MIB, 60, 50 * MIB),  # s5cmd
        (5000 * MIB, 10, 512 * MIB),  # 8 MiB, doubled
        (80_000 * MIB + 1, 10_000, 8 * MIB + 1),  # spread over all parts, to the byte
        (80_000 * MIB + 1, 8_889, 9 * MIB),  # … to the MiB
        (7, 1, 7),
        (0, 1, 1),
    ],
)
def test_known_uploaders_part_sizes_are_among_the_candidates(size: int, parts: int, expected: int) -> None:
    """By size and number of parts alone."""
    assert expected in part_size_candidates(size, parts)


def test_part_sizes_of_known_uploaders_are_whole_mebibytes() -> None:
    """As read in their sources."""
    assert MIB == 1024 * 1024
    assert UPLOADER_PART_SIZES[:2] == (8 * MIB, 5 * MIB)
    assert sorted(size / MIB for size in UPLOADER_PART_SIZES) == [5, 8, 10, 15, 16, 17, 25, 32, 50, 64, 100, 128]


@given(st.integers(0, 1 << 45), st.integers(1, MAX_PARTS))
def test_every_candidate_fits_once(size: int, parts: int) -> None:
    """What does not make so many parts is not worth hashing."""
    found = part_size_candidates(size, parts)
    assert all(fits(size, candidate, parts) for candidate in found)
    assert len(set(found)) == len(found)
    assert {known for known in UPLOADER_PART_SIZES if fits(size, known, parts)} <= set(found)
    assert parts > 1 or found


@pytest.mark.parametrize(
    ("size", "preferred", "expected"),
    [
        (0, 64 * MIB, 64 * MIB),
        (MAX_PARTS * 64 * MIB, 64 * MIB, 64 * MIB),
        (MAX_PARTS * 64 * MIB + 1, 64 * MIB, 128 * MIB),
        (MAX_PARTS * 256 * MIB, 64 * MIB, 256 * MIB),
    ],
)
def test_hashmarks_own_part_size_doubles_when_the_parts_would_be_too_many(
    size: int, preferred: int, expected: int
) -> None:
    """Exactly as many as allowed are not too many."""
    assert upload_part_size(size, preferred) == expected


@pytest.mark.parametrize(
    ("etag", "normal"),
    [(f'"{HEX}"', HEX), (HEX, HEX), (f'W/"{HEX}"', HEX), (f' "{HEX}-2" ', f"{HEX}-2"), ('""', ""), ("", "")],
)
def test_an_etag_is_read_with_and_without_quotes(etag: str, normal: str) -> None:
    """Stores differ; weak ETags are read too."""
    assert normal_etag(etag) == normal


@pytest.mark.parametrize(
    ("etag", "is_md5", "parts"),
    [
        (HEX, True, None),
        (HEX.upper(), True, None),
        (HEX[1:], False, None),
        (HEX + "0", False, None),
        (HEX + "\n", False, None),
        (f"{HEX}-1", False, 1),
        (f"{HEX}-10000", False, 10_000),
        (f"{HEX}-100000", False, None),
        (f"{HEX}-0", False, None),
        (f"{HEX}-01", False, None),
        (f"{HEX}-", False, None),
        (f"{HEX}-2\n", False, None),
        (f"{HEX[1:]}-2", False, None),
        ("", False, None),
        ("0x8D4BCC2E4835CD0", False, None),
    ],
)
def test_the_form_of_an_etag_says_what_it_can_be(etag: str, is_md5: bool, parts: int | None) -> None:
    """32 hex digits, the same with a number of parts, or neither."""
    assert may_be_md5(etag) is is_md5
    assert part_count(etag) == parts
