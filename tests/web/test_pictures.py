"""Pictures: always drawn anew, never a file as it is, from either side, within limits, kept only by their content."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from hashmark import push
from hashmark.library.library import Library
from hashmark.search.items import item_id
from hashmark.web.session import pictures
from support.datasets import STYLE
from support.sample_images import encoded, exif, near, png, quarters
from support.stores import BUCKET, Store
from support.web.serving import Served, serving, verdicts

SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
PAGE = b"<!doctype html><script>alert(document.domain)</script>"
HARMFUL = {
    "an svg.svg": SCRIPT,
    "an svg.png": SCRIPT,
    "a page.jpg": PAGE,
    "a page.html": PAGE,
    "behind a picture.gif": b"GIF89a" + PAGE,
    "cut off.png": png(64, 64)[:60],
    "too many pixels.png": png(100_000, 100_000),
    "empty.png": b"",
    "no picture.webp": b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 40,
}


@pytest.fixture(scope="module")
def served(seaweedfs: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Good pictures on both sides, one that differs, one only in the bucket; and harmful ones on disk."""
    from hashmark.library.settings import create  # noqa: PLC0415

    root = tmp_path_factory.mktemp("pictures")
    prefix = f"pictures{abs(hash(str(root))):x}"
    create(root, {"url": f"s3://{BUCKET}/{prefix}", "endpoint_url": seaweedfs.endpoint_url, "region": "us-east-1"})
    folder = root / STYLE
    folder.mkdir()
    (folder / "turned.jpg").write_bytes(encoded(quarters(), "JPEG", exif=exif(6), quality=95))
    (folder / "wide.png").write_bytes(encoded(quarters(3000, 20), "PNG"))
    (folder / "differs.png").write_bytes(encoded(Image.new("RGB", (40, 30), (200, 0, 0)), "PNG"))
    (folder / "gone.png").write_bytes(encoded(Image.new("RGB", (40, 30), (0, 0, 200)), "PNG"))
    with Library.open(root) as found:
        own = found.settings
        with Library(root, type(own)(seaweedfs.remote(prefix), False, own.pairing, own.prefixes)) as made:
            push(made.dataset("82"))
            made.bucket.put(f"{made.dataset('82').prefix}script.png", SCRIPT)
            (folder / "gone.png").unlink()
            (folder / "differs.png").write_bytes(encoded(Image.new("RGB", (40, 30), (0, 200, 0)), "PNG"))
            for name, data in HARMFUL.items():
                (folder / name).write_bytes(data)
            with serving(made) as running:
                running.compared("82")
                yield running


def picture(served: Served, key: str, **query: object) -> httpx.Response:
    return served.ask("GET", f"/api/datasets/82/items/{item_id(key)}/picture", params=query)


def decoded(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["x-content-type-options"] == "nosniff"
    image = Image.open(io.BytesIO(answer.content))
    assert image.format == "WEBP"
    return image.convert("RGB")


def test_a_picture_is_drawn_anew_upright_and_without_what_it_tells_of_its_maker(served: Served) -> None:
    answer = picture(served, "turned.jpg")
    assert decoded(answer).size == (80, 120)
    for trace in (b"SecretCamera", b"Exif", b"JFIF"):
        assert trace not in answer.content


@pytest.mark.parametrize(("side", "size"), [(320, (320, 2)), (2048, (2048, 14))])
def test_a_picture_has_one_of_two_sizes(served: Served, side: int, size: tuple[int, int]) -> None:
    assert decoded(picture(served, "wide.png", side=side)).size == size


@pytest.mark.parametrize("query", [{"side": 321}, {"side": -1}, {"side": "x"}, {"of": "nowhere"}, {"of": "../disk"}])
def test_no_other_size_or_side_can_be_asked_for(served: Served, query: dict[str, object]) -> None:
    answer = picture(served, "wide.png", **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "malformed")


@pytest.mark.parametrize(
    ("key", "of", "colour"),
    [
        ("differs.png", "disk", (0, 200, 0)),
        ("differs.png", "bucket", (200, 0, 0)),
        ("differs.png", "any", (0, 200, 0)),
        ("gone.png", "bucket", (0, 0, 200)),
        ("gone.png", "any", (0, 0, 200)),
    ],
)
def test_each_side_shows_its_own_bytes(served: Served, key: str, of: str, colour: tuple[int, int, int]) -> None:
    for _ in range(2):  # the second time from what was kept
        assert near(decoded(picture(served, key, of=of)).getpixel((20, 15)), colour)


def test_a_side_that_has_none_is_told_in_words(served: Served) -> None:
    answer = picture(served, "gone.png", of="disk")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "image-refused")


@pytest.mark.parametrize("key", [*HARMFUL, "script.png"])
@pytest.mark.parametrize("side", [320, 2048])
def test_what_is_no_picture_is_refused_in_words_and_never_sent(served: Served, key: str, side: int) -> None:
    answer = picture(served, key, side=side)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "image-refused"
    assert answer.json()["error"]["message"]
    assert b"alert" not in answer.content


def test_no_route_sends_a_file_of_the_dataset_as_it_is(served: Served) -> None:
    ids = served.get("/api/datasets/82/search")["ids"]
    assert len(ids) == len(HARMFUL) + 5
    addresses = [f"/d/82/items/{name}" for name in ids] + [f"/api/datasets/82/items/{name}" for name in ids]
    addresses += [f"/{STYLE}/an%20svg.svg", "/static/../82_stellar_sketch/a%20page.html", f"/d/82/{STYLE}/wide.png"]
    for address in addresses:
        answer = served.ask("GET", address, headers=served.headers | {"accept": "text/html"})
        assert "<script>alert" not in answer.text
        assert "svg+xml" not in answer.headers["content-type"]
        assert not answer.content.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8"))


def test_a_picture_is_kept_by_a_browser_only_under_the_name_of_its_bytes(served: Served) -> None:
    row = served.get(f"/api/datasets/82/items/{item_id('wide.png')}")
    named = picture(served, "wide.png", v=row["version"])
    assert named.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert row["version"] in named.headers["etag"]
    for version in ("", "0" * 32, row["version"][:-1]):
        assert picture(served, "wide.png", v=version).headers["cache-control"] == "no-store"


def test_a_picture_that_was_just_changed_is_not_kept_under_its_old_name(served: Served) -> None:
    path: Path = served.app.state.services.library.library.root / STYLE / "wide.png"
    before = path.read_bytes()
    old = served.get(f"/api/datasets/82/items/{item_id('wide.png')}")["version"]
    decoded(picture(served, "wide.png", v=old))
    try:
        path.write_bytes(encoded(Image.new("RGB", (30, 30), (9, 9, 9)), "PNG"))
        answer = picture(served, "wide.png", v=old)
        assert decoded(answer).size == (30, 30)
        assert answer.headers["cache-control"] == "no-store"
    finally:
        path.write_bytes(before)
        verdicts(served)


def test_an_object_that_is_too_large_is_not_fetched(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_OBJECT_BYTES", 10)
    library: Library = served.app.state.services.library.library
    key = f"{library.dataset('82').prefix}large.png"
    library.bucket.put(key, encoded(quarters(), "PNG"))
    try:
        verdicts(served)
        answer = picture(served, "large.png")
        assert (answer.status_code, "too large" in answer.json()["error"]["message"]) == (422, True)
    finally:
        library.bucket.delete(key)
        verdicts(served)


@pytest.fixture
def bare(library: Library, serve: Callable[..., Served]) -> Served:
    return serve(library)


def test_an_object_that_changed_since_it_was_listed_is_not_shown_as_the_old_one(bare: Served, library: Library) -> None:
    bare.compared("82")
    prefix = library.dataset("82").prefix
    library.bucket.put(f"{prefix}0000.png", encoded(quarters(), "PNG"))
    answer = picture(bare, "0000.png", of="bucket")
    assert answer.status_code == 409, answer.text
    assert answer.json()["error"]["hint"]
    library.bucket.delete(f"{prefix}0000.png")
    assert picture(bare, "0000.png", of="bucket").status_code in {404, 409, 502}
