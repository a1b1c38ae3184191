"""Makes the sample library with its own bucket: 271 cleaned captions that differ from the bucket's.

Each step does only what is missing, so an interrupted demo resumes. All files stay in the library's folder. Output is
the caller's job.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hashmark.actions.clean import apply, preview
from hashmark.actions.move import Planned, Result, run
from hashmark.actions.status import status
from hashmark.core.cleaning import Pipeline
from hashmark.core.errors import Interrupted, SettingsError
from hashmark.core.events import Event
from hashmark.core.model import Verdict
from hashmark.core.plan import Direction, Policy, make_plan
from hashmark.demo import sketches
from hashmark.disk.durable import replace_file
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS, create

URL = "s3://training-data/styles"
STORY = "82_stellar_sketch"
CLEANING = {"profile": "prose", "preset": "thorough"}
"""The cleaning settings of the main dataset, also written to the library's settings."""


@dataclass(frozen=True)
class Sample:
    """One dataset of the sample library: its folder and its image-caption pairs, from seed `first` on.

    `side` is the approximate size of an image in pixels, as in `sketches.image`.
    """

    folder: str
    pairs: int
    first: int
    side: int = 1024


SAMPLES = (
    Sample(STORY, 271, 0),
    Sample("10_ink_portraits", 24, 1000, 768),
    Sample("5_paper_landscapes", 12, 2000, 768),
)


def open_library(folder: Path) -> Library:
    """Open the sample library at `folder`; create it if the folder is missing or empty.

    Raises:
        SettingsError: `folder` is not a folder, has other files in it, or is a library that is not a sample.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder.", "Choose another with --dir.")
    if not (folder / SETTINGS).exists():
        if folder.exists() and any(folder.iterdir()):
            raise SettingsError(f"{folder} is not empty and not a sample library.", "Choose another with --dir.")
        table = "".join(f'{name} = "{value}"\n' for name, value in CLEANING.items())
        create(folder, {"url": URL, "embedded": True}, f'\n[datasets."{STORY}".clean]\n{table}')
    library = Library.open(folder)
    if not library.settings.embedded:
        library.close()
        raise SettingsError(f"{folder} is a library of yours, not a sample.", "Choose another folder with --dir.")
    return library


def draw(folder: Path, samples: tuple[Sample, ...], cancel: threading.Event) -> Iterator[int]:
    """Create the missing images and captions. Yield the number of pairs that remain, first before any is made.

    Raises:
        Interrupted: `cancel` was set.
    """
    missing = [(folder / s.folder, s.first + n, s.side) for s in samples for n in range(s.pairs)]
    missing = [work for work in missing if not all(path.exists() for path in pair_paths(work[0], work[1]))]
    yield len(missing)
    if not missing:
        return
    # Ctrl-C reaches every process of the terminal, and only the parent handles it.
    ignore_interrupts = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(os.cpu_count(), initializer=signal.signal, initargs=ignore_interrupts) as pool:
        for left, _ in zip(range(len(missing) - 1, -1, -1), pool.map(_draw_pair, missing, chunksize=4), strict=True):
            if cancel.is_set():
                pool.shutdown(cancel_futures=True)
                raise Interrupted("The sample library is not finished.")
            yield left


def pair_paths(folder: Path, seed: int) -> tuple[Path, Path]:
    """Return the paths of the image and the caption of a seed."""
    kind = "png" if seed % 3 else "jpg"
    stem = f"{seed % 1000 + 1:04d}"
    return folder / f"{stem}.{kind}", folder / f"{stem}.txt"


def _draw_pair(work: tuple[Path, int, int]) -> None:
    folder, seed, side = work
    image, caption = pair_paths(folder, seed)
    if not caption.exists():
        replace_file(caption, sketches.dirty_caption(seed))
    if not image.exists():
        replace_file(image, sketches.image(seed, kind="PNG" if image.suffix == ".png" else "JPEG", side=side))


def push_new(dataset: Dataset, on_event: Callable[[Event], None], cancel: threading.Event) -> Result:
    """Push the files that are only on disk. Edited files stay out of sync, for the demo to show."""
    found = status(dataset)
    new = [f for f in found.files if f.verdict is Verdict.LOCAL_ONLY]
    plan = make_plan(new, Policy(Direction.PUSH), complete=found.complete)
    return run(Planned(dataset, found, plan), on_event, cancel)


def clean_captions(dataset: Dataset, cancel: threading.Event | None = None) -> int:
    """Clean the captions on disk, as a user would before training. Return how many changed.

    Raises:
        Interrupted: `cancel` was set.
    """
    found = preview(dataset, Pipeline.parse(CLEANING), cancel=cancel)
    applied = apply(found, cancel=cancel)
    if applied.outcome.interrupted:
        raise Interrupted("The captions are not all cleaned.")
    return len(applied.outcome.done)
