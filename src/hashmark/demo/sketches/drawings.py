"""The subjects that can be drawn, as data: the tags, the phrases for prose and the drawing commands of each.

Parses blocks of text into subjects. Does not depend on what a command does, which seed gets which subject, or how a
caption is written.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject: its tags, its phrases for prose, and the commands that draw it."""

    tags: str
    phrases: tuple[str, ...]
    drawing: str

    @property
    def in_space(self) -> bool:
        """Return whether the subject is in space, so that a moon or a comet must not be drawn beside it."""
        return "space" in self.tags


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
"""One block per subject: tags, phrases for prose, and the drawing.

A drawing is a list of commands separated by `;`. Each has a word, a wash (0 for bare paper, 1 for sky, 2 for light, 3
for the scene's colour; `h` hatches the shaded side, `l` makes it light) and numbers, mostly points in a box of 100 by
100 with y downwards. A `=` before the word draws the shape a second time, mirrored.
"""

SUBJECTS = tuple(
    Subject(tags, tuple(phrases.split(" | ")), drawing)
    for tags, phrases, drawing in (block.split("\n", 2) for block in _DRAWN.strip().split("\n\n"))
)
