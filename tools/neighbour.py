"""Tries, as another user of this machine, to reach a library's embedded bucket.

    python tools/neighbour.py LIBRARY [PORT…]

Started as root it becomes `nobody`; started as any other user who does not own the library it stays that user. It
tries the given ports, or every port that listens on this machine (HTTP, HTTPS, S3 and SeaweedFS's gRPC), every unix
socket, the library's files and the processes' secrets in /proc. It prints each thing that it got; the exit status is 0
if it got nothing. Needs Linux, and nothing of hashmark's.
"""

from __future__ import annotations

import codecs
import contextlib
import http.client
import os
import pwd
import socket
import ssl
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TIMEOUT_S = 3.0
THREADS = 8

REQUESTS = (
    *(("GET", path) for path in ("/", "/?pretty=y", "/buckets/", "/?list-type=2", "/training-data?list-type=2")),
    *(("GET", path) for path in ("/dir/assign", "/dir/status", "/vol/status", "/cluster/status", "/ui/index.html")),
    *(("GET", path) for path in ("/col/delete?collection=training-data", "/stats/disk", "/debug/pprof/", "/metrics")),
    ("POST", "/submit"),
    ("PUT", "/buckets/training-data/planted.txt"),
    ("PUT", "/training-data/planted.txt"),
    ("DELETE", "/buckets/training-data?recursive=true"),
)
"""Requests that read, write or delete: those of SeaweedFS's filer, master and volume server, and those of S3."""


def attack(library: Path, ports: Collection[int], weed: int | None = None) -> list[str]:
    """Return what this process got. `weed` is a descriptor of SeaweedFS's program, to try its shell."""
    got = [*_files(library), *_processes(library), *_sockets()]
    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(lambda port: [*_requests(port), *_shell(port, weed)], ports):
            got += found
    return got


def _requests(port: int) -> Iterator[str]:
    for tls in (False, True):
        for method, path in REQUESTS:
            answer = _answer(port, method, path, tls=tls)
            if answer is not None and answer < 400:
                yield f"port {port}: {method} {path} over {'HTTPS' if tls else 'HTTP'} was answered with {answer}"


def _answer(port: int, method: str, path: str, *, tls: bool) -> int | None:
    """Return the status of the answer; None if the connection was refused or closed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, b"planted" if method in {"PUT", "POST"} else None)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


def _shell(port: int, weed: int | None) -> Iterator[str]:
    """Try to list the bucket by gRPC with SeaweedFS's own shell, if this is the port of a master."""
    if weed is None:
        return
    program = f"/proc/self/fd/{weed}"  # the program's folder may be closed to this user
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        done = subprocess.run(
            [program, "shell", f"-master=127.0.0.1:1.{port}"],  # the number after the dot is gRPC's port
            input=b"fs.ls -l /buckets\ncluster.ps\n",
            capture_output=True,
            pass_fds=[weed],
            timeout=TIMEOUT_S,
            check=False,
            cwd="/",
            env={"HOME": "/nonexistent"},
        )
        if b"training-data" in done.stdout or b"filers" in done.stdout:
            yield f"port {port}: SeaweedFS's shell was answered: {done.stdout[:200]!r}"


def _files(library: Path) -> Iterator[str]:
    """Try to read, and to write beside, everything at and below `.hashmark`."""
    own = library / ".hashmark"
    for folder, _, names in os.walk(own):
        yield f"{folder} can be listed"
        for name in names:
            if os.access(Path(folder, name), os.R_OK):
                yield f"{folder}/{name} can be read"
    for path in (own / "bucket" / "credentials", own / "bucket" / "users.lock", own / "state.sqlite"):
        with contextlib.suppress(OSError):
            yield f"{path} can be read: {len(path.read_bytes())} bytes"
    with contextlib.suppress(OSError):
        (own / "planted").write_bytes(b"")
        yield f"{own} can be written"


def _processes(library: Path) -> Iterator[str]:
    """Try to read the environment, the open files and the working folder of every process that names the library."""
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if os.fsencode(library) not in command:
                continue
            if b"aws_secret" in command.lower() or b"auth-key" in command.lower():
                yield f"the command line of process {process.name} has a secret"
            for secret in ("environ", "cwd", "fd", "root", "mem"):
                with contextlib.suppress(OSError):
                    path = process / secret
                    if path.is_symlink():
                        list(path.readlink().iterdir())
                    elif path.is_dir():
                        list(path.iterdir())
                    else:
                        with path.open("rb") as file:
                            file.read(1)
                    yield f"{path} can be read"


def _sockets() -> Iterator[str]:
    """Try to connect to each unix socket of SeaweedFS and of hashmark."""
    with contextlib.suppress(OSError):
        paths = {line.split()[-1] for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()[1:]}
        for path in sorted(path for path in paths if "seaweedfs" in path or "hashmark" in path or "weed" in path):
            with socket.socket(socket.AF_UNIX) as one, contextlib.suppress(OSError):
                one.settimeout(TIMEOUT_S)
                one.connect(path)
                yield f"the socket {path} can be connected to"


def listening() -> list[int]:
    """Return the ports that listen on this machine, from Linux's tables."""
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                address, state = line.split()[1], line.split()[3]
                if state == "0A":
                    ports.add(int(address.rpartition(":")[2], 16))
    return sorted(ports)


def become_nobody() -> None:
    """Give up root's rights for good."""
    for codec in ("ascii", "idna", "latin-1"):
        codecs.lookup(codec)  # loaded now: Python's folder may be closed to nobody
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def main(library: Path, ports: Collection[int]) -> int:
    """Try everything, print what was got, and return the exit status."""
    found = Path(sys.executable).with_name("weed")
    weed = os.open(found, os.O_RDONLY) if found.is_file() else None
    if os.geteuid() == 0:
        become_nobody()
    ports = ports or listening()
    got = attack(library, ports, weed)
    for line in got:
        sys.stdout.write(f"{line}\n")
    shell = "with" if weed is not None else "without"
    sys.stdout.write(
        f"User {os.geteuid()} tried {len(ports)} ports ({shell} SeaweedFS's shell): {len(got)} tries succeeded.\n"
    )
    return 1 if got else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), [int(port) for port in sys.argv[2:]]))
