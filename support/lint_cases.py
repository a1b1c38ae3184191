"""A folder with one case of everything that `lint` reports, and a clean folder."""

from __future__ import annotations

import functools
import io
from pathlib import Path

from PIL import Image

from hashmark.demo import sketches
from support.sample_images import encoded

SIDE = 320


def picture(number: int) -> Image.Image:
    """Return one of 64 distinct pictures: eight drawings of the sample library in eight orientations."""
    turn = number // 8 % 8
    drawing = _drawing(number % 8)
    return drawing.transpose(Image.Transpose(turn - 1)) if turn else drawing.copy()


@functools.cache
def _drawing(seed: int) -> Image.Image:
    with Image.open(io.BytesIO(sketches.image(seed, side=SIDE))) as image:
        return image.convert("RGB")


def clean(folder: Path, count: int = 6) -> Path:
    """Write pairs of the sample library, each caption on one line."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        (folder / f"{seed:04d}.png").write_bytes(sketches.image(seed, side=SIDE))
        (folder / f"{seed:04d}.txt").write_text(sketches.caption(seed).replace("\n", " ") + "\n")
    return folder


CAPTIONS = {
    "zero": b"",
    "blank": b" \n\t\n",
    "blank_first": b"\na stellar sketch\n",
    "lines": b"a stellar sketch\nof a fox\n",
    "bom": b"\xef\xbb\xbfa stellar sketch",
    "cp1252": b"the girl\x92s caf\xe9",
    "utf16": "a stellar sketch".encode("utf-16"),
    "unmarked": "кот и собака".encode("utf-16-le"),
    "long": b"stars, " * 40,
    "refusal": b"I'm sorry, but I can't describe this picture.",
    "huge": b"a" * (2 << 20),
}
"""Captions by stem; each causes one finding."""


def seeded(folder: Path) -> Path:
    """Write one case of every finding; the names say which."""
    clean(folder, 3)
    for number, (stem, data) in enumerate(CAPTIONS.items(), 100):
        (folder / f"{stem}.png").write_bytes(encoded(picture(number)))
        (folder / f"{stem}.txt").write_bytes(data)
    images = {
        "uncaptioned.png": encoded(picture(200)),
        "alone_1_2_3_4.png": encoded(picture(201)),
        "folder.png": encoded(picture(202)),
        "captioned.png.txt": b"a stellar sketch",
        "captioned.png": encoded(picture(203)),
        "Upper.png": encoded(picture(204)),
        "upper.txt": b"a stellar sketch",
        "two.png": encoded(picture(205)),
        "two.txt": b"a stellar sketch",
        "two.caption": b"a stellar sketch",
        "other.png": encoded(picture(206)),
        "other.caption": b"a stellar sketch",
        "orphan.txt": b"a stellar sketch",
        "alone.png": encoded(picture(207)),
        "alone.txt": b"a stellar sketch",
        "old.gif": encoded(picture(208), "GIF"),
        "scan.tiff": encoded(picture(209), "TIFF"),
        "bitmap.bmp": encoded(picture(210), "BMP"),
        "mixed.Png": encoded(picture(211)),
        "sub/deep.png": encoded(picture(212)),
        "stem.png": encoded(picture(213)),
        "stem.jpg": encoded(picture(214).resize(picture(213).size), "JPEG"),
        "truncated.png": encoded(picture(215))[:-2000],
        "broken.jpg": b"not an image at all",
        "disguised.png": encoded(picture(216), "JPEG"),
        "turned.jpg": encoded(_drawing(9), "JPEG", exif=_turned()),  # not turned, it would duplicate another picture
        "moving.webp": encoded(
            picture(218), "WEBP", save_all=True, append_images=[picture(219).resize(picture(218).size)]
        ),
        "alpha.png": encoded(_holed(picture(220))),
        "opaque.png": encoded(picture(221).convert("RGBA")),
        "tiny.png": encoded(picture(222).resize((100, 300))),
        "strip.png": encoded(picture(223).resize((2000, 300))),
        "twin_a.png": encoded(picture(224)),
        "twin_b.png": encoded(picture(224)),
        "near_a.png": encoded(picture(225)),
        "near_b.jpg": encoded(picture(225).resize((500, 500 * picture(225).height // picture(225).width)), "JPEG"),
        "captions.json": b"{}",
        "metadata.jsonl": b"{}",
    }
    for name, data in images.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        own = path.with_suffix(".txt")
        if name not in UNCAPTIONED and path.suffix.lower() in IMAGES and not own.exists():
            own.write_text(f"a stellar sketch, {path.stem}")
    (folder / "folder.txt").mkdir()
    return folder


IMAGES = {".png", ".jpg", ".gif", ".tiff", ".bmp", ".webp"}
UNCAPTIONED = {"uncaptioned.png", "alone_1_2_3_4.png", "folder.png", "captioned.png", "Upper.png", "other.png"}


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _holed(image: Image.Image) -> Image.Image:
    holed = image.convert("RGBA")
    holed.paste((0, 0, 0, 0), (10, 10, 60, 60))
    return holed
