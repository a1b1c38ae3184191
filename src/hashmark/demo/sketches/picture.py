"""Makes the image of a seed: draws the sky and the subject, joins the layers on grained paper, and encodes the result.

Knows no files or captions. The same seed gives the same bytes on the same version of Pillow.
"""

import io
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageChops

from hashmark.demo.sketches.drawing_commands import follow
from hashmark.demo.sketches.pen import Pen
from hashmark.demo.sketches.scene import COLOURS, Rgb, Theme, random_for, scene_of
from hashmark.demo.sketches.sky import draw_sky


def image(seed: int, *, kind: Literal["PNG", "JPEG"] = "PNG", side: int = 1024) -> bytes:
    """Return the encoded image of a seed. Its area is about `side` squared pixels; some images are wide, some tall."""
    scene, random = scene_of(seed), random_for("image", seed)
    pen = Pen(random, (round(side * scene.shape[0] / 8) * 8, round(side * scene.shape[1] / 8) * 8))
    draw_sky(pen, scene)
    pen.pose = (random.uniform(0.9, 1.04), random.gauss(0, 0.025), scene.flipped)
    follow(pen, scene.subject.drawing)
    sheet, out = _develop(pen, scene.theme, COLOURS[scene.colour]), io.BytesIO()
    if kind == "PNG":
        sheet.save(out, "PNG", compress_level=1, compress_type=2)
    else:
        sheet.convert("RGB").save(out, "JPEG", quality=88)
    return out.getvalue()


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Return noise and the softer noise of paper. Cached by size, because each image only shifts them."""
    noise = Image.frombytes("L", size, random_for("paper", 0).randbytes(size[0] * size[1]))
    grain = ImageChops.add(noise, ImageChops.offset(noise, 1, 1), 2)
    return noise, ImageChops.add(grain, ImageChops.offset(grain, 1, 0), 2)


def _develop(pen: Pen, theme: Theme, colour: Rgb) -> Image.Image:
    """Join the layers on grained paper, as a palette image with 64 tones of paper and of each wash."""
    shift, (across, down) = pen.random.randrange, pen.size
    noise, grain = (ImageChops.offset(layer, shift(across), shift(down)) for layer in _grain(pen.size))
    blotches = Image.frombytes("L", (7, 7), pen.random.randbytes(49)).point([v // 9 for v in range(256)])
    mottle = blotches.resize(pen.size, Image.Resampling.BICUBIC)
    lines = ImageChops.multiply(pen.ink.reduce(2), grain.point([min(255, 110 + v) for v in range(256)]))
    paper = ImageChops.add(mottle, grain.point([166 + v // 4 for v in range(256)]))
    tone = ImageChops.subtract(paper, lines).point([v // 4 for v in range(256)])
    flecks = ImageChops.add(pen.density, noise, 1, -255).point([0] + [255] * 255)
    sheet = ImageChops.add(tone, ImageChops.multiply(pen.hue, flecks))
    sheet.putpalette(_palette(theme, colour))
    return sheet


def _palette(theme: Theme, colour: Rgb) -> list[int]:
    """Return 64 tones for paper and for each wash, from ink to a little lighter than the wash."""
    share = 0.78 if sum(theme.paper_rgb) > sum(theme.ink_rgb) else 0.62
    coat = [share * own + (1 - share) * under for own, under in zip(colour, theme.paper_rgb, strict=True)]
    tones = []
    for wash in (theme.paper_rgb, theme.sky_rgb, theme.light_rgb, coat):
        ends = list(zip(theme.ink_rgb, wash, strict=True))
        tones += [round(dark + (light - dark) * tone / 52) for tone in range(64) for dark, light in ends]
    return [max(0, min(255, tone)) for tone in tones]
