"""Draws wobbly strokes, flat washes and hatching onto layers of ink and wash.

Does not depend on what is drawn, which colour a wash gets, or how the layers are joined.
"""

import cmath
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random

from PIL import Image, ImageDraw

LEVEL = (1.0, 0.0, False)
"""The default pose of a drawing's box on the sheet: scale, rotation in radians, and whether it is mirrored."""


class Pen:
    """Draws wobbly strokes and flat washes onto three layers. A point is a complex number in box coordinates.

    `ink` holds strokes at twice the resolution. `hue` is the wash that a pixel may have, `density` the probability that
    it has it.
    """

    def __init__(self, random: Random, size: tuple[int, int]) -> None:
        self.random, self.size = random, size
        self.ink = Image.new("L", (size[0] * 2, size[1] * 2))
        self.hue, self.density = Image.new("L", size, 64), Image.new("L", size)
        self.on_ink, self.on_hue = ImageDraw.Draw(self.ink), ImageDraw.Draw(self.hue)
        self.on_density = ImageDraw.Draw(self.density)
        self.unit = min(size) * 2 / 114
        across, down = size[0] / self.unit, size[1] / self.unit
        self.left, self.right, self.top, self.bottom = 50 - across, 50 + across, 52 - down, 52 + down
        self.slant = cmath.rect(1, random.uniform(0.5, 1.1))
        self.pose = LEVEL

    def place(self, points: Iterable[complex]) -> list[complex]:
        """Convert box coordinates to coordinates of the ink layer."""
        grow, turn, mirrored = self.pose
        foot, turned = complex(self.size[0], self.size[1] + 36 * self.unit), cmath.rect(grow * self.unit, turn)
        around = (point - (50 + 88j) for point in points)
        return [foot + turned * (-point.conjugate() if mirrored else point) for point in around]

    def stroke(self, points: Sequence[complex], *, weight: float = 1, tone: int = 215, twice: bool = True) -> None:
        """Draw a line as if by hand: slightly shaky, thin at both ends, and a second time unless `twice` is false."""
        placed, gauss, unit = self.place(points), self.random.gauss, self.unit
        tail = max(1, len(placed) // 6)
        for again in range(1 + twice):
            shake, shift = unit * 0.1 * (1 + again), unit * 0.25 * again
            dx, dy = gauss(0, shift), gauss(0, shift)
            path = [(point.real + dx + gauss(0, shake), point.imag + dy + gauss(0, shake)) for point in placed]
            shade = max(40, min(255, int(tone * (1 - 0.35 * again) + gauss(0, 12))))
            width = weight * unit * 0.32 * (1 - 0.4 * again)
            self.on_ink.line(path, fill=shade, width=max(1, round(width * 0.55)))
            self.on_ink.line(path[tail:-tail] or path, fill=shade, width=max(1, round(width)))

    def edges(self, points: Sequence[complex]) -> None:
        """Draw straight edges, each as a separate stroke that runs a little past the corner."""
        for start, end in pairwise(points):
            over = self.random.uniform(0, 0.04)
            self.stroke([start + (end - start) * ((1 + 2 * over) * i / 8 - over) for i in range(9)])

    def wash(self, points: Sequence[complex], number: int, density: int) -> None:
        """Fill a polygon with one of the three washes, or with bare paper for 0. The ink stays as it is."""
        placed = _pairs(point / 2 for point in self.place(points))
        self.on_hue.polygon(placed, fill=64 * number)
        self.on_density.polygon(placed, fill=density if number else 0)

    def area(self, points: Sequence[complex], code: str) -> None:
        """Erase the ink below the polygon, fill it with the wash of the code, and hatch it if the code has an `h`."""
        self.blot(points, 0)
        self.wash(points, int(code[0]), 96 if "l" in code else 228)
        if "h" in code:
            self.hatch(points)

    def blot(self, points: Sequence[complex], tone: int) -> None:
        """Fill a polygon with ink of this tone, 0 to 255; 0 erases."""
        self.on_ink.polygon(_pairs(self.place(points)), fill=tone)

    def hatch(self, points: Sequence[complex]) -> None:
        """Draw parallel strokes inside a polygon, on its far side only."""
        uniform, turned = self.random.uniform, [point / self.slant for point in self.place(points)]
        sides = [*pairwise(turned), (turned[-1], turned[0])]
        level, last = min(point.imag for point in turned), max(point.imag for point in turned)
        while (level := level + self.unit * uniform(0.8, 1.35)) < last:
            crossed = [(a, b) for a, b in sides if (a.imag <= level) != (b.imag <= level)]
            hits = sorted(a.real + (level - a.imag) * (b - a).real / (b - a).imag for a, b in crossed)
            for start, end in zip(hits[::2], hits[1::2], strict=False):
                begin, stop = start + (end - start) * uniform(0.42, 0.66), end - uniform(0, 0.8) * self.unit
                path = _pairs((complex(begin, level) * self.slant, complex(stop, level) * self.slant))
                self.on_ink.line(path, fill=int(uniform(90, 150)), width=max(1, round(self.unit * 0.18)))


def _pairs(points: Iterable[complex]) -> list[tuple[float, float]]:
    return [(point.real, point.imag) for point in points]
