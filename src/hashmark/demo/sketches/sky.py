"""Draws the sky above a subject: stars, constellations, a comet, the moon, and the wash behind them.

Does not depend on the subject or on colours: a wash is a number here.
"""

from itertools import pairwise

from PIL import Image, ImageChops

from hashmark.demo.sketches.outlines import oval, points_of
from hashmark.demo.sketches.pen import Pen
from hashmark.demo.sketches.scene import Scene


def draw_sky(pen: Pen, scene: Scene) -> None:
    """Draw the wash, then the stars, then the moon, comet or constellation of the scene."""
    uniform, left, right, top = pen.random.uniform, pen.left, pen.right, pen.top
    if scene.washed:
        clouds = Image.frombytes("L", (6, 5), pen.random.randbytes(30)).point([80 + v * 2 // 3 for v in range(256)])
        fade = Image.linear_gradient("L").point([max(0, 215 - v) for v in range(256)])
        fade = fade.resize(pen.size, Image.Resampling.NEAREST)
        pen.density.paste(ImageChops.multiply(fade, clouds.resize(pen.size, Image.Resampling.BICUBIC)))
    for _ in range(90 if scene.crowded else 25):
        x, y, r = uniform(left, right), uniform(top, pen.bottom), uniform(0.12, 0.38)
        pen.blot(oval(x, y, r, r)[::6], pen.random.randint(110, 230))
    for _ in range(14 if scene.crowded else 5):
        star(pen, "", uniform(left + 4, right - 4), uniform(top + 4, top + 62), uniform(0.8, 3.6))
    near, far = (left + 15, right - 15) if scene.moon_side == "left" else (right - 15, left + 15)
    if scene.moon:
        _moon(pen, near, top + 15, scene.moon)
    if scene.extra == "comet":
        lean = -1 if near < far else 1
        for spread in (0.39, 0.55, 0.71):
            tail = [complex(far + lean * t, top + 22 - t * spread) for t in (1, 6, 12, 18, 24)]
            pen.stroke(tail, weight=0.7, tone=180)
        star(pen, "", far, top + 22, 4)
    if scene.extra == "constellation":
        points = [(far - 12 + 6 * i + uniform(-2, 2), top + uniform(7, 28)) for i in range(5)]
        figure(pen, "", *(part for point in points for part in point))


def _moon(pen: Pen, x: float, y: float, phase: str) -> None:
    outline = oval(x, y, 8, 8)
    if phase == "crescent":
        outline = [*oval(x, y, 8, 8, 0.5, 0.942, 5.341), *oval(x + 2.98, y + 1.63, 6.6, 6.6, 0.5, 4.911, 1.372)]
    pen.area(outline, "2h")
    pen.stroke([*outline, outline[0]])
    if phase == "full":
        for dx, dy, r in ((-2.6, -2, 1.5), (2.4, 1.4, 1.9), (-1.4, 3.6, 1)):
            pen.stroke(oval(x + dx, y + dy, r, r * 0.8), weight=0.6, tone=130, twice=False)


def star(pen: Pen, _: str, x: float, y: float, radius: float) -> None:
    """Draw a star: a glow with eight rays."""
    pen.wash(oval(x, y, radius * 0.45, radius * 0.45), 2, 200)
    for way in (1, 1.25j, 0.32 + 0.32j, 0.32 - 0.32j):
        ray = [complex(x, y) + way * radius * t for t in (-1, -0.6, -0.2, 0.2, 0.6, 1)]
        pen.stroke(ray, weight=0.5 + radius / 7, tone=230, twice=False)


def figure(pen: Pen, _: str, *numbers: float) -> None:
    """Draw a constellation: stars, and thin lines that stop short of them."""
    points = points_of(numbers)
    for a, b in pairwise(points):
        pen.stroke([a + (b - a) * t for t in (0.12, 0.3, 0.5, 0.7, 0.88)], weight=0.7, tone=170)
    for point in points:
        star(pen, "", point.real, point.imag, pen.random.uniform(3.4, 5.6))
