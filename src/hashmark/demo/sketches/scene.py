"""Chooses the scene of a seed, on which the image and its caption agree.

Defines the colours and their names, and the only source of randomness, seeded by a purpose and a seed. Does not depend
on how a scene is drawn or described.
"""

from dataclasses import dataclass
from random import Random

from hashmark.demo.sketches.drawings import SUBJECTS, Subject

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """The ink and the paper: their names for the caption, their colours for the image."""

    ink: str
    paper: str
    ink_rgb: Rgb
    paper_rgb: Rgb
    sky_rgb: Rgb
    light_rgb: Rgb


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that an image and its caption must agree on."""

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


def random_for(purpose: str, seed: int) -> Random:
    """Return a random generator for one purpose of a seed, the same every time."""
    return Random(f"{purpose} {seed}")  # noqa: S311 - for drawings, not for secrets


def scene_of(seed: int) -> Scene:
    """Return the scene of a seed."""
    random = random_for("scene", seed)
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
