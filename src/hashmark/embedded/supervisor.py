"""The supervisor of an embedded bucket: a process that owns the server and stops it when no process uses it.

It waits for the exclusive lock on `users.lock`, which the kernel grants once the last user has ended, even by a crash;
then a little longer, because commands often follow each other. It is not imported: `embedded_bucket` starts it by name.
Knows neither the users nor the bucket's content.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hashmark.core.errors import HashmarkError
from hashmark.disk.private_folder import PrivateFolder
from hashmark.embedded.embedded_bucket import (
    ADDRESS,
    CREDENTIALS,
    OPENED_LOCK,
    RUNNING,
    STOP,
    STOP_TIMEOUT_S,
    USERS,
    read_credentials,
    supervisor_of,
)
from hashmark.embedded.servers import Launch, launch, server_version
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote

LINGER_S = 20
"""How long the server keeps running for the next command."""


def supervise(path: Path, bucket: str) -> int:
    """Run the server until no process uses it; the body of the supervisor process."""
    os.umask(0o077)  # for the server as well: what it stores is for its owner alone
    with PrivateFolder(path.parent, path.name) as folder:
        lock, running = folder.open(USERS, OPENED_LOCK), folder.open(RUNNING, OPENED_LOCK)
        fcntl.flock(running, fcntl.LOCK_EX)
        for left in path.glob("run-*"):  # by a supervisor that was killed: no other one runs
            shutil.rmtree(left, ignore_errors=True)
        working = Path(tempfile.mkdtemp(prefix="run-", dir=path))
        try:
            credentials = path / CREDENTIALS
            return _serve(folder, launch(path / "data", working, bucket, read_credentials(credentials)), working, lock)
        finally:
            shutil.rmtree(working, ignore_errors=True)


def _serve(folder: PrivateFolder, how: Launch, working: Path, lock: int) -> int:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WEED_"))} | how.environment
    server = subprocess.Popen(how.command, env=environment, cwd=working, preexec_fn=_die_with_parent)  # noqa: PLW1509
    try:
        while server.poll() is None and not _is_ready(folder, how):
            time.sleep(0.02)
        if server.poll() is not None:
            return 1
        facts = {"endpoint_url": how.endpoint_url, "server": server_version(), "pid": os.getpid()}
        folder.write(ADDRESS, json.dumps(facts).encode())
        _wait_until_unused(lock, folder, server)
        # New users wait for this lock while the server stops, then find no address and start their own.
    finally:
        if supervisor_of(folder) == os.getpid():
            folder.remove(ADDRESS)
        _stop(server)
        if _is_in(folder, lock):
            folder.remove(STOP)
        for left in how.leftovers:
            left.unlink(missing_ok=True)
    return 0


def _is_ready(folder: PrivateFolder, how: Launch) -> bool:
    """Return whether the bucket can be used, asked as its users will: the port answers before the bucket exists."""
    host, _, port = how.endpoint_url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    credentials = str(folder.path / CREDENTIALS)
    try:
        bucket = Bucket(Remote(how.bucket, "", how.endpoint_url, "us-east-1", credentials_file=credentials))
        bucket.client.call("HeadBucket", "HEAD")
    except HashmarkError:
        return False
    return True


def _is_in(folder: PrivateFolder, lock: int) -> bool:
    """Return whether the lock is still in the folder: it may have been deleted, and a new one created at its path."""
    there, held = folder.facts(USERS), os.fstat(lock)
    return there is not None and (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def _wait_until_unused(lock: int, folder: PrivateFolder, server: subprocess.Popen[bytes]) -> None:
    """Return with the exclusive lock, once the server was unused for a while, or when a process asks to stop it.

    Returns at once if the server is unused and the folder is gone, and without the lock if the server ends by itself.
    """
    unused_since: float | None = None
    refused = False
    while server.poll() is None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = None
            # Refused only when seen twice: the process that asks may have released its lock right after this attempt.
            if refused:
                folder.remove(STOP)
            refused = folder.exists(STOP)
        else:
            unused_since = unused_since or time.monotonic()
            if folder.exists(STOP) or time.monotonic() - unused_since >= LINGER_S or not _is_in(folder, lock):
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
