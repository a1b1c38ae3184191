"""Runs `make demo` and `make test` on fresh machines: chroots of bare Debians, as root and as an ordinary user.

A chroot holds debootstrap's smallest system and what the README asks for, no more. The ordinary user, who may not
install packages, has Chromium too. The tree in it is a clone of HEAD: what is not committed is not tried.

pip, npm and apt reach their registries in the chroot as they do on this machine: their settings, certificates, proxies
and local package folders come along. Mounts and processes live in namespaces of the trial and end with it, however it
ends. The bare systems are kept in --cache; delete a folder there to have it made again.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

SOURCE = Path(__file__).resolve().parent.parent
DEBIANS = ("bookworm", "trixie")
USERS = ("root", "ordinary")
PACKAGES = ("git", "make", "python3", "python3-venv", "ca-certificates")
TARGETS = ("demo ARGS=--no-serve", "test")
CACHE = Path("/var/cache/hashmark-fresh")

REGISTRY_VARIABLES = ("PIP_", "NPM_CONFIG_", "npm_config_")
NETWORK_VARIABLES = frozenset(
    {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}
    | {f"{name}_proxy" for name in ("http", "https", "all", "no")}
    | {f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")}
)

# Arguments: the chroot, its user, how many folders to mount, these folders, the command. /dev is debootstrap's.
ENTER = """
root=$1 user=$2 folders=$3; shift 3
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
while [ "$folders" -gt 0 ]; do
    mkdir -p "$root$1"
    mount --bind -o ro "$1" "$root$1"
    folders=$((folders - 1)); shift
done
chroot --userspec="$user:$user" "$root" "$@"
exit $?  # this shell stays, to reap what the trial leaves behind
"""


class Machine:
    """A chroot, and what of this machine's settings it was given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: list[Path] = []
        """Folders of this machine that are mounted in it, read-only."""
        self.variables: dict[str, str] = {}

    def write(self, path: str | Path, content: bytes) -> None:
        target = self.inside(Path(path))
        target.unlink(missing_ok=True)  # may be a symlink, which would lead out of the chroot
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def inside(self, path: Path) -> Path:
        """Where a path of the chroot is on this machine."""
        target = self.root / path.relative_to("/")
        if not target.parent.resolve().is_relative_to(self.root.resolve()):
            sys.exit(f"{path} leads out of the chroot {self.root} by a symlink; name it by another path.")
        return target

    def settle(self, debian: str) -> None:
        """Give it this machine's name resolution, and its settings for apt, pip and npm."""
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            self.write(name, Path(name).read_bytes())
        self.write("/etc/apt/apt.conf.d/00host", self.carry(apt_settings()).encode())
        if sources := apt_sources(debian):
            self.write("/etc/apt/sources.list", "".join(f"deb {source}\n" for source in sources).encode())
        settings = pip_settings()
        lines = [
            line
            for section, options in settings.items()
            for line in (f"[{section}]", *(f"{name} = {self.carry(value)}" for name, value in options.items()))
        ]
        self.write("/etc/pip.conf", "\n".join([*lines, ""]).encode())
        for name, value in os.environ.items():
            if name.startswith(REGISTRY_VARIABLES) or name in NETWORK_VARIABLES:
                self.variables[name] = self.carry(value)

    def carry(self, value: str) -> str:
        """Bring along the files and folders that a setting names, under the same paths. Returns the setting."""
        for word in value.replace('"', " ").replace(";", " ").split():
            url = urlsplit(word)
            path = Path(unquote(url.path))
            if url.scheme not in {"", "file"} or not path.is_absolute():
                continue
            if path.is_file():
                self.write(path, path.read_bytes())
            elif path.is_dir():
                # An index by URL refers to files beside it.
                folder = path.parent if url.scheme else path
                if not self.inside(folder).exists() and folder not in self.folders:
                    self.folders.append(folder)
        return value

    def run(self, user: str, command: str) -> int:
        """Run a shell command in the chroot with a login's environment; returns its status."""
        home = "/root" if user == "root" else f"/home/{user}"
        login = {"HOME": home, "USER": user, "LOGNAME": user, "SHELL": "/bin/bash", "PATH": path_of(user)}
        variables = [f"{name}={value}" for name, value in (self.variables | login).items()]
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        enter = ["sh", "-euc", ENTER, "sh", str(self.root), user, str(len(self.folders)), *map(str, self.folders)]
        login_shell = ["env", "-i", *variables, "sh", "-euc", f"umask 022; cd ~; {command}"]
        whole = [*namespaces, *enter, *login_shell]
        return subprocess.run(whole, check=False, stdin=subprocess.DEVNULL).returncode


def path_of(user: str) -> str:
    """Debian's PATH for root and for others."""
    own = "/usr/local/bin:/usr/bin:/bin"
    return f"/usr/local/sbin:/usr/sbin:/sbin:{own}" if user == "root" else own


def apt_settings() -> str:
    """How apt fetches on this machine: proxies, certificates, tolerated dates."""
    if shutil.which("apt-config") is None:
        return ""
    lines = output("apt-config", "dump", "Acquire").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Acquire::IndexTargets"))


def apt_sources(debian: str) -> list[str]:
    """Where this machine has its packages from, for that Debian; empty where this machine runs something else."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return []
    own = system.get("VERSION_CODENAME", "")
    if system["ID"] != "debian" or not own:
        return []
    listed = output(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    rows = (line.split() for line in listed.splitlines())
    found = {(uri, release.replace(own, debian), part) for uri, release, part in rows if release.startswith(own)}
    if debian == "sid":  # has neither updates nor security of its own
        found = {row for row in found if row[1] == debian}
    # The plain release first: debootstrap takes it from there.
    return [" ".join(row) for row in sorted(found, key=lambda row: (row[1] != debian, row))]


def pip_settings() -> dict[str, dict[str, str]]:
    """Settings of this machine's pip files, by section; its variables are passed on as they are."""
    sections: dict[str, dict[str, str]] = {}
    for line in output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if not name.startswith(":env:"):
            sections.setdefault(section, {})[option] = " ".join(ast.literal_eval(value).split())
    return sections


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def base(cache: Path, debian: str) -> Path:
    """Return the bare system, made by debootstrap unless it is in the cache."""
    made = cache / debian
    if not made.exists():
        half = cache / f"{debian}.half"
        shutil.rmtree(half, ignore_errors=True)
        sources = [source.split()[0] for source in apt_sources(debian)[:1]]
        options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
        subprocess.run(["unshare", "--mount", "debootstrap", *options, debian, half, *sources], check=True)
        half.rename(made)
    return made


@contextlib.contextmanager
def machine(cache: Path, debian: str, user: str, *, keep: bool) -> Iterator[tuple[Machine, str]]:
    """A fresh machine with a clone in `~/hashmark`, and the name of its user."""
    bare = base(cache, debian)
    root = Path(tempfile.mkdtemp(prefix=f"{debian}-{user}-", dir=cache))
    try:
        subprocess.run(["cp", "--archive", "--reflink=auto", f"{bare}/.", root], check=True)
        root.chmod(0o755)
        made = Machine(root)
        made.settle(debian)
        name = "root" if user == "root" else "tester"
        if user != "root":
            made.run("root", f"useradd --create-home --shell /bin/bash {name}")
            install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq chromium"
            if made.run("root", f"({install}) >/tmp/install.log 2>&1"):
                log = (root / "tmp/install.log").read_text("utf-8")
                sys.exit(f"Chromium could not be installed on {debian}:\n{log}")
        home = root / ("root" if user == "root" else f"home/{name}")
        npm = Path.home() / ".npmrc"
        if npm.is_file():
            shutil.copyfile(npm, home / ".npmrc")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", SOURCE, home / "hashmark"], check=True)
        made.run("root", f"chown -R {name}: {'/root' if user == 'root' else f'/home/{name}'}")
        yield made, name
    finally:
        if keep:
            print(f"kept: {root}")
        else:
            shutil.rmtree(root)  # nothing of this machine is mounted in it: mounts were in the namespaces of `run`


def trial(cache: Path, debian: str, user: str, targets: Iterable[str], *, keep: bool) -> list[tuple[str, bool]]:
    """Run the targets; returns a line about each, and whether it passed."""
    lines = []
    with machine(cache, debian, user, keep=keep) as (made, name):
        for target in targets:
            title = f"{debian}, {user}: make {target}"
            print(f"\n== {title}", flush=True)
            started = time.monotonic()
            status = made.run(name, f"cd hashmark; {shlex.join(['make', *shlex.split(target)])}")
            took = time.monotonic() - started
            lines.append((f"{'passed' if status == 0 else 'FAILED'} {took:5.0f} s  {title}", status == 0))
    return lines


def main() -> None:
    """Run the trials and print how each ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debian", nargs="+", metavar="RELEASE", default=DEBIANS, help="any that debootstrap knows")
    parser.add_argument("--user", nargs="+", choices=USERS, default=USERS)
    parser.add_argument(
        "--make", nargs="+", metavar="TARGET", default=TARGETS, help="""such as 'test ARGS="-k demo"'"""
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"for the bare systems and the trials ({CACHE})")
    parser.add_argument("--keep", action="store_true", help="leave the chroots there")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("make fresh makes chroots, so it needs root.")
    for tool in ("debootstrap", "unshare", "git"):
        if shutil.which(tool) is None:
            sys.exit(f"make fresh needs {tool} (Debian: apt-get install debootstrap util-linux git).")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("make fresh was terminated."))  # and so cleans up
    options.cache.mkdir(parents=True, exist_ok=True)
    lines = []
    for debian in options.debian:
        for user in options.user:
            lines += trial(options.cache, debian, user, options.make, keep=options.keep)
    print("", *(line for line, _ in lines), sep="\n")
    sys.exit(not all(passed for _, passed in lines))


if __name__ == "__main__":
    main()
