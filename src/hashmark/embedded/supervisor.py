"""The supervisor of a bucket in a box: a process that owns the server, and stops it when nobody uses it.

It waits for the exclusive lock on `users.lock`, which the kernel grants when the last user has ended, however that
ended; then a little longer, because commands often follow each other. Nothing of hashmark imports it: `embedded` starts
it by its name. Knows nothing of who the users are, nor of what is in the bucket.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hashmark.core.errors import LocalError
from hashmark.embedded.store import (
    ADDRESS,
    CREDENTIALS,
    STOP,
    STOP_SECONDS,
    USERS,
    answers,
    find_server,
    identity,
    read_credentials,
    server_version,
    supervisor_of,
)

LINGER_SECONDS = 20
"""How long the server waits for the next command."""
WEED_PORTS = ("s3", "master", "volume", "filer", "admin")


def supervise(folder: Path, bucket: str) -> int:
    """Run the server until nobody uses it; the body of the supervisor process."""
    launch = _launch(folder, bucket)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | launch.environment
    server = subprocess.Popen(launch.command, env=environment, cwd=folder, preexec_fn=_die_with_parent)  # noqa: PLW1509
    with (folder / USERS).open("w") as lock:
        try:
            while server.poll() is None and not all(answers(url) for url in launch.ready):
                time.sleep(0.02)
            if server.poll() is not None:
                return 1
            temporary = folder / f"{ADDRESS}.new"
            facts = {"endpoint_url": launch.endpoint_url, "server": server_version(), "pid": os.getpid()}
            temporary.write_text(json.dumps(facts | {"users": identity(os.fstat(lock.fileno()))}), encoding="utf-8")
            temporary.replace(folder / ADDRESS)
            _wait_until_unused(lock, folder, server)
            # New users wait for this lock while the server stops, then find no address and start their own.
        finally:
            _withdraw(folder)
            _stop(server)
            if _is_in(folder, lock):
                (folder / STOP).unlink(missing_ok=True)
            for path in launch.litter:
                path.unlink(missing_ok=True)
    return 0


@dataclass(frozen=True)
class _Launch:
    """How to run the server. It is up when every address of `ready` answers; the bucket is then there too."""

    command: list[str]
    environment: dict[str, str]
    endpoint_url: str
    ready: list[str]
    litter: list[Path] = field(default_factory=list)
    """What the server leaves outside the folder."""


def _launch(folder: Path, bucket: str) -> _Launch:
    access, secret = read_credentials(folder / CREDENTIALS)
    name, path = find_server()
    data = folder / "data"
    if name == "rclone":
        (data / bucket).mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        # By the environment, because a command line can be read by others; quoted, because it is a list there.
        keys = {"RCLONE_AUTH_KEY": f'"{access},{secret}"', "RCLONE_CONFIG": os.devnull}
        url = f"http://127.0.0.1:{port}"
        return _Launch([str(path), "serve", "s3", f"--addr=127.0.0.1:{port}", str(data)], keys, url, [url])
    data.mkdir(parents=True, exist_ok=True)
    ports = iter(free_ports(2 * len(WEED_PORTS)))
    http = {what: next(ports) for what in WEED_PORTS}
    flags = [f"-{what}.port={port}" for what, port in http.items()]
    grpc = {what: next(ports) for what in WEED_PORTS}
    flags += [f"-{what}.port.grpc={port}" for what, port in grpc.items()]
    fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"]
    # Sockets by a relative name: in our folder, and short enough for the system's limit.
    fixed += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
    fixed += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    url = f"http://127.0.0.1:{http['s3']}"
    # The S3 port answers before the bucket is made; the filer shows when it is.
    ready = [url, f"http://127.0.0.1:{http['filer']}/buckets/{bucket}/"]
    sockets = [Path(f"/tmp/seaweedfs-{what}-grpc-{port}.sock") for what, port in grpc.items()]  # noqa: S108
    return _Launch([str(path), "mini", f"-dir={data}", f"-bucket={bucket}", *fixed, *flags], keys, url, ready, sockets)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on.

    Taken from below those that Linux and macOS hand out to outgoing connections (32768 and up): one of these could take
    the port before the server does.
    """
    sockets: list[socket.socket] = []
    try:
        for port in random.sample(range(10_000, 32_000), 22_000):
            one = socket.socket()
            sockets.append(one)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                sockets.pop().close()
            if len(sockets) == count:
                return [one.getsockname()[1] for one in sockets]
        raise LocalError("No port of this machine is free.", "End some servers.")
    finally:
        for one in sockets:
            one.close()


def _is_in(folder: Path, lock: IO[str]) -> bool:
    """Whether the lock is still the folder's: it may have been deleted, and another made at its path."""
    try:
        return identity((folder / USERS).stat()) == identity(os.fstat(lock.fileno()))
    except OSError:
        return False


def _withdraw(folder: Path) -> None:
    """Take the address away, if it is that of this process: by now another's may be there."""
    address = folder / ADDRESS
    if supervisor_of(address) == os.getpid():
        address.unlink(missing_ok=True)


def _wait_until_unused(lock: IO[str], folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Return holding the exclusive lock, when nobody has used the server for a while or somebody asked to stop.

    At once where nobody uses it and the folder is gone. Returns without the lock if the server ends by itself.
    """
    stop = folder / STOP
    unused_since: float | None = None
    refused = False
    while server.poll() is None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = None
            # Seen twice: the one who asks may have let go only after this look at the lock.
            if refused:
                stop.unlink(missing_ok=True)
            refused = stop.exists()
        else:
            unused_since = unused_since or time.monotonic()
            if stop.exists() or time.monotonic() - unused_since >= LINGER_SECONDS or not _is_in(folder, lock):
                return
            fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(0.1)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _die_with_parent() -> None:
    """Ask Linux to stop the server should the supervisor be killed; elsewhere nothing is done."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here, in the child

        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG, prctl(2)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), sys.argv[2]))
