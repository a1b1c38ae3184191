"""The sample library's content keeps its promises: same seed same bytes, clean captions, honest dirt."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Literal

import pytest
from PIL import Image

from hashmark.core.cleaning import Pipeline, Profile
from hashmark.demo.sketches import caption, dirty_caption, image, profile
from hashmark.demo.sketches.drawings import SUBJECTS, Subject
from hashmark.demo.sketches.scene import scene_of

SEEDS = range(1000)
SMALL = 64


THOROUGH = {str(name): Pipeline.parse({"profile": str(name), "preset": "thorough"}) for name in Profile}


@cache
def small(seed: int) -> bytes:
    """Draw a picture small, once for all tests."""
    return image(seed, side=SMALL)


def opened(data: bytes) -> Image.Image:
    """Decode a picture in full."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_same_seed_gives_the_same_image(kind: Literal["PNG", "JPEG"]) -> None:
    """Twice in a row, and in the encoding that was asked for."""
    data = image(7, kind=kind, side=SMALL)
    assert data == image(7, kind=kind, side=SMALL)
    assert opened(data).format == kind


def test_threads_do_not_disturb_each_other() -> None:
    """Nothing is drawn from shared randomness."""
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: image(seed, side=SMALL), range(24)))
    assert together == [small(seed) for seed in range(24)]


def test_every_seed_gives_a_different_image() -> None:
    """Even small and for many seeds."""
    assert len({small(seed) for seed in range(120)}) == 120


def test_images_are_square_tall_and_wide_with_about_the_same_area() -> None:
    """The shapes that trainers sort into buckets, each side a multiple of 8."""
    sizes = {opened(small(seed)).size for seed in range(80)}
    assert {(width > height) - (width < height) for width, height in sizes} == {-1, 0, 1}
    for width, height in sizes:
        assert width % 8 == height % 8 == 0
        assert 0.85 < width * height / SMALL**2 < 1.15


def test_a_full_image_has_the_size_of_a_real_one() -> None:
    """1024 a side, and a few hundred kilobytes, so that transfers are worth watching."""
    sizes = [len(image(seed)) for seed in range(6)]
    assert 350_000 < sum(sizes) / len(sizes) < 700_000
    square = next(seed for seed in SEEDS if opened(small(seed)).size == (SMALL, SMALL))
    assert opened(image(square)).size == (1024, 1024)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: str(subject.phrases[0]))
def test_every_subject_can_be_drawn_and_is_named_by_its_caption(subject: Subject) -> None:
    """Each drawing is well formed, covers the sheet with ink and colour, and appears among the seeds."""
    seed = next(seed for seed in SEEDS if scene_of(seed).subject is subject)
    assert len(opened(image(seed, side=128)).convert("RGB").getcolors() or ()) > 60
    assert any(words in caption(seed) for words in (*subject.phrases, subject.tags))


def test_captions_name_the_style_and_are_all_different() -> None:
    """No two of a thousand captions are equal, and each has the words that a trigger needs."""
    captions = [caption(seed) for seed in SEEDS]
    assert len(set(captions)) == len(captions)
    for text in captions:
        assert "stellar sketch" in text
        assert text == text.strip()
        assert "{" not in text


def test_captions_say_where_the_moon_is() -> None:
    """What the scene has, the prose tells; what it has not, no caption invents."""
    for seed in SEEDS:
        moon = scene_of(seed).moon
        words = r"\bmoon\b" if profile(seed) == "prose" else rf"\b{moon} moon\b"
        assert bool(re.search(words, caption(seed))) == bool(moon)


def test_most_captions_are_prose_and_some_are_tags() -> None:
    """Both kinds of cleaning have something to do."""
    kinds = [profile(seed) for seed in range(271)]
    assert set(kinds) == set(THOROUGH)
    assert 40 < kinds.count("tags") < 100


def test_clean_captions_are_clean() -> None:
    """Cleaning a caption as it should be changes nothing."""
    for seed in SEEDS:
        assert THOROUGH[profile(seed)].clean_bytes(caption(seed).encode())[0] == caption(seed).encode()


def test_cleaning_a_dirty_caption_changes_its_bytes_and_gives_the_clean_one() -> None:
    """The demonstration depends on it: every one of the captions is edited, none is damaged."""
    for seed in SEEDS:
        cleaned, _ = THOROUGH[profile(seed)].clean_bytes(dirty_caption(seed))
        assert cleaned != dirty_caption(seed)
        assert cleaned == caption(seed).encode()


def test_the_rules_for_prose_find_something_to_do_in_every_dirty_caption() -> None:
    """A dataset has one profile, and the demonstration cleans all 271 with it."""
    for seed in SEEDS:
        assert THOROUGH["prose"].clean_bytes(dirty_caption(seed))[0] != dirty_caption(seed)


def test_the_same_seed_gives_the_same_captions() -> None:
    """Captions are as reproducible as images."""
    assert [caption(seed) for seed in range(50)] == [caption(seed) for seed in range(50)]
    assert [dirty_caption(seed) for seed in range(50)] == [dirty_caption(seed) for seed in range(50)]


@pytest.mark.parametrize(
    "trace",
    [
        b"\xef\xbb\xbf",
        b"\r\n",
        b"  ",
        b" \t",
        "\u201c".encode(),
        "\u2019".encode(),
        b"\x92",
        "\u200b".encode(),
        "\u00a0".encode(),
        "\u0301".encode(),
        b'Caption: "',
        b"The image shows ",
        b" ,",
        b",,",
        b"..",
    ],
)
def test_every_kind_of_dirt_occurs_in_a_library_of_271(trace: bytes) -> None:
    """Each is in some dirty caption and in no clean one."""
    assert any(trace in dirty_caption(seed) for seed in range(271))
    assert not any(trace in caption(seed).encode() for seed in range(271))


def test_a_repeated_tag_is_among_the_dirt() -> None:
    """Tags are sometimes written twice."""
    tagged = [dirty_caption(seed).decode("latin-1").split(", ") for seed in range(271) if profile(seed) == "tags"]
    assert any(len(set(tags)) < len(tags) for tags in tagged)
