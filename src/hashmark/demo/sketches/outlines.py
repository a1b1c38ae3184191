"""Computes outlines as lists of points: smooth curves, ellipses and clouds. A point is a complex number.

Pure geometry: knows no pen, wash or Pillow.
"""

import cmath
import math
from collections.abc import Sequence
from random import Random


def points_of(numbers: Sequence[float]) -> list[complex]:
    """Return the points of a flat list of coordinates: x, y, x, y and so on."""
    return [complex(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def shaken(numbers: Sequence[float], random: Random) -> list[complex]:
    """Return the points with small random offsets, as if placed by hand."""
    return points_of([number + random.gauss(0, 0.35) for number in numbers])


_SPLINE = [
    ((2 * t * t - t**3 - t) / 2, (2 - 5 * t * t + 3 * t**3) / 2, (t + 4 * t * t - 3 * t**3) / 2, (t**3 - t * t) / 2)
    for t in (0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
]


def _smooth(points: Sequence[complex]) -> list[complex]:
    """Return a Catmull-Rom curve from the second point to the second last."""
    fours = zip(points, points[1:], points[2:], points[3:], strict=False)
    curve = [a * ka + b * kb + c * kc + d * kd for a, b, c, d in fours for ka, kb, kc, kd in _SPLINE]
    return [*curve, points[-2]]


def closed_curve(points: Sequence[complex]) -> list[complex]:
    """Return a smooth curve through the points and back to the first."""
    return _smooth([points[-1], *points, *points[:2]])


def open_curve(points: Sequence[complex]) -> list[complex]:
    """Return a smooth curve from the first point to the last."""
    return _smooth([points[0], *points, points[-1]])


def oval(x: float, y: float, *rest: float) -> list[complex]:
    """Return an ellipse or an arc of it. `rest` is two radii, then optionally the tilt, start angle and end angle."""
    whole = [0.0, 0.0, math.tau]
    across, down, tilt, start, end = [*rest, *whole[len(rest) - 2 :]]
    angles = [start + (end - start) * i / 36 for i in range(37)]
    return [complex(x, y) + cmath.rect(1, tilt) * complex(across * math.cos(a), down * math.sin(a)) for a in angles]


def puff(numbers: Sequence[float], random: Random) -> list[complex]:
    """Return the bumpy outline of a cloud around a centre: x, y, radius."""
    (x, y, radius), bumps = numbers, random.randint(7, 9)
    angles = [math.tau * i / 60 for i in range(61)]
    reach = [radius * (0.86 + 0.16 * abs(math.sin(bumps * a / 2))) for a in angles]
    return [complex(x + r * math.cos(a), y + 0.8 * r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]
