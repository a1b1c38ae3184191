"""Makes the caption of a seed dirty, in the ways that models, editors and Windows do.

Does not depend on what captions say or how they are cleaned; tests check that cleaning restores the clean caption.
"""

import re
import unicodedata
from collections.abc import Callable
from random import Random

from hashmark.demo.sketches.captions import caption, profile
from hashmark.demo.sketches.scene import random_for


def _somewhere(old: str, new: str, text: str, random: Random) -> str:
    """Replace one random occurrence of `old` in `text`, if there is any, with `new`."""
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


def _begin_as_models_do(text: str, random: Random) -> str:
    opening = random.choice(("The image shows", "This illustration depicts", "The picture features"))
    return f"{opening} {text[0].lower()}{text[1:]}"


_Dirt = Callable[[str, Random], str]
_DIRT_OF_PROSE: tuple[_Dirt, ...] = (
    _begin_as_models_do,
    lambda text, _: text + ".",
    lambda text, _: f"Caption: {text}" if '"' in text else f'Caption: "{text}"',
)
_DIRT_OF_TAGS: tuple[_Dirt, ...] = (
    _repeat_tag,
    lambda text, random: _somewhere(", ", random.choice((",", ",, ", ", , ")), text, random),
    lambda text, random: text + random.choice((",", ", ", ".")),
)
_DIRT_OF_ALL: tuple[_Dirt, ...] = (
    lambda text, _: re.sub('"([^"]*)"', "\u201c\\1\u201d", text).replace("'", "\u2019"),
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
    """Return the caption of a seed with at least one kind of dirt, encoded as in a file.

    Cleaning with the seed's `profile` always changes it and restores `caption(seed)`. Cleaning tags as prose also
    changes it, because a dataset is cleaned with a single profile.
    """
    text, random = caption(seed), random_for("dirt", seed)
    kinds = (*(_DIRT_OF_TAGS if profile(seed) == "tags" else _DIRT_OF_PROSE), *_DIRT_OF_ALL)
    fitting = [soil for soil in kinds if soil(text, random) != text]
    places = random.sample(range(len(fitting)), random.randint(1, 3))
    if not any(fitting[place] in _DIRT_OF_ALL for place in places) and profile(seed) == "tags":
        places.append(next(at for at, soil in enumerate(fitting) if soil in _DIRT_OF_ALL))
    for place in sorted(places):
        text = fitting[place](text, random)
    try:
        return text.encode("cp1252" if random.random() < 0.1 else "utf-8")
    except UnicodeEncodeError:
        return text.encode()
