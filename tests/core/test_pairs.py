"""Which caption belongs to which image, what is odd about it, and what is no part of a dataset."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.model import Evidence, FileStatus, Key, Kind, RemoteObject, Verdict
from hashmark.core.pairs import AGGREGATES, IMAGE_SUFFIXES, Pair, Paired, Pairing, in_bucket, pair_up, split_suffix
from support.core_values import in_bytes, local, status

NFC, NFD = "caf\u00e9", "cafe\u0301"


def paired(*keys: str, pairing: Pairing | None = None) -> Paired:
    pairing = pairing or Pairing()
    return pair_up([status(key, kind=pairing.kind(key)) for key in in_bytes(keys)], pairing)


def matches(found: Paired) -> dict[str, str | None]:
    return {pair.image.key: pair.caption.key if pair.caption else None for pair in found.pairs}


def codes(found: Paired) -> list[tuple[str, str]]:
    return [(problem.key, problem.code) for problem in found.problems]


CASES: dict[str, tuple[list[str], dict[str, str | None], list[tuple[str, str]]]] = {
    "an image and its caption": (["a.png", "a.txt"], {"a.png": "a.txt"}, []),
    "two images of one stem share a caption": (
        ["a.jpg", "a.png", "a.txt"],
        {"a.jpg": "a.txt", "a.png": "a.txt"},
        [("a.png", "shared-caption")],
    ),
    "three images of one stem": (
        ["a.jpg", "a.png", "a.webp", "a.txt"],
        {"a.jpg": "a.txt", "a.png": "a.txt", "a.webp": "a.txt"},
        [("a.png", "shared-caption"), ("a.webp", "shared-caption")],
    ),
    "the preferred of several captions, the other is named": (
        ["a.caption", "a.png", "a.txt"],
        {"a.png": "a.txt"},
        [("a.png", "several-captions")],
    ),
    "a metadata file is no caption": (["a.json", "a.png", "a.txt"], {"a.png": "a.txt"}, []),
    "a caption named after the whole image": (
        ["a.jpg", "a.jpg.txt"],
        {"a.jpg": "a.jpg.txt"},
        [("a.jpg", "double-suffix")],
    ),
    "the stem's caption goes before it, which is then left over": (
        ["a.jpg", "a.jpg.txt", "a.txt"],
        {"a.jpg": "a.txt"},
        [("a.jpg.txt", "orphan-caption")],
    ),
    "each of two images has a caption named after it": (
        ["a.jpg", "a.jpg.txt", "a.png", "a.png.txt"],
        {"a.jpg": "a.jpg.txt", "a.png": "a.png.txt"},
        [("a.jpg", "double-suffix"), ("a.png", "double-suffix")],
    ),
    "a stem ends at its last dot": (
        ["a.b.png", "a.b.txt", "a.txt"],
        {"a.b.png": "a.b.txt"},
        [("a.txt", "orphan-caption")],
    ),
    "a stem with a dot is not cut at the first": (
        ["v1.0.png", "v1.txt"],
        {"v1.0.png": None},
        [("v1.txt", "orphan-caption")],
    ),
    "suffixes in any case": (
        ["a.JPG", "a.TXT", "b.Png", "b.Caption"],
        {"a.JPG": "a.TXT", "b.Png": "b.Caption"},
        [],
    ),
    "a stem in another case matches with a warning": (
        ["IMG_1.png", "img_1.txt"],
        {"IMG_1.png": "img_1.txt"},
        [("IMG_1.png", "inexact-match")],
    ),
    "an exact stem goes before another case": (
        ["IMG.txt", "img.png", "img.txt"],
        {"img.png": "img.txt"},
        [("IMG.txt", "orphan-caption")],
    ),
    "composed and decomposed accents match with a warning": (
        [f"{NFC}.png", f"{NFD}.txt"],
        {f"{NFC}.png": f"{NFD}.txt"},
        [(f"{NFC}.png", "inexact-match")],
    ),
    "decomposed image, composed caption": (
        [f"{NFD}.png", f"{NFC}.txt"],
        {f"{NFD}.png": f"{NFC}.txt"},
        [(f"{NFD}.png", "inexact-match")],
    ),
    "the same form on both sides is exact": ([f"{NFD}.png", f"{NFD}.txt"], {f"{NFD}.png": f"{NFD}.txt"}, []),
    "masks need no caption": (
        ["a-condlabel.png", "a-masklabel.png", "a.png", "a.txt", "masks/a.png"],
        {"a.png": "a.txt"},
        [],
    ),
    "controls need no caption": (["_controls/a.png", "a.png", "a.txt"], {"a.png": "a.txt"}, []),
    "litter is not seen": (
        ["._a.png", "._a.txt", ".ipynb_checkpoints/a.txt", "a.npz", "a.png", "a.txt"],
        {"a.png": "a.txt"},
        [],
    ),
    "a caption without an image is named": (["a.png", "b.txt"], {"a.png": None}, [("b.txt", "orphan-caption")]),
    "an image without a caption is no problem of names": (["a.png"], {"a.png": None}, []),
    "the same stem in another folder is another item": (
        ["a.txt", "x/a.png", "y/a.png", "y/a.txt"],
        {"x/a.png": None, "y/a.png": "y/a.txt"},
        [("a.txt", "orphan-caption")],
    ),
    "odd names are names": (
        ["100% + #1 (ü) \U0001f431.png", "100% + #1 (ü) \U0001f431.txt"],
        {"100% + #1 (ü) \U0001f431.png": "100% + #1 (ü) \U0001f431.txt"},
        [],
    ),
    "a file of captions for all is named": (
        ["a.png", "captions.json", "sub/metadata.jsonl", "x/metadata.csv", "x/metadata.parquet"],
        {"a.png": None},
        [
            ("captions.json", "aggregate-captions"),
            ("sub/metadata.jsonl", "aggregate-captions"),
            ("x/metadata.csv", "aggregate-captions"),
            ("x/metadata.parquet", "aggregate-captions"),
        ],
    ),
}


@pytest.mark.parametrize(("keys", "expected", "problems"), CASES.values(), ids=CASES.keys())
def test_names_decide_the_pairs_and_what_is_odd_is_named(
    keys: list[str], expected: dict[str, str | None], problems: list[tuple[str, str]]
) -> None:
    """Each line is one edge case of trainers and caption tools."""
    found = paired(*keys)
    assert matches(found) == expected
    assert codes(found) == problems


def test_problems_name_the_other_file() -> None:
    """A person can act on the message alone."""
    (shared,) = paired("a.jpg", "a.png", "a.txt").problems
    assert "'a.txt'" in shared.message
    assert "'a.jpg'" in shared.message
    (several,) = paired("a.caption", "a.png", "a.txt").problems
    assert "'a.txt' is used here, 'a.caption' may be read" in several.message
    (double,) = paired("a.jpg", "a.jpg.txt").problems
    assert "rename it" in double.message
    for name, why in AGGREGATES.items():
        (aggregate,) = paired(name).problems
        assert why in aggregate.message


def test_the_library_says_which_caption_is_preferred() -> None:
    """The order of the setting decides, and a suffix that is not in it is no caption."""
    pairing = Pairing(captions=(".caption", ".txt"))
    assert matches(paired("a.caption", "a.png", "a.txt", pairing=pairing)) == {"a.png": "a.caption"}
    assert [pairing.preference(key) for key in ("a.CAPTION", "a.txt", "a.wildcard")] == [0, 1, 2]
    assert Pairing(captions=(".txt",)).kind("a.caption") is Kind.OTHER


def one(image: FileStatus, *captions: FileStatus) -> Pair:
    return pair_up([image, *captions], Pairing()).pairs[0]


def test_a_caption_only_in_the_bucket_is_paired_and_not_green() -> None:
    """It exists on one side, so the pair is not in sync, though the bucket has it."""
    pair = one(status("a.png"), status("a.txt", Verdict.REMOTE_ONLY))
    assert pair.caption is not None
    assert (pair.green, pair.is_in_s3, pair.caption_in_s3) == (False, True, True)


def test_an_image_without_caption_on_either_side_can_be_green() -> None:
    """There is nothing else to prove; nor does the bucket have a caption."""
    pair = one(status("a.png"))
    assert (pair.green, pair.is_in_s3, pair.caption_in_s3) == (True, True, False)


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.SYNCED])
def test_a_pair_is_green_only_when_both_are_proven(verdict: Verdict) -> None:
    """Any other verdict on either of them is not green."""
    assert one(status("a.png"), status("a.txt")).green
    assert not one(status("a.png"), status("a.txt", verdict)).green
    assert not one(status("a.png", verdict), status("a.txt")).green
    assert not one(status("a.png", verdict)).green


@pytest.mark.parametrize("verdict", Verdict)
def test_the_bucket_has_what_is_proven_or_is_only_there(verdict: Verdict) -> None:
    """An object with an ETag that proves nothing is not counted as there."""
    expected = verdict in {Verdict.SYNCED, Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY}
    assert in_bucket(status("a.png", verdict)) is expected
    pair = one(status("a.png", verdict), status("a.txt", verdict))
    assert (pair.is_in_s3, pair.caption_in_s3) == (expected, expected)


def test_in_a_list_of_names_presence_is_what_counts() -> None:
    """The shape of the original listing: unverified, and in the bucket by name."""
    row = FileStatus(
        Key("a.png"),
        Kind.IMAGE,
        Verdict.UNVERIFIED,
        Evidence.NAME,
        local=local("a.png"),
        remote=RemoteObject(Key("a.png")),
    )
    assert in_bucket(row)
    assert not in_bucket(row._replace(evidence=None)), "a listing that lacks one ETag is no list of names"
    assert not one(row).green
    assert not in_bucket(row._replace(verdict=Verdict.DIFFERS))


KINDS: dict[str, Kind] = {
    **{f"a{suffix}": Kind.IMAGE for suffix in sorted(IMAGE_SUFFIXES)},
    **{f"A{suffix.upper()}": Kind.IMAGE for suffix in sorted(IMAGE_SUFFIXES)},
    "a.txt": Kind.CAPTION,
    "sub/a.Caption": Kind.CAPTION,
    "a-masklabel.png": Kind.MASK,
    "sub/a-condlabel.PNG": Kind.MASK,
    "masks/a.png": Kind.MASK,
    "x/mask/y/a.png": Kind.MASK,
    "_controls/a.png": Kind.OTHER,
    "x/control/a.png": Kind.OTHER,
    "masks.png": Kind.IMAGE,
    "unmasks/a.png": Kind.IMAGE,
    "a-masklabel-2.png": Kind.IMAGE,
    "a.json": Kind.OTHER,
    "a": Kind.OTHER,
    ".png": Kind.OTHER,
    "sub/.txt": Kind.OTHER,
    "a.png/b": Kind.OTHER,
    "a.safetensors": Kind.OTHER,
    "my.hashmark-1-a.partial.txt": Kind.CAPTION,
    # trainers' caches
    "a.npz": Kind.IGNORED,
    "sub/a_te.safetensors": Kind.IGNORED,
    "_latent_cache/a.safetensors": Kind.IGNORED,
    "sub/_t_e_cache/a.txt": Kind.IGNORED,
    "_clip_vision_cache/a.png": Kind.IGNORED,
    "cache/sub/a.png": Kind.IGNORED,
    "mycache/a.png": Kind.IMAGE,
    "cache": Kind.OTHER,
    ".aitk_size.json": Kind.IGNORED,
    "metadata_cache.json": Kind.IGNORED,
    "sub/aspect_ratio_bucket_metadata.json": Kind.IGNORED,
    # desktops and notebooks
    ".DS_Store": Kind.IGNORED,
    "sub/.DS_Store": Kind.IGNORED,
    "x.DS_Store": Kind.OTHER,
    "._a.png": Kind.IGNORED,
    "Thumbs.db": Kind.IGNORED,
    "desktop.ini": Kind.IGNORED,
    ".ipynb_checkpoints/a-checkpoint.txt": Kind.IGNORED,
    ".thumbs/a.png": Kind.IGNORED,
    "__MACOSX/a.png": Kind.IGNORED,
    # hashmark's own
    ".hashmark/trash/x/a.png": Kind.IGNORED,
    "sub/.hashmark-4-0a.part": Kind.IGNORED,
    # a name is litter as a whole or not at all
    "Thumbs.db\n": Kind.OTHER,
    "a.npz/b.png": Kind.IMAGE,
}


@pytest.mark.parametrize(("key", "kind"), KINDS.items(), ids=[repr(key) for key in KINDS])
def test_a_name_decides_what_a_file_is_for(key: str, kind: Kind) -> None:
    """By suffix, folder and the list of litter."""
    assert Pairing().kind(key) is kind


@pytest.mark.parametrize(
    ("glob", "key", "expected"),
    [
        ("*.bak", "a.bak", True),
        ("*.bak", "sub/a.bak", True),
        ("*.bak", "a.bak.png", False),
        ("*.bak", "a.bak/b.png", False),
        ("raw/", "raw/a.png", True),
        ("raw/", "x/raw/", True),
        ("raw/", "raw", False),
        ("raw/", "xraw/a.png", False),
        ("a*z", "abc/z", False),
        ("a*b*z", "aabbzz", True),
        ("a?z", "abz", True),
        ("a?z", "a/z", False),
        ("a[!b]z", "acz", True),
        ("a[!b]z", "abz", False),
        ("a[!b]z", "a/z", False),
        ("a[.*]z", "a*z", True),
        ("a[.*]z", "a.z", True),
        ("a[.*]z", "axz", False),
        (".*", ".hidden", True),
        (".*", "a.hidden", False),
        ("[x", "[x", True),
        ("a+b (1).png", "a+b (1).png", True),
        ("a.png", "abpng", False),
        ("sub/*.png", "sub/a.png", True),
        ("sub/*.png", "sub/x/a.png", False),
    ],
)
def test_a_library_adds_globs_over_names_to_the_list_of_litter(glob: str, key: str, expected: bool) -> None:
    """No wildcard crosses a `/`; a final `/` means a folder at any depth. The built-in list stays."""
    assert Pairing(ignore=(glob,)).ignores(key) is expected
    assert Pairing(ignore=(glob,)).ignores("a.npz")
    assert not Pairing().ignores(key)


@pytest.mark.parametrize("glob", ["", "/", "//"])
def test_a_glob_without_a_name_ignores_nothing(glob: str) -> None:
    """A stray empty string in the settings must not hide every folder."""
    assert not any(Pairing(ignore=(glob,)).ignores(key) for key in ("a.png", "sub/", "sub/a.png", "", "a//b"))


@given(st.text("ab*?[]!.-^\\", max_size=8), st.text("ab[]!.-^\\*", min_size=1, max_size=5))
@example("[[]a", "[a")
@example("[]a]", "]")
@example("[b-a]", "b")
def test_within_a_name_a_glob_means_what_it_means_to_python(glob: str, name: str) -> None:
    """`fnmatch` is the judge where there is no `/`."""
    if glob:
        assert Pairing(ignore=(glob,)).ignores(name) == fnmatch.fnmatchcase(name, glob)
        assert Pairing(ignore=(f"{glob}/",)).ignores(f"{name}/a") == fnmatch.fnmatchcase(name, glob)


@pytest.mark.parametrize(
    ("key", "stem", "suffix"),
    [
        ("a.png", "a", ".png"),
        ("a.b.png", "a.b", ".png"),
        ("x.y/a", "x.y/a", ""),
        ("x/a.png", "x/a", ".png"),
        (".png", ".png", ""),
        ("x/.png", "x/.png", ""),
        ("x/..png", "x/.", ".png"),
        ("a", "a", ""),
        ("a.", "a", "."),
        ("", "", ""),
    ],
)
def test_a_suffix_begins_at_the_last_dot_of_the_name(key: str, stem: str, suffix: str) -> None:
    """A name that only begins with a dot has none; a folder's dot does not count."""
    assert split_suffix(key) == (stem, suffix)


names = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "x/", "X/"]),
        st.sampled_from(["a", "A", "a.b", NFC, NFD, "b-masklabel"]),
        st.sampled_from([".png", ".JPG", ".txt", ".caption", ".png.txt", ".npz", ".json"]),
    ),
)


@given(st.sets(names, max_size=12))
def test_no_image_or_caption_gets_lost(keys: set[str]) -> None:
    """Each image is in one pair, in order; each caption is in a pair or in a problem."""
    found = paired(*keys)
    kind = Pairing().kind
    assert [pair.image.key for pair in found.pairs] == [key for key in in_bytes(keys) if kind(key) is Kind.IMAGE]
    told = " ".join(f"'{p.key}' {p.message}" for p in found.problems)
    used = {pair.caption.key for pair in found.pairs if pair.caption}
    for key in keys:
        if kind(key) is Kind.CAPTION:
            assert key in used or f"'{key}'" in told


@given(st.sets(names, max_size=12))
def test_an_exact_stem_is_never_passed_over(keys: set[str]) -> None:
    """Where a caption of the image's own stem exists, it is the one that is used."""
    stems = {key.rsplit(".", 1)[0] for key in keys if Pairing().kind(key) is Kind.CAPTION}
    for pair in paired(*keys).pairs:
        stem = pair.image.key.rsplit(".", 1)[0]
        if stem in stems:
            assert pair.caption is not None
            assert pair.caption.key.rsplit(".", 1)[0] == stem


NAME_PARTS = st.sampled_from([
    "a", "B", ".", "..", ".png", ".PNG", ".txt", ".Txt", ".md", "-masklabel", "masks", "control", "cache", "x.npz",
    "._", ".hashmark", ".hashmark-1-a.part", "Thumbs.db", "bak", "é", "\0", "/", "/",
])  # fmt: skip
ODD_KEYS = st.lists(NAME_PARTS, max_size=5).map("".join)


@given(st.lists(ODD_KEYS, max_size=6), st.lists(st.sampled_from(["*.md", "bak/", "a*", "*B*", "[ab].png"]), max_size=2))
@example(["a.png", "b.txt"], [])
@example(["10_style/a.png", "10_style/b.txt"], [])
@example(["masks/a.png", "control/b.png", "sub/masks/c.png"], [])
def test_many_keys_are_sorted_out_as_each_is_alone(keys: list[str], ignore: list[str]) -> None:
    pairing = Pairing(ignore=tuple(ignore))
    assert pairing.kinds(keys) == list(map(pairing.kind, keys))
    assert set(pairing.ignored(keys)) == set(filter(pairing.ignores, keys))


def test_the_kinds_of_ordinary_keys_are_found_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pairing, "kind", lambda _self, key: pytest.fail(f"{key} was looked at alone"))
    assert Pairing().kinds(["a.png", "a.txt", "10_style/b.png"]) == [Kind.IMAGE, Kind.CAPTION, Kind.IMAGE]
