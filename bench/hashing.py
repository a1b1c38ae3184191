"""`python hashing.py FOLDER`: hash every file of a folder ROUNDS times, on one thread."""

from __future__ import annotations

import sys
from pathlib import Path

from hashmark.disk.hashing import hash_all
from hashmark.disk.walk import Walk

ROUNDS = 20
"""So many that starting Python hardly counts."""


def _main() -> None:
    folder = Path(sys.argv[1])
    files = list(Walk(folder))
    for _ in hash_all(folder, ((None, files) for _ in range(ROUNDS)), clock=lambda: None, workers=1):
        pass


if __name__ == "__main__":
    _main()
