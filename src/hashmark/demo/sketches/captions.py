"""Writes the clean caption of a seed: what its image shows, as prose or as tags.

Does not depend on how images are drawn or how captions are made dirty.
"""

from random import Random

from hashmark.demo.sketches.scene import Scene, random_for, scene_of

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
    """Return the cleaning profile of a seed's caption: `tags` for one in four, else `prose`."""
    return "tags" if random_for("profile", seed).random() < 0.25 else "prose"


def caption(seed: int) -> str:
    """Return a clean training caption that describes the image of the seed."""
    scene, random = scene_of(seed), random_for("caption", seed)
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
