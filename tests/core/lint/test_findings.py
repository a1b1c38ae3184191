"""Row by row: one odd thing in a folder, and which trainers are told to mind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hashmark.core.lint.checks import CHECKS
from hashmark.core.lint.claim import Severity
from hashmark.core.lint.claims import CLAIMS
from hashmark.core.lint.facts import UNMARKED, CaptionFacts, File, Folder, ImageFacts, PairFacts, Trainer
from hashmark.core.lint.findings import Finding, lint
from hashmark.core.lint.sources import SOURCES
from hashmark.core.model import Problem
from support.lint_folders import WELL, folder, found, with_caption, with_image, without_caption, zero_byte

K, M, D = Trainer.KOHYA, Trainer.MUSUBI, Trainer.DIFFUSION_PIPE
A, S, O = Trainer.AI_TOOLKIT, Trainer.SIMPLETUNER, Trainer.ONETRAINER  # noqa: E741
ALL = {K, M, D, A, S, O}
ANY = {None}


def of(given: Folder, code: str, trainer: Trainer | None) -> Finding:
    report = lint(given)
    (finding,) = (f for f in (*report.findings, *report.notes) if f.code == code and f.trainer is trainer)
    return finding


def paired(image: str, caption: str, *others: str) -> Folder:
    return folder(image, pairs=(PairFacts(File(image, 9, f"i-{image}"), File(caption, 9, f"c-{image}"), others),))


ROWS: list[tuple[str, Folder, set[Any]]] = [
    ("missing-caption", without_caption("a.png"), ALL),
    ("borrowed-caption", replace(without_caption("a_1_2_3_4.png"), orphans=("a.txt",)), {K}),
    ("zero-byte-caption", zero_byte(), ALL),
    ("blank-caption", with_caption(lines=0), ALL),
    ("blank-first-line", with_caption(starts_blank=True), {K}),
    ("several-lines", with_caption(lines=2), {K, S, O}),
    ("byte-order-mark", with_caption(encoding="utf-8-sig"), ALL),
    ("not-utf-8", with_caption(encoding="cp1252"), ALL),
    ("not-utf-8", with_caption(encoding="utf-16"), ALL),
    ("unmarked-utf-16", with_caption(encoding=UNMARKED), ANY),
    ("caption-not-read", paired("a.png", "a.caption"), {D, S, O}),
    ("caption-name", folder(odd={"a.png": "double-suffix"}), ANY),
    ("caption-name", folder(odd={"a.png": "inexact-match"}), ANY),
    ("several-captions", paired("a.png", "a.txt", "a.caption"), ANY),
    ("orphan-caption", folder(orphans=("z.txt",)), ANY),
    ("caption-is-folder", replace(without_caption("a.png"), decoys={"a.png": "a.txt"}), {None, M, D, A, S, O}),
    ("huge-caption", folder(huge={"a.txt": 50 << 20}), ANY),
    ("long-caption", with_caption(tokens=76), ANY),
    ("suspect-caption", with_caption(suspect="I can't"), ANY),
    ("aggregate-captions", folder(extras=("captions.json",)), {D}),
    ("aggregate-captions", folder(extras=("metadata.jsonl",)), ANY),
    ("image-not-read", with_image("a.gif", format="GIF"), {K, M, A, O}),
    ("image-not-read", with_image("a.tiff", format="TIFF"), {K, M, A}),
    ("image-not-read", with_image("a.bmp", format="BMP"), {A}),
    ("image-not-read", with_image("a.avif", format="AVIF"), {K, A, O}),
    ("suffix-case", with_image("a.Png"), {K, M}),
    ("subfolder", with_image("sub/a.png"), {K, M, D, O}),
    ("shared-stem", folder("a.jpg", "a.png", images={}), {None, K, M}),
    ("unreadable-image", with_image(trouble="It is cut short."), ANY),
    ("wrong-suffix", with_image(format="JPEG"), ANY),
    ("exif-rotation", with_image(orientation=6), {K, M, D}),
    ("animated", with_image("a.gif", format="GIF", frames=2), ANY),
    ("animated", with_image("a.webp", format="WEBP", frames=2), {None, D}),
    ("alpha", with_image(alpha=True), ANY),
    ("tiny", with_image(height=255), ANY),
    ("extreme-aspect", with_image(width=4097, height=1024), ANY),
    ("duplicate", folder(pairs=tuple(PairFacts(File(key, 9, "same"), None) for key in ("a.png", "b.png"))), ANY),
    ("near-duplicate", folder(images={f"i-{k}.png": replace(WELL, hash=h) for k, h in (("a", 255), ("b", 254))}), ANY),
]


@pytest.mark.parametrize(("code", "given", "trainers"), ROWS, ids=[f"{row[0]}-{n}" for n, row in enumerate(ROWS)])
def test_each_odd_thing_is_found_for_the_trainers_that_mind_it(code: str, given: Folder, trainers: set[Any]) -> None:
    assert found(given).get(code) == trainers


def test_every_finding_has_a_row_here() -> None:
    notes = {"repeats", "no-repeats", "caption-extension"}
    assert {code for code, _, _ in ROWS} | notes == CLAIMS.keys() == CHECKS.keys()


@pytest.mark.parametrize(
    "given",
    [
        folder(),
        folder("a.PNG", "b.JPG", images={}),
        with_caption(tokens=75),
        with_image(width=256, height=256),
        with_image(width=4096, height=1024),
        with_image(orientation=1),
        with_image("a.jxl", format="", trouble="This is not a PNG … image."),
        replace(folder("a.png", "b.png"), images={"i-a.png": replace(WELL, hash=7), "i-b.png": replace(WELL, hash=0)}),
    ],
)
def test_what_is_well_is_left_alone(given: Folder) -> None:
    assert not {code for code in found(given) if code != "image-not-read"}


def test_only_the_trainers_asked_for_are_told_of_and_what_holds_for_all() -> None:
    given = replace(without_caption("a.png"), orphans=("z.txt",))
    assert found(given, Trainer.MUSUBI) == {"missing-caption": {M}, "orphan-caption": {None}}


def test_every_claim_names_a_source_and_every_source_is_named() -> None:
    assert {claim.source for claims in CLAIMS.values() for claim in claims.values()} == SOURCES.keys()


def test_every_claim_says_what_why_and_what_to_do() -> None:
    for claims in CLAIMS.values():
        for claim in claims.values():
            assert claim.what
            assert claim.why.endswith(".")
            assert claim.do.endswith(".") or claim.severity is Severity.NOTE


def test_repeats_are_a_note_with_the_samples_of_an_epoch() -> None:
    given = folder(*(f"{n:03d}.png" for n in range(271)))
    assert "271 images x 82 = 22,222 samples" in (of(given, "repeats", K).details["82_stellar_sketch"] or "")
    assert of(given, "repeats", S).details["82_stellar_sketch"] == "repeats: 81"
    assert not lint(given).findings


def test_repeats_count_what_kohya_sees() -> None:
    given = folder("a.png", "b.gif", "c.Png", "sub/d.png")
    assert "1 images x 82 = 82 " in (of(given, "repeats", K).details["82_stellar_sketch"] or "")


def test_a_folder_without_a_number_is_a_note() -> None:
    assert of(folder(name="sketches"), "no-repeats", K).keys == ("sketches",)
    assert not lint(folder(name="sketches")).findings


def test_images_of_one_stem_and_different_sizes_have_caches_of_their_own() -> None:
    given = folder("a.jpg", "a.png")
    sizes = {"i-a.jpg": ImageFacts("JPEG", 512, 512), "i-a.png": ImageFacts("PNG", 1024, 1024)}
    assert found(replace(given, images=sizes))["shared-stem"] == {None}


def test_a_blank_first_line_is_not_also_called_several_lines_to_kohya() -> None:
    assert K not in found(with_caption(lines=2, starts_blank=True))["several-lines"]


def test_a_caption_shared_by_two_images_is_named_once() -> None:
    caption = File("a.txt", 9, "c")
    pairs = tuple(PairFacts(File(key, 9, key), caption) for key in ("a.jpg", "a.png"))
    given = Folder("82_x", pairs, captions={"c": CaptionFacts(lines=3)})
    assert of(given, "several-lines", K).keys == ("a.txt",)


def test_what_was_not_looked_into_is_not_judged() -> None:
    assert not found(folder(captions={}, images={}))


def test_keys_are_in_key_order_and_json_can_hold_any_of_them() -> None:
    given = folder(orphans=("b.txt", "a\udcff.txt"))
    told = of(given, "orphan-caption", None).to_json()
    assert told["keys"] == ["a\\xff.txt", "b.txt"]
    assert told["count"] == 2


def test_problems_make_a_report_incomplete() -> None:
    report = lint(folder(), problems=[Problem("a.txt", "unreadable", "can't be read")])
    assert report.to_json()["complete"] is False
    assert report.to_json()["problems"][0]["key"] == "a.txt"
