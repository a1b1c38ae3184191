"""A folder with one case of everything: each is reported for the trainers it concerns. And hostile files."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashmark.actions import lint as action
from hashmark.actions.lint import lint
from hashmark.cli.exits import Exit, for_error
from hashmark.core.errors import ImageRefused, Interrupted, NoDecoder
from hashmark.core.lint.facts import ImageFacts, Trainer
from hashmark.core.lint.findings import LintReport
from hashmark.images import decode
from hashmark.images.renderer import Renderer
from hashmark.library.digest_cache import CAPTIONS
from hashmark.library.library import Library
from hashmark.library.settings import create
from support.lint_cases import clean, picture, seeded
from support.sample_images import encoded

K, M, D = Trainer.KOHYA, Trainer.MUSUBI, Trainer.DIFFUSION_PIPE
A, S, O = Trainer.AI_TOOLKIT, Trainer.SIMPLETUNER, Trainer.ONETRAINER  # noqa: E741
ALL = (K, M, D, A, S, O)

_UNFOUND = {"uncaptioned.png", "captioned.png", "Upper.png"}
_NAMES = {"captioned.png", "Upper.png"}
WANTED: list[tuple[str, tuple[Trainer | None, ...], set[str]]] = [
    ("missing-caption", (K,), {*_UNFOUND, "folder.png"}),
    ("missing-caption", (M, D, A, S, O), {*_UNFOUND, "alone_1_2_3_4.png"}),
    ("borrowed-caption", (K,), {"alone_1_2_3_4.png"}),
    ("zero-byte-caption", ALL, {"zero.txt"}),
    ("blank-caption", ALL, {"blank.txt"}),
    ("blank-first-line", (K,), {"blank_first.txt"}),
    ("several-lines", (K, S, O), {"lines.txt"}),
    ("byte-order-mark", ALL, {"bom.txt"}),
    ("not-utf-8", ALL, {"cp1252.txt", "utf16.txt"}),
    ("caption-not-read", (D, S, O), {"other.caption"}),
    ("caption-name", (None,), _NAMES),
    ("several-captions", (None,), {"two.png"}),
    ("orphan-caption", (None,), {"orphan.txt"}),
    ("unmarked-utf-16", (None,), {"unmarked.txt"}),
    ("caption-is-folder", (None, M, D, A, S, O), {"folder.png"}),
    ("huge-caption", (None,), {"huge.txt"}),
    ("long-caption", (None,), {"long.txt"}),
    ("suspect-caption", (None,), {"refusal.txt"}),
    ("aggregate-captions", (None,), {"metadata.jsonl"}),
    ("aggregate-captions", (D,), {"captions.json"}),
    ("image-not-read", (K, M), {"old.gif", "scan.tiff"}),
    ("image-not-read", (A,), {"old.gif", "scan.tiff", "bitmap.bmp"}),
    ("image-not-read", (O,), {"old.gif"}),
    ("suffix-case", (K, M), {"mixed.Png"}),
    ("subfolder", (K, M, D, O), {"sub/deep.png"}),
    ("shared-stem", (None, K, M), {"stem.png", "stem.jpg"}),
    ("unreadable-image", (None,), {"truncated.png", "broken.jpg"}),
    ("wrong-suffix", (None,), {"disguised.png"}),
    ("exif-rotation", (K, M, D), {"turned.jpg"}),
    ("animated", (None, D), {"moving.webp"}),
    ("alpha", (None,), {"alpha.png"}),
    ("tiny", (None,), {"tiny.png"}),
    ("extreme-aspect", (None,), {"strip.png"}),
    ("duplicate", (None,), {"twin_a.png", "twin_b.png"}),
    ("near-duplicate", (None,), {"near_a.png", "near_b.jpg"}),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("lint")
    create(root, {"url": "s3://nothing/is/asked"})
    seeded(root / "7_seeded")
    clean(root / "82_clean")
    with Library.open(root) as library:
        yield library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    create(tmp_path, {"url": "s3://nothing/is/asked"})
    with Library.open(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def everything(shelf: Library) -> LintReport:
    return lint(shelf.dataset("7"))


def keys(report: LintReport) -> dict[tuple[str, Trainer | None], set[str]]:
    return {(f.code, f.trainer): set(f.keys) for f in report.findings}


@pytest.mark.parametrize(("code", "trainers", "names"), WANTED, ids=[f"{row[0]}-{n}" for n, row in enumerate(WANTED)])
def test_each_seeded_case_is_found_by_name(
    everything: LintReport, code: str, trainers: tuple[Trainer | None, ...], names: set[str]
) -> None:
    found = keys(everything)
    assert {trainer: found.get((code, trainer)) for trainer in trainers} == dict.fromkeys(trainers, names)


def test_nothing_else_is_found(everything: LintReport) -> None:
    assert keys(everything).keys() == {(code, trainer) for code, trainers, _ in WANTED for trainer in trainers}
    assert everything.problems == ()


def test_a_clean_dataset_has_nothing_but_notes(shelf: Library) -> None:
    report = lint(shelf.dataset("82"))
    assert report.findings == ()
    assert report.problems == ()
    assert {note.code for note in report.notes} == {"repeats", "caption-extension"}
    assert not report.health.issues


def test_the_numbers_of_caption_health_are_those_of_the_findings(everything: LintReport) -> None:
    health = everything.health
    assert (health.zero_byte, health.blank, health.multi_line) == (1, 1, 1)
    assert (health.wrong_encoding, health.suspect, health.unread) == (4, 1, 1)
    assert health.missing == 3


def test_a_second_lint_decodes_nothing_and_says_the_same(
    shelf: Library, everything: LintReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(Renderer, "examine", refuse)
    assert lint(shelf.dataset("7")) == everything


def test_only_what_changed_is_decoded_again(library: Library) -> None:
    folder = clean(library.root / "82_x", 3)
    told: list[tuple[int, int]] = []
    lint(library.dataset("82"), on_image=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    (folder / "0000.png").write_bytes(encoded(picture(300)))
    told.clear()
    lint(library.dataset("82"), on_image=lambda done, of: told.append((done, of)))
    assert told == [(1, 1)]


def test_hostile_files_are_named_and_the_rest_is_done(library: Library) -> None:
    folder = clean(library.root / "82_x", 2)
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "gone.txt").symlink_to("nowhere")
    (folder / "0000.txt").unlink()
    (folder / "0000.txt").mkdir()
    with (folder / "0001.txt").open("wb") as huge:
        huge.truncate(50 << 20)
    (folder / "bytes.png").write_bytes(bytes(range(256)) * 99)
    (folder / "bytes.txt").write_bytes(bytes(range(256)))
    report = lint(library.dataset("82"))
    assert {problem.key for problem in report.problems} == {"gone.png", "gone.txt"}
    found = keys(report)
    assert found["caption-is-folder", None] == {"0000.png"}
    assert found["huge-caption", None] == {"0001.txt"}
    assert found["unreadable-image", None] == {"bytes.png"}
    assert found["not-utf-8", K] == {"bytes.txt"}
    assert ("zero-byte-caption", K) not in found


def test_a_stopped_lint_keeps_what_it_saw(library: Library) -> None:
    clean(library.root / "82_x", 3)
    stop = threading.Event()
    with pytest.raises(Interrupted):
        lint(library.dataset("82"), on_image=lambda _done, _of: stop.set(), cancel=stop)
    told: list[int] = []
    lint(library.dataset("82"), on_image=lambda _done, of: told.append(of))
    assert told == [2, 2]


def test_a_limit_that_was_met_is_told_and_tried_again_next_time(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(library.root / "82_x", 1)
    with monkeypatch.context() as patched:
        patched.setattr(action, "_settled", _met_a_limit)
        assert keys(lint(library.dataset("82"))) == {("unreadable-image", None): {"0000.png"}}
    assert lint(library.dataset("82")).findings == ()


def test_where_no_image_can_be_decoded_none_is_called_unreadable(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(library.root / "82_x", 2)
    with monkeypatch.context() as patched:
        patched.setattr(decode, "prepare", functools.partial(os._exit, 3))
        with pytest.raises(NoDecoder, match="keep ending") as caught:
            lint(library.dataset("82"))
    assert for_error(caught.value) is Exit.PARTLY
    assert lint(library.dataset("82")).findings == ()


def _met_a_limit(md5: str, facts: object) -> tuple[str, object, bool]:
    return md5, ImageFacts(format="PNG", trouble=ImageRefused("It took longer than 15 s.").message), False


def test_a_dataset_that_is_not_on_disk_has_nothing_to_find(library: Library) -> None:
    (library.root / "82_x").mkdir()
    assert lint(library.dataset("82")).findings == ()


def test_facts_that_can_not_be_understood_are_taken_anew(library: Library) -> None:
    clean(library.root / "82_x", 2)
    dataset = library.dataset("82")
    before = lint(dataset)
    for kind in (action.IMAGES, CAPTIONS):
        library.state.remember_contents(kind, [(md5, "", "[]") for md5 in library.state.contents(kind)])
    assert lint(dataset) == before
