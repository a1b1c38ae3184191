"""Carries out the commands of a drawing with a pen: outlines, grounds and composite shapes.

Does not depend on subjects or colours: a wash is a number here.
"""

import cmath
import math
from collections.abc import Callable, Sequence
from random import Random

from hashmark.demo.sketches.outlines import closed_curve, open_curve, oval, points_of, puff, shaken
from hashmark.demo.sketches.pen import LEVEL, Pen
from hashmark.demo.sketches.sky import figure, star


def _chart(pen: Pen, _: str) -> None:
    """Draw the disc of a star chart, with a scale around it and small stars in it."""
    for radius, code in ((50, "3"), (47, "1"), (32, ""), (16, "")):
        if code:
            pen.area(oval(50, 50, radius, radius), code)
        pen.stroke(oval(50, 50, radius, radius))
    for i in range(24):
        pen.stroke([50 + 50j + cmath.rect(r, math.tau * i / 24) for r in (47, 48.5, 50)], twice=False)
    for x, y in ((33, 24), (74, 18), (60, 84), (18, 62), (80, 74), (58, 22), (30, 78)):
        star(pen, "", x, y, pen.random.uniform(1.1, 2))


def _ground(pen: Pen, code: str, line: Sequence[complex]) -> None:
    deep = pen.bottom + 9
    pen.area([*line, complex(line[-1].real, deep), complex(line[0].real, deep)], code)


def _ridge(pen: Pen, code: str, foot: float, height: float) -> None:
    """Draw mountains from edge to edge, each hatched below its summit."""
    uniform, x, line = pen.random.uniform, pen.left - 12, [complex(pen.left - 14, foot - height * 0.2)]
    while x < pen.right + 6:
        up, down, rise = uniform(9, 22), uniform(8, 20), height * uniform(0.45, 1)
        line += [complex(x + up * 0.55, foot - rise * uniform(0.5, 0.62)), complex(x + up, foot - rise)]
        line.append(complex(x + up + down * 0.4, foot - rise * uniform(0.55, 0.7)))
        line.append(complex(x + up + down, foot - rise * uniform(0.1, 0.4)))
        x += up + down
    _ground(pen, code, line)
    for before, peak, after, valley in zip(line[1::4], line[2::4], line[3::4], line[4::4], strict=True):
        pen.hatch([peak, after, valley, complex(peak.real + (before - peak).real * 0.1, valley.imag)])
    pen.edges(line)


def _hill(pen: Pen, code: str, level: float) -> None:
    """Draw rolling ground with tufts of grass."""
    uniform, phase = pen.random.uniform, pen.random.uniform(0, 6)
    xs = [pen.left - 8 + (pen.right - pen.left + 16) * i / 24 for i in range(25)]
    line = [complex(x, level + 1.6 * math.sin(x / 17 + phase)) for x in xs]
    _ground(pen, code, line)
    pen.stroke(line)
    for _ in range(26):
        tuft = complex(uniform(pen.left, pen.right), uniform(level + 3, pen.bottom + 2))
        for lean in (-0.8, 0.1, 0.9):
            blade = [tuft + lean * 0.5, tuft + complex(lean, -uniform(1, 2.4))]
            pen.stroke(blade, weight=0.6, tone=150, twice=False)


def _sea(pen: Pen, code: str, level: float) -> None:
    """Draw water from edge to edge, with short waves."""
    uniform, y = pen.random.uniform, level
    line = [complex(pen.left - 9 + (pen.right - pen.left + 18) * i / 12, level) for i in range(13)]
    _ground(pen, code, line)
    pen.stroke(line, weight=0.7, tone=170)
    while (y := y + uniform(1.4, 2.6)) < pen.bottom:
        for _ in range(4):
            x, length, phase = uniform(pen.left - 6, pen.right), uniform(5, 18), uniform(0, 6)
            crest = [complex(x + length * i / 8, y + 0.45 * math.sin(phase + i * 0.9)) for i in range(9)]
            pen.stroke(crest, weight=0.6, tone=int(uniform(90, 190)), twice=False)


_GROUNDS = ("hill", "sea", "ridge")
_THINGS: dict[str, Callable[..., None]] = {
    "hill": _hill,
    "sea": _sea,
    "ridge": _ridge,
    "star": star,
    "figure": figure,
    "chart": _chart,
    "glow": lambda pen, code, *numbers: pen.wash(points_of(numbers), int(code), 110),
    "dot": lambda pen, _, x, y, radius: pen.blot(oval(x, y, radius, radius), 230),
}
_OUTLINES: dict[str, Callable[[Sequence[float], Random], list[complex]]] = {
    "blob": lambda numbers, random: closed_curve(shaken(numbers, random)),
    "poly": lambda numbers, random: (points := shaken(numbers, random)) + points[:1],
    "oval": lambda numbers, _: oval(*numbers),
    "puff": puff,
    "line": lambda numbers, _: points_of(numbers),
    "curve": lambda numbers, _: open_curve(points_of(numbers)),
    "arc": lambda numbers, _: oval(*numbers),
}


def follow(pen: Pen, drawing: str) -> None:
    """Carry out the commands of a drawing."""
    grow, turn, mirrored = pose = pen.pose
    for command in drawing.split(";"):
        word, code, *rest = command.split()
        numbers = [float(number) for number in rest]
        pen.pose = LEVEL if word in _GROUNDS else pose
        _carry_out(pen, word.lstrip("="), code, numbers)
        if word.startswith("="):
            pen.pose = (grow, turn, not mirrored)
            _carry_out(pen, word.lstrip("="), code, numbers)


def _carry_out(pen: Pen, word: str, code: str, numbers: list[float]) -> None:
    if word in _THINGS:
        _THINGS[word](pen, code, *numbers)
        return
    points = _OUTLINES[word](numbers, pen.random)
    if word in {"blob", "poly", "oval", "puff"}:
        pen.area(points, code)
    (pen.edges if word in {"poly", "line"} else pen.stroke)(points)
