"""The content of the sample library: drawings and their captions, made from a number and nothing else.

A seed decides a scene; `image` draws it and `caption` describes it, so the two agree. Refuses to
know files, folders, clocks and shared randomness: a seed goes in, bytes or text come out, the same
every time (for images: on the same Pillow).
"""

import cmath
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Literal

from PIL import Image, ImageChops, ImageDraw

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """What is drawn with on what: words for the caption, colours for the picture."""

    ink: str
    paper: str
    ink_rgb: Rgb
    paper_rgb: Rgb
    sky_rgb: Rgb
    light_rgb: Rgb


@dataclass(frozen=True, slots=True)
class Subject:
    """What is drawn: how tags and prose put it, and the commands that draw it."""

    tags: str
    phrases: tuple[str, ...]
    drawing: str

    @property
    def in_space(self) -> bool:
        """Tell whether a moon or a comet beside it would be wrong."""
        return "space" in self.tags


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture and its caption must agree on."""

    subject: Subject
    theme: Theme
    colour: str
    shape: tuple[float, float]
    moon: str
    moon_side: str
    extra: str
    crowded: bool
    washed: bool
    flipped: bool


THEMES = (
    Theme("graphite", "cream paper", (44, 44, 52), (243, 234, 214), (120, 150, 190), (240, 190, 84)),
    Theme("indigo ink", "ivory paper", (28, 36, 92), (246, 240, 226), (132, 156, 214), (248, 202, 104)),
    Theme("dark brown ink", "kraft paper", (58, 36, 24), (208, 178, 138), (132, 146, 140), (252, 226, 164)),
    Theme("white chalk", "midnight blue paper", (240, 240, 232), (29, 38, 74), (62, 92, 158), (230, 184, 88)),
    Theme("silver pencil", "black paper", (222, 226, 232), (32, 32, 37), (60, 76, 124), (220, 172, 80)),
    Theme("charcoal", "pale grey paper", (34, 32, 34), (224, 224, 220), (142, 164, 178), (240, 200, 116)),
    Theme("burgundy ink", "rose paper", (92, 24, 44), (243, 221, 211), (180, 156, 198), (250, 200, 122)),
    Theme("dark green ink", "sage paper", (24, 56, 48), (212, 221, 200), (126, 170, 174), (246, 224, 130)),
    Theme("cream pencil", "plum paper", (246, 232, 208), (58, 36, 66), (98, 70, 130), (238, 176, 98)),
    Theme("sepia ink", "cream paper", (84, 50, 28), (240, 230, 208), (150, 182, 184), (240, 186, 88)),
)

COLOURS: dict[str, Rgb] = {
    "terracotta": (200, 104, 72),
    "ochre": (206, 150, 62),
    "moss green": (122, 150, 82),
    "teal": (62, 142, 142),
    "slate blue": (94, 124, 172),
    "mauve": (156, 112, 168),
    "rose": (212, 112, 122),
    "grey": (146, 144, 146),
}

_DRAWN = r"""
cat, animal focus, sitting, whiskers, looking at viewer, no humans
a cat sitting on a hill | a patient cat on a hilltop | a cat with wide eyes that faces the viewer
hill 3l 89; blob 3h 50 40 62 46 70 62 75 80 69 91 50 93 31 91 25 80 30 62 38 46;
blob 3h 68 91 82 91 93 82 93 69 86 60 80 63 87 72 85 80 78 84 69 84;
blob 3h 50 20 58 19 65 8 68 23 69 33 63 42 50 46 37 42 31 33 32 23 35 8 42 19; =curve 0 63 13 62 19 66 22;
=blob 2 53 31 57 28 61 31 57 34; =dot 0 57 31 1.3; blob 0 48 36 52 36 50 38.5; =curve 0 50 38 51 41 55 41;
=line 0 57 38 74 34; =line 0 57 40 75 41; =curve 0 56 66 55 80 57 92 50 92; =curve 0 64 70 70 78 66 90

owl, bird, animal focus, perched, branch, feathers, no humans
an owl on a bare branch | a round owl perched on a branch | an owl that keeps watch from its branch
line 0 -30 92 20 84 60 86 130 78; line 0 -30 96 20 88 60 90 130 82; curve 0 84 82 96 70 104 68;
blob 3h 50 14 64 18 72 36 74 58 66 78 50 88 34 78 26 58 28 36 36 18; blob 0 50 44 60 52 62 66 50 80 38 66 40 52;
=blob 3h 68 36 78 52 76 70 66 82 64 60; =poly 3 54 18 66 8 67 24; =oval 0 59 32 9.5 9.5; =oval 2 59 32 6 6;
=dot 0 58.5 32 2.8; poly 2 47.5 36 52.5 36 50 43; =curve 0 50 54 53 57 56 54; =curve 0 50 61 53 64 57 61;
=curve 0 50 68 53 71 56 68; =curve 0 54 84 54 90 57 92; =curve 0 57 83 58 89 61 90

house, cottage, chimney, smoke, window, door, scenery, no humans
a cottage with lit windows | a small house on a hill | a lonely cottage with smoke above its chimney
ridge 1l 70 18; hill 3l 86; poly 0h 55 58 83 57 83 87 55 90; poly 0 22 59 38 39 55 58 55 90 22 90;
poly 3 64 28 70 28 70 44 64 44; poly 3h 38 39 69 38 87 58 56 60; line 0 38 38 19 61;
poly 3 33 70 43 70 43 90 33 90; dot 0 41 81 .7; poly 2 61 66 67 66 67 76 61 76; poly 2 73 66 78 66 78 75 73 75;
line 0 64 66 64 76; line 0 61 71 67 71; oval 2 38.5 52 3 3.4; curve 0 67 26 64 20 70 15 66 9 72 3;
curve 0 69 26 67 20 73 15 70 10; curve 0 34 90 30 95 22 99; curve 0 43 90 42 95 36 100

ship, sailing ship, watercraft, sail, ocean, flag, no humans
a sailing ship on calm water | a two-masted ship under full sail | a small ship far out at sea
line 0 49 8 49 72; line 0 28 22 28 71; line 0 78 70 99 57; blob 0h 50 12 63 20 70 34 68 49 60 51 50 50 54 30;
blob 0h 50 54 60 54 70 54 72 60 70 67 60 67 50 66; blob 0h 29 25 40 32 45 46 43 64 36 65 29 64 32 44;
blob 0h 73 64 84 62 97 58 86 46 64 18 73 40; poly 2 49 8 38 5 49 1; poly 2 28 22 19 19 28 16;
blob 3h 9 64 30 73 60 73 88 68 81 82 72 93 28 93 17 84; curve 0 12 72 34 79 62 79 84 75; dot 0 32 83.5 1;
dot 0 44 84.5 1; dot 0 56 84.5 1; dot 0 68 83.5 1; sea 1l 88

lighthouse, light rays, ocean, rock, scenery, no humans
a lighthouse on a rock | a striped lighthouse above the sea | a lighthouse that sends out two beams of light
sea 1l 84; glow 2 57 24 160 17 160 62 57 29; glow 2 43 24 -60 17 -60 62 43 29;
blob 3h 6 101 16 89 34 82 50 80 68 82 84 89 96 101 50 106; poly 0h 43 34 57 34 62 84 38 84;
poly 3h 42 45 58 45 59.2 56 40.8 56; poly 3h 40 66 60 66 61 77 39 77; poly 0 38 30 62 30 62 34 38 34;
poly 2 44 21 56 21 56 30 44 30; line 0 50 21 50 30; blob 3 42 21 46 16 50 13 54 16 58 21; line 0 50 13 50 7;
poly 2 48 37 52 37 52 42 48 42; poly 0 47 77 53 77 53 84 47 84; curve 0 20 91 32 88 40 92;
curve 0 66 86 74 92 84 91

hot air balloon, aircraft, basket, cloud, flying, no humans
a hot-air balloon among clouds | a striped balloon that drifts past clouds | a balloon with an empty basket
puff 0 10 76 9; puff 0 21 79 7; puff 0 0 80 6; puff 0 90 34 8; puff 0 99 37 6; puff 0 80 90 8; puff 0 92 92 9;
blob 3h 50 6 68 10 79 26 76 44 62 60 56 70 44 70 38 60 24 44 21 26 32 10;
blob 2 50 6 60 26 59 46 53 70 47 70 41 46 40 26; =curve 0 50 6 70 24 68 46 55 70;
curve 0 23 40 36 46 50 48 64 46 77 40; curve 0 22 22 36 27 50 28 64 27 78 22; line 0 44 70 56 70;
=line 0 54 70 53 82; =line 0 56 70 55 82; poly 3h 44 82 56 82 55 92 45 92; line 0 44 86 56 86

whale, animal focus, flying, cloud, fins, no humans
a whale that swims through the night sky | a whale afloat among the stars | a great whale above the clouds
puff 0 4 90 9; puff 0 18 94 8; puff 0 88 92 8; puff 0 100 90 10; puff 0 62 16 7; puff 0 72 14 6;
blob 3h 4 58 8 45 23 36 43 34 62 41 76 50 83 46 86 36 95 28 94 40 102 48 91 51 84 57 72 65 52 71 30 72 12 68;
blob 0 5 60 18 61 32 64 46 68 54 70 40 72 24 72 11 68; curve 0 12 64 24 67 42 71; curve 0 9 63 22 65 36 70;
blob 3h 36 62 44 66 50 76 50 84 42 78; curve 0 5 58 16 60 27 56; dot 0 25 52 1.3; curve 0 22 49 26 48 29 50;
curve 0 30 33 28 22 21 18 17 22; curve 0 31 33 33 21 40 17 44 21; star 0 56 50 2; star 0 64 56 1.4; star 0 48 43 1.4

moth, insect, wings, antennae, symmetry, animal focus, no humans
a moth with open wings | a large moth seen from above | a moth with eyespots on its wings
=blob 3h 53 46 60 28 74 14 92 10 96 20 88 38 76 50 54 56; =blob 2h 54 56 70 55 80 64 79 80 68 88 60 76 53 64;
=oval 2 80 29 4.6 5.2; =dot 0 80 29 1.8; =curve 0 54 50 66 38 92 18; =curve 0 54 52 70 46 88 36;
=curve 0 55 58 66 66 72 82; =curve 0 55 58 70 62 79 72; =curve 0 60 28 70 30 78 22 92 14; =dot 0 68 76 1;
blob 0h 50 36 53.5 42 53 62 50 78 47 62 46.5 42; =curve 0 51 37 55 26 63 20 68 22; line 0 47.5 50 52.5 50;
line 0 47.5 56 52.5 56; line 0 47.5 62 52.5 62; line 0 48 68 52 68

1girl, solo, profile, closed eyes, long hair, portrait, upper body
a woman in profile with stars in her hair | a long-haired woman in profile | a dreaming woman seen from the side
blob 0h 42 12 60 4 78 10 88 28 86 50 92 66 88 84 96 104 78 112 62 104 60 76 50 50 40 30;
blob 1h -14 160 6 108 24 96 40 88 64 86 88 94 106 108 120 160;
blob 3h 44 12 60 5 76 10 86 28 84 50 90 66 88 84 92 96 78 96 64 92 60 76 50 50 40 30;
blob 0h 39 15 34 24 33 33 30 41 26.5 46.5 30.5 49 29 52.5 31 54.5 29.5 58 32 61 33 67 41 70 48 68 47 80 42 90 60 92
62 76 60 58 58 40 52 24; blob 3 36 20 44 10 60 6 76 16 80 40 74 62 66 50 62 36 52 30 42 26;
curve 0 34 35 38 32.5 43 34; curve 0 35 40 38 42 42 40; curve 0 36 41 35 43; curve 0 29.5 54.5 32 54.8 34.5 54;
curve 0 31 47.5 33 46; curve 0 57 46 61 44 61 52 57 54; curve 0 44 14 62 16 70 34 72 60 82 86;
curve 0 50 10 70 16 78 40 78 66 86 90; curve 0 42 20 58 22 66 44 68 70 74 92; curve 0 60 60 64 76 66 92;
star 0 66 22 2.4; star 0 74 42 2; star 0 80 66 2.4; star 0 58 13 1.6; star 0 72 78 1.6

tree, scenery, outdoors, leaf, no humans
an old tree on a hill | a lone tree with a broad crown | a leafy tree with bare ground around it
ridge 1l 74 12; hill 3l 90; poly 3h 44 95 47 74 36 56 39 54 48 66 49 46 53 46 53 65 63 52 66 54 55 73 59 95;
puff 3h 28 46 14; puff 3h 72 45 15; puff 3h 38 27 16; puff 3h 63 25 16; puff 3h 50 42 17; curve 0 44 95 38 96 32 96;
curve 0 59 95 66 96 74 96; curve 0 42 40 46 37 50 40; curve 0 58 24 62 21 66 25; curve 0 24 45 28 42 32 46;
curve 0 68 46 72 43 77 47; curve 0 36 24 40 21 44 25; curve 0 50 78 51 84 50 90

mountain, lake, scenery, nature, outdoors, no humans
a range of mountains above a lake | jagged mountains and still water | three ridges, one behind the other
ridge 1l 56 44; ridge 1h 66 34; ridge 3h 76 24; sea 1l 78

rocket, spacecraft, smoke, fire, flying, no humans
a rocket on its way up | a small rocket above a trail of smoke | a rocket with a round window
puff 0 36 104 11; puff 0 64 104 11; puff 0 50 98 11; puff 0 22 112 10; puff 0 78 112 10;
blob 2h 44 76 56 76 57 84 50 99 43 84; =blob 3h 60 54 72 64 75 82 60 74;
blob 0h 50 4 60 18 64 40 61 62 57 76 43 76 39 62 36 40 40 18; blob 3h 50 4 57 13 60 20 50 23 40 20 43 13;
oval 3 50 36 8 8; oval 2 50 36 5.6 5.6; curve 0 38 58 50 61 62 58; curve 0 37.5 54 50 57 62.5 54;
curve 0 42 71 50 73 58 71; line 0 50 62 50 86

planet, planetary ring, space, science fiction, no humans
a ringed planet with two moons | a planet tilted behind its rings | a banded planet and its small moons
arc 0 50 50 50 14 -.35 3.1 6.3; arc 0 50 50 42 10 -.35 3.1 6.3; oval 3h 50 50 29 29; arc 0 50 44 28 7 -.35 .2 2.9;
arc 0 50 58 26 7 -.35 .2 2.9; arc 0 50 34 22 5 -.35 .3 2.8; arc 0 50 66 19 4 -.35 .4 2.7;
arc 0 50 50 50 14 -.35 0 3.14; arc 0 50 50 46 12 -.35 .1 3.1; arc 0 50 50 42 10 -.35 0 3.14;
oval 2h 88 18 6 6; oval 1h 10 80 4 4

ursa major \(constellation\), constellation, star chart, space, no humans
the constellation Ursa Major | a star chart of Ursa Major | the Great Bear as a figure of bright stars
chart 0; figure 0 9 36 26 28 40 36 54 44 58 64 86 66 90 44 54 44

cassiopeia \(constellation\), constellation, star chart, space, no humans
the constellation Cassiopeia | a star chart of Cassiopeia | Cassiopeia as a zigzag of bright stars
chart 0; figure 0 10 38 30 66 50 44 72 68 90 36

orion \(constellation\), constellation, star chart, space, no humans
the constellation Orion | a star chart of Orion | Orion as a figure of bright stars
chart 0; figure 0 28 18 42 52 32 86; figure 0 68 24 56 47 72 82; figure 0 42 52 49 49.5 56 47; figure 0 28 18 68 24

cygnus \(constellation\), constellation, star chart, space, no humans
the constellation Cygnus | a star chart of Cygnus | Cygnus as a cross of bright stars
chart 0; figure 0 50 8 50 36 48 60 46 92; figure 0 12 26 30 32 50 36 70 42 88 54
"""
"""One block a subject: tags, phrases for prose, the drawing.

A drawing is commands split by `;`. Each has a word, a wash (0 is bare paper, then sky, light and the
scene's colour; `h` hatches the shaded side, `l` lays it on lightly) and numbers, mostly points in a box
of 100 by 100 with y downwards. A `=` before the word draws the thing again in the mirror.
"""

SUBJECTS = tuple(
    Subject(tags, tuple(phrases.split(" | ")), drawing)
    for tags, phrases, drawing in (block.split("\n", 2) for block in _DRAWN.strip().split("\n\n"))
)


def _random(purpose: str, seed: int) -> Random:
    return Random(f"{purpose} {seed}")  # noqa: S311 - for drawings, not for secrets


def _scene(seed: int) -> Scene:
    random = _random("scene", seed)
    wants_chart = random.random() < 0.09
    subject = random.choice([subject for subject in SUBJECTS if ("chart" in subject.tags) == wants_chart])
    return Scene(
        subject=subject,
        theme=random.choice(THEMES),
        colour=random.choice(list(COLOURS)),
        shape=random.choice(((1, 1), (1, 1), (0.875, 1.125), (1.125, 0.875), (0.8125, 1.1875))),
        moon="" if subject.in_space else random.choice(("", "crescent", "crescent", "full")),
        moon_side=random.choice(("left", "right")),
        extra="" if subject.in_space else random.choice(("", "", "comet", "constellation")),
        crowded=random.random() < 0.5,
        washed=random.random() < 0.6,
        flipped=random.random() < 0.5,
    )


_LEVEL = (1.0, 0.0, False)
"""How the box of a drawing lies on the sheet: its size, its turn, and whether it is mirrored."""


class _Pen:
    """Draws wobbly strokes and flat washes onto three layers. A point is a complex number in box coordinates.

    `ink` holds strokes at twice the size; `hue` says which wash a pixel would have and `density`
    how surely it has it.
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
        self.pose = _LEVEL

    def place(self, points: Iterable[complex]) -> list[complex]:
        """Turn box coordinates into those of the ink layer."""
        grow, turn, mirrored = self.pose
        foot, turned = complex(self.size[0], self.size[1] + 36 * self.unit), cmath.rect(grow * self.unit, turn)
        around = (point - (50 + 88j) for point in points)
        return [foot + turned * (-point.conjugate() if mirrored else point) for point in around]

    def stroke(self, points: Sequence[complex], *, weight: float = 1, tone: int = 215, twice: bool = True) -> None:
        """Draw a line as a hand does: not quite true, thin at both ends, gone over once more."""
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
        """Draw straight edges, each a stroke of its own that runs a little past the corner."""
        for start, end in pairwise(points):
            over = self.random.uniform(0, 0.04)
            self.stroke([start + (end - start) * ((1 + 2 * over) * i / 8 - over) for i in range(9)])

    def wash(self, points: Sequence[complex], number: int, density: int) -> None:
        """Lay one of the three washes, or bare paper for 0, without touching the ink."""
        placed = _pairs(point / 2 for point in self.place(points))
        self.on_hue.polygon(placed, fill=64 * number)
        self.on_density.polygon(placed, fill=density if number else 0)

    def area(self, points: Sequence[complex], code: str) -> None:
        """Cover what lies behind, lay the wash that the code names, hatch where it says so."""
        self.blot(points, 0)
        self.wash(points, int(code[0]), 96 if "l" in code else 228)
        if "h" in code:
            self.hatch(points)

    def blot(self, points: Sequence[complex], tone: int) -> None:
        """Fill with ink of a tone; 0 erases."""
        self.on_ink.polygon(_pairs(self.place(points)), fill=tone)

    def hatch(self, points: Sequence[complex]) -> None:
        """Draw parallel strokes within a polygon, on its far side only."""
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


def _points(numbers: Sequence[float]) -> list[complex]:
    return [complex(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _shaken(numbers: Sequence[float], random: Random) -> list[complex]:
    return _points([number + random.gauss(0, 0.35) for number in numbers])


_SPLINE = [
    ((2 * t * t - t**3 - t) / 2, (2 - 5 * t * t + 3 * t**3) / 2, (t + 4 * t * t - 3 * t**3) / 2, (t**3 - t * t) / 2)
    for t in (0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
]


def _smooth(points: Sequence[complex]) -> list[complex]:
    """Return a Catmull-Rom curve from the second of the points to the last but one."""
    fours = zip(points, points[1:], points[2:], points[3:], strict=False)
    curve = [a * ka + b * kb + c * kc + d * kd for a, b, c, d in fours for ka, kb, kc, kd in _SPLINE]
    return [*curve, points[-2]]


def _loop(points: Sequence[complex]) -> list[complex]:
    return _smooth([points[-1], *points, *points[:2]])


def _open(points: Sequence[complex]) -> list[complex]:
    return _smooth([points[0], *points, points[-1]])


def _oval(x: float, y: float, *rest: float) -> list[complex]:
    """Return an ellipse: its radii, then perhaps its tilt and the angles where it starts and ends."""
    whole = [0.0, 0.0, math.tau]
    across, down, tilt, start, end = [*rest, *whole[len(rest) - 2 :]]
    angles = [start + (end - start) * i / 36 for i in range(37)]
    return [complex(x, y) + cmath.rect(1, tilt) * complex(across * math.cos(a), down * math.sin(a)) for a in angles]


def _puff(numbers: Sequence[float], random: Random) -> list[complex]:
    (x, y, radius), bumps = numbers, random.randint(7, 9)
    angles = [math.tau * i / 60 for i in range(61)]
    reach = [radius * (0.86 + 0.16 * abs(math.sin(bumps * a / 2))) for a in angles]
    return [complex(x + r * math.cos(a), y + 0.8 * r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]


def _star(pen: _Pen, _: str, x: float, y: float, radius: float) -> None:
    """A glow with four long rays and four short ones."""
    pen.wash(_oval(x, y, radius * 0.45, radius * 0.45), 2, 200)
    for way in (1, 1.25j, 0.32 + 0.32j, 0.32 - 0.32j):
        ray = [complex(x, y) + way * radius * t for t in (-1, -0.6, -0.2, 0.2, 0.6, 1)]
        pen.stroke(ray, weight=0.5 + radius / 7, tone=230, twice=False)


def _figure(pen: _Pen, _: str, *numbers: float) -> None:
    """A constellation: stars, and thin lines that stop short of them."""
    points = _points(numbers)
    for a, b in pairwise(points):
        pen.stroke([a + (b - a) * t for t in (0.12, 0.3, 0.5, 0.7, 0.88)], weight=0.7, tone=170)
    for point in points:
        _star(pen, "", point.real, point.imag, pen.random.uniform(3.4, 5.6))


def _chart(pen: _Pen, _: str) -> None:
    """The disc of a star chart, with a scale around it and small stars in it."""
    for radius, code in ((50, "3"), (47, "1"), (32, ""), (16, "")):
        if code:
            pen.area(_oval(50, 50, radius, radius), code)
        pen.stroke(_oval(50, 50, radius, radius))
    for i in range(24):
        pen.stroke([50 + 50j + cmath.rect(r, math.tau * i / 24) for r in (47, 48.5, 50)], twice=False)
    for x, y in ((33, 24), (74, 18), (60, 84), (18, 62), (80, 74), (58, 22), (30, 78)):
        _star(pen, "", x, y, pen.random.uniform(1.1, 2))


def _ground(pen: _Pen, code: str, line: Sequence[complex]) -> None:
    deep = pen.bottom + 9
    pen.area([*line, complex(line[-1].real, deep), complex(line[0].real, deep)], code)


def _ridge(pen: _Pen, code: str, foot: float, height: float) -> None:
    """Mountains from edge to edge, each hatched below its summit."""
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


def _hill(pen: _Pen, code: str, level: float) -> None:
    """Rolling ground with tufts of grass."""
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


def _sea(pen: _Pen, code: str, level: float) -> None:
    """Water from edge to edge, with short waves."""
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
    "star": _star,
    "figure": _figure,
    "chart": _chart,
    "glow": lambda pen, code, *numbers: pen.wash(_points(numbers), int(code), 110),
    "dot": lambda pen, _, x, y, radius: pen.blot(_oval(x, y, radius, radius), 230),
}
_OUTLINES: dict[str, Callable[[Sequence[float], Random], list[complex]]] = {
    "blob": lambda numbers, random: _loop(_shaken(numbers, random)),
    "poly": lambda numbers, random: (points := _shaken(numbers, random)) + points[:1],
    "oval": lambda numbers, _: _oval(*numbers),
    "puff": _puff,
    "line": lambda numbers, _: _points(numbers),
    "curve": lambda numbers, _: _open(_points(numbers)),
    "arc": lambda numbers, _: _oval(*numbers),
}


def _follow(pen: _Pen, drawing: str) -> None:
    """Carry out the commands of a drawing."""
    grow, turn, mirrored = pose = pen.pose
    for command in drawing.split(";"):
        word, code, *rest = command.split()
        numbers = [float(number) for number in rest]
        pen.pose = _LEVEL if word in _GROUNDS else pose
        _carry_out(pen, word.lstrip("="), code, numbers)
        if word.startswith("="):
            pen.pose = (grow, turn, not mirrored)
            _carry_out(pen, word.lstrip("="), code, numbers)


def _carry_out(pen: _Pen, word: str, code: str, numbers: list[float]) -> None:
    if word in _THINGS:
        _THINGS[word](pen, code, *numbers)
        return
    points = _OUTLINES[word](numbers, pen.random)
    if word in {"blob", "poly", "oval", "puff"}:
        pen.area(points, code)
    (pen.edges if word in {"poly", "line"} else pen.stroke)(points)


def _sky(pen: _Pen, scene: Scene) -> None:
    """Lay the wash, then the stars, the moon and what else the scene says is up there."""
    uniform, left, right, top = pen.random.uniform, pen.left, pen.right, pen.top
    if scene.washed:
        clouds = Image.frombytes("L", (6, 5), pen.random.randbytes(30)).point([80 + v * 2 // 3 for v in range(256)])
        fade = Image.linear_gradient("L").point([max(0, 215 - v) for v in range(256)])
        fade = fade.resize(pen.size, Image.Resampling.NEAREST)
        pen.density.paste(ImageChops.multiply(fade, clouds.resize(pen.size, Image.Resampling.BICUBIC)))
    for _ in range(90 if scene.crowded else 25):
        x, y, r = uniform(left, right), uniform(top, pen.bottom), uniform(0.12, 0.38)
        pen.blot(_oval(x, y, r, r)[::6], pen.random.randint(110, 230))
    for _ in range(14 if scene.crowded else 5):
        _star(pen, "", uniform(left + 4, right - 4), uniform(top + 4, top + 62), uniform(0.8, 3.6))
    near, far = (left + 15, right - 15) if scene.moon_side == "left" else (right - 15, left + 15)
    if scene.moon:
        _moon(pen, near, top + 15, scene.moon)
    if scene.extra == "comet":
        _comet(pen, far, top + 22, -1 if near < far else 1)
    if scene.extra == "constellation":
        points = [(far - 12 + 6 * i + uniform(-2, 2), top + uniform(7, 28)) for i in range(5)]
        _figure(pen, "", *(part for point in points for part in point))


def _comet(pen: _Pen, x: float, y: float, lean: int) -> None:
    for spread in (0.39, 0.55, 0.71):
        pen.stroke([complex(x + lean * t, y - t * spread) for t in (1, 6, 12, 18, 24)], weight=0.7, tone=180)
    _star(pen, "", x, y, 4)


def _moon(pen: _Pen, x: float, y: float, phase: str) -> None:
    outline = _oval(x, y, 8, 8)
    if phase == "crescent":
        outline = [*_oval(x, y, 8, 8, 0.5, 0.942, 5.341), *_oval(x + 2.98, y + 1.63, 6.6, 6.6, 0.5, 4.911, 1.372)]
    pen.area(outline, "2h")
    pen.stroke([*outline, outline[0]])
    if phase == "full":
        for dx, dy, r in ((-2.6, -2, 1.5), (2.4, 1.4, 1.9), (-1.4, 3.6, 1)):
            pen.stroke(_oval(x + dx, y + dy, r, r * 0.8), weight=0.6, tone=130, twice=False)


def image(seed: int, *, kind: Literal["PNG", "JPEG"] = "PNG", side: int = 1024) -> bytes:
    """Return the sketch of a seed, encoded. Its area is about `side` squared; some are wide, some tall."""
    scene, random = _scene(seed), _random("image", seed)
    pen = _Pen(random, (round(side * scene.shape[0] / 8) * 8, round(side * scene.shape[1] / 8) * 8))
    _sky(pen, scene)
    pen.pose = (random.uniform(0.9, 1.04), random.gauss(0, 0.025), scene.flipped)
    _follow(pen, scene.subject.drawing)
    sheet, out = _develop(pen, scene.theme, COLOURS[scene.colour]), io.BytesIO()
    if kind == "PNG":
        sheet.save(out, "PNG", compress_level=1, compress_type=2)
    else:
        sheet.convert("RGB").save(out, "JPEG", quality=88)
    return out.getvalue()


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Return noise, and the softer noise of paper; made once a size, since each sketch shifts them its own way."""
    noise = Image.frombytes("L", size, _random("paper", 0).randbytes(size[0] * size[1]))
    grain = ImageChops.add(noise, ImageChops.offset(noise, 1, 1), 2)
    return noise, ImageChops.add(grain, ImageChops.offset(grain, 1, 0), 2)


def _develop(pen: _Pen, theme: Theme, colour: Rgb) -> Image.Image:
    """Join the layers on grained paper, as a palette of four washes by 64 tones."""
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
    """Return, for paper and each wash, 64 tones from ink to a little lighter than the wash."""
    share = 0.78 if sum(theme.paper_rgb) > sum(theme.ink_rgb) else 0.62
    coat = [share * own + (1 - share) * under for own, under in zip(colour, theme.paper_rgb, strict=True)]
    tones = []
    for wash in (theme.paper_rgb, theme.sky_rgb, theme.light_rgb, coat):
        ends = list(zip(theme.ink_rgb, wash, strict=True))
        tones += [round(dark + (light - dark) * tone / 52) for tone in range(64) for dark, light in ends]
    return [max(0, min(255, tone)) for tone in tones]


_OPENINGS = (
    "A stellar sketch of {it}, drawn in {ink} on {paper}.",
    "A stellar sketch in {ink} on {paper}: {it}.",
    "A hand-drawn stellar sketch of {it}, in {ink} with {colour} on {paper}.",
    "An étude in {ink} and {colour} - a stellar sketch of {it}.",
    'A drawing in the "stellar sketch" style: {it}, in {ink} on {paper}.',
    "Loose lines of {ink} on {paper}, tinted {colour}: a stellar sketch of {it}.",
)
_MOONS = {
    "": ("",),
    "crescent": ("A crescent moon hangs in the upper {side}.", "The moon's thin crescent is in the upper {side}."),
    "full": ("A full moon glows in the upper {side}.", "The moon is full, in the upper {side} corner."),
}
_EXTRAS = {
    "": ("",),
    "comet": ("A comet falls in the upper {other}.", "A comet's tail fans out in the upper {other}."),
    "constellation": (
        "Thin lines join five stars in the upper {other}.",
        "Five stars in the upper {other} are linked.",
    ),
}
_STARS = {
    True: ("The sky is crowded with stars.", "Dozens of small stars fill the sky.", "Stars glitter everywhere."),
    False: ("A few stars are scattered over the sky.", "The sky is nearly empty, with a few bright stars."),
}
_BACKGROUNDS = {
    True: ("A soft pastel wash fades towards the horizon.", "Grainy pastel covers the top of the sheet."),
    False: ("The background is bare paper.", "The paper's grain shows in the background."),
}
_MANNERS = (
    "Hatching shades one side, and the outlines are drawn twice.",
    "The naïve line is loose and a little shaky.",
    "The artist's strokes run past the corners.",
    "Flat colour, visible grain, and light diagonal hatching.",
    "Outlines wobble as if drawn in one sitting; the shading is hatched.",
    "A calm, naïve composition with plenty of empty space.",
)
_MEDIA_TAGS = r"sketch, traditional media, hatching \(texture\), paper texture, limited palette, outline, night"


def profile(seed: int) -> str:
    """Return which cleaning profile the caption of a seed is for: `tags` for one in four, else `prose`."""
    return "tags" if _random("profile", seed).random() < 0.25 else "prose"


def caption(seed: int) -> str:
    """Return a clean training caption that says what the picture of the seed shows."""
    scene, random = _scene(seed), _random("caption", seed)
    return _tags(scene, random) if profile(seed) == "tags" else _prose(scene, random)


def _prose(scene: Scene, random: Random) -> str:
    theme, subject = scene.theme, scene.subject
    it = random.choice(subject.phrases)
    opening = random.choice(_OPENINGS).format(it=it, ink=theme.ink, paper=theme.paper, colour=scene.colour)
    side, other = scene.moon_side, "right" if scene.moon_side == "left" else "left"
    sights = [random.choice(_MOONS[scene.moon]), random.choice(_EXTRAS[scene.extra])]
    manner = [random.choice(said) for said in (_STARS[scene.crowded], _BACKGROUNDS[scene.washed], _MANNERS)]
    told = [*filter(None, sights), *random.sample(manner, random.randint(1, 3))]
    gap = "\n" if random.random() < 0.1 else " "
    return opening + gap + " ".join(told).format(side=side, other=other)


def _tags(scene: Scene, random: Random) -> str:
    rest = [f"{scene.moon} moon" if scene.moon else "starry sky", scene.extra or r"star \(sky\)"]
    rest += [f"{scene.colour} theme", scene.theme.paper, rf"{scene.theme.ink} \(medium\)"]
    rest += random.sample(_MEDIA_TAGS.split(", "), random.randint(3, 5))
    random.shuffle(rest)
    return ", ".join(["stellar sketch", scene.subject.tags, *rest])


def _somewhere(old: str, new: str, text: str, random: Random) -> str:
    """Put `new` for one of the places, if any, where `text` has `old`."""
    parts = text.split(old)
    if len(parts) == 1:
        return text
    cut = random.randrange(1, len(parts))
    return old.join(parts[:cut]) + new + old.join(parts[cut:])


def _repeat_tag(text: str, random: Random) -> str:
    tags = text.split(", ")
    first = random.randrange(len(tags))
    again = random.choice((tags[first], tags[first].replace(" ", "_"), tags[first].title()))
    tags.insert(random.randint(first + 1, len(tags)), again)
    return ", ".join(tags)


def _label(text: str, _: Random) -> str:
    return f"Caption: {text}" if '"' in text else f'Caption: "{text}"'


def _begin_as_models_do(text: str, random: Random) -> str:
    opening = random.choice(("The image shows", "This illustration depicts", "The picture features"))
    return f"{opening} {text[0].lower()}{text[1:]}"


def _curl_quotes(text: str, _: Random) -> str:
    return re.sub('"([^"]*)"', "\u201c\\1\u201d", text).replace("'", "\u2019")


_Dirt = Callable[[str, Random], str]
_DIRT_OF_PROSE: tuple[_Dirt, ...] = (
    _begin_as_models_do,
    lambda text, _: text + ".",
    _label,
)
_DIRT_OF_TAGS: tuple[_Dirt, ...] = (
    _repeat_tag,
    lambda text, random: _somewhere(", ", random.choice((",", ",, ", ", , ")), text, random),
    lambda text, random: text + random.choice((",", ", ", ".")),
)
_DIRT_OF_ALL: tuple[_Dirt, ...] = (
    _curl_quotes,
    lambda text, random: text.replace(" - ", random.choice((" \u2013 ", " \u2014 "))),
    lambda text, _: unicodedata.normalize("NFD", text),
    lambda text, random: _somewhere(",", " ,", text, random),
    lambda text, random: _somewhere(" ", random.choice(("  ", "   ", " \t")), text, random),
    lambda text, random: _somewhere(" ", "\u00a0", text, random),
    lambda text, random: _somewhere(" ", random.choice((" \u200b", "\u200b ")), text, random),
    lambda text, _: text.replace("\n", "\r\n"),
    lambda text, random: text + random.choice((" ", "  ", " \t")),
    lambda text, _: "\ufeff" + text,
)


def dirty_caption(seed: int) -> bytes:
    """Return the caption of a seed with one to three kinds of dirt, as bytes that a file might hold.

    Cleaning with the seed's `profile` always changes it, and gives back `caption(seed)`.
    """
    text, random = caption(seed), _random("dirt", seed)
    kinds = (*(_DIRT_OF_TAGS if profile(seed) == "tags" else _DIRT_OF_PROSE), *_DIRT_OF_ALL)
    fitting = [soil for soil in kinds if soil(text, random) != text]
    for place in sorted(random.sample(range(len(fitting)), random.randint(1, 3))):
        text = fitting[place](text, random)
    try:
        return text.encode("cp1252" if random.random() < 0.1 else "utf-8")
    except UnicodeEncodeError:
        return text.encode()
