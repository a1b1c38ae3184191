"""Build the hashing kernel from `src/hashmark/native/md5.c` with the C compiler that is there.

Without one, or if it fails, hashmark is built without the kernel and says so: it then hashes with hashlib.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NATIVE = Path(__file__).resolve().parent.parent / "src" / "hashmark" / "native"
SOURCE = NATIVE / "md5.c"
LIBRARY = NATIVE / "md5.so"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-psabi")


def build(*, force: bool) -> None:
    """Build the kernel if its source is newer, or say why it is not built."""
    if not force and LIBRARY.exists() and LIBRARY.stat().st_mtime > max(map(_time, (SOURCE, Path(__file__)))):
        return
    LIBRARY.unlink(missing_ok=True)
    unfinished = LIBRARY.with_suffix(".new")
    why = compile_to(unfinished)
    if why:
        sys.stderr.write(f"hashmark is built without its hashing kernel, and will hash more slowly: {why}\n")
    else:
        unfinished.replace(LIBRARY)


def compile_to(target: Path, flags: Sequence[str] = ()) -> str:
    """Compile the kernel. Return why that failed, or nothing."""
    named = os.environ.get("CC")
    words = shlex.split(named) if named else next(([name] for name in COMPILERS if shutil.which(name)), None)
    if words is None:
        return f"there is no C compiler ({', '.join(COMPILERS)})."
    command = [*words, *FLAGS, *flags, "-o", str(target), str(SOURCE)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        return f"{words[0]} does not run: {error.strerror}."
    return f"{shlex.join(command)} failed.\n{done.stderr}".rstrip() if done.returncode else ""


def _time(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    build(force="--force" in sys.argv)
