"""The supervisor of an embedded bucket: a process that owns the server and stops it when no process uses it.

It waits for the exclusive lock on `users.lock`, which the kernel grants once the last user has ended, even by a crash;
then a little longer, because commands often follow each other. It is not imported: `embedded_bucket` starts it by name.
Knows neither the users nor the bucket's content.
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
from hashmark.embedded.embedded_bucket import (
    ADDRESS,
    CREDENTIALS,
    STOP,
    STOP_TIMEOUT_S,
    USERS,
    answers,
    find_server,
    identity,
    read_credentials,
    server_version,
    supervisor_of,
)

LINGER_S = 20
"""How long the server keeps running for the next command."""
WEED_PORTS = ("s3", "master", "volume", "filer", "admin")


def supervise(folder: Path, bucket: str) -> int:
    """Run the server until no process uses it; the body of the supervisor process."""
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
            for path in launch.leftovers:
                path.unlink(missing_ok=True)
    return 0


@dataclass(frozen=True)
class _Launch:
    """How to run the server. It is ready, with its bucket, when every address of `ready` answers."""

    command: list[str]
    environment: dict[str, str]
    endpoint_url: str
    ready: list[str]
    leftovers: list[Path] = field(default_factory=list)
    """Files that the server leaves outside the folder."""


def _launch(folder: Path, bucket: str) -> _Launch:
    access, secret = read_credentials(folder / CREDENTIALS)
    name, path = find_server()
    data = folder / "data"
    if name == "rclone":
        (data / bucket).mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        # In the environment, because other users can read a command line; quoted, because rclone expects a list.
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
    # Relative paths, so that the sockets are in this folder and short enough for the system's limit.
    fixed += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
    fixed += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    url = f"http://127.0.0.1:{http['s3']}"
    # The S3 port answers before the bucket exists; the filer shows when it does.
    ready = [url, f"http://127.0.0.1:{http['filer']}/buckets/{bucket}/"]
    sockets = [Path(f"/tmp/seaweedfs-{what}-grpc-{port}.sock") for what, port in grpc.items()]  # noqa: S108
    return _Launch([str(path), "mini", f"-dir={data}", f"-bucket={bucket}", *fixed, *flags], keys, url, ready, sockets)


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that are free.

    They are below those that Linux and macOS give to outgoing connections (32768 and up), because such a connection
    could take the port before the server does.
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
        raise LocalError("No port of this machine is free.", "Stop some servers.")
    finally:
        for one in sockets:
            one.close()


def _is_in(folder: Path, lock: IO[str]) -> bool:
    """Return whether the lock is still in the folder: it may have been deleted, and a new one created at its path."""
    try:
        return identity((folder / USERS).stat()) == identity(os.fstat(lock.fileno()))
    except OSError:
        return False


def _withdraw(folder: Path) -> None:
    """Remove the address if it is still that of this process, and not of a later supervisor."""
    address = folder / ADDRESS
    if supervisor_of(address) == os.getpid():
        address.unlink(missing_ok=True)


def _wait_until_unused(lock: IO[str], folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Return with the exclusive lock, once the server was unused for a while, or when a process asks to stop it.

    Returns at once if the server is unused and the folder is gone, and without the lock if the server ends by itself.
    """
    stop = folder / STOP
    unused_since: float | None = None
    refused = False
    while server.poll() is None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = None
            # Refused only when seen twice: the process that asks may have released its lock right after this attempt.
            if refused:
                stop.unlink(missing_ok=True)
            refused = stop.exists()
        else:
            unused_since = unused_since or time.monotonic()
            if stop.exists() or time.monotonic() - unused_since >= LINGER_S or not _is_in(folder, lock):
                return
            fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(0.1)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _die_with_parent() -> None:
    """Ask Linux to stop the server if the supervisor is killed; do nothing on other systems."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here, in the child

        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG, prctl(2)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), sys.argv[2]))
