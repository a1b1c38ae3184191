"""The embedded bucket: a real S3 store on loopback, kept in one folder, that runs while any process uses it.

Every user holds a shared lock on `users.lock`; the first starts a `supervisor`, which owns the server. So two commands
share one server, and no server is left running. The supervisor holds the lock on `server.lock` as long as it lives: an
address counts only while that is held. So a copied folder, or a new one at the same path, has a server of its own, and
a program that listens at the port of a killed server is not taken for it.

A folder that this machine did not make is refused, since another's may hold settings of the server and symlinks: its
random `id` must be in the user's state directory, too. Knows no datasets.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hashmark.core.errors import LocalError, NotTrusted
from hashmark.disk.leftovers import is_running
from hashmark.disk.private_folder import PrivateFolder
from hashmark.embedded.servers import find_server
from hashmark.state import permissions

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

ADDRESS = "address.json"
"""Files of the folder, shared by users and supervisor: where the server is, who uses it, whether it runs, its keys, and
the request to stop it."""
USERS = "users.lock"
RUNNING = "server.lock"
CREDENTIALS = "credentials"
STOP = "stop"
IDENTITY = "id"

OPENED_LOCK = os.O_RDWR | os.O_CREAT
"""How a lock file is opened: its content, if any, stays."""


@dataclass(frozen=True)
class Address:
    """Where the server listens, and its name and version."""

    endpoint_url: str
    server: str


class EmbeddedBucket:
    """One user of the bucket in `folder`. Use it as a context manager, or call `close`.

    Raises:
        UsageError: neither SeaweedFS nor rclone is installed.
        NotTrusted: the folder was made by another user or on another machine.
        LocalError: the server does not start.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self.bucket = bucket
        self._folder = PrivateFolder(folder.parent, folder.name)
        self.folder = self._folder.path
        try:
            _check_identity(self._folder)
            _write_credentials(self._folder)
            self._lock = open(self._folder.open(USERS, OPENED_LOCK), "rb")  # noqa: PTH123, SIM115 - kept open
        except OSError as error:
            self._folder.close()
            raise _unusable(folder, error) from None
        except BaseException:
            self._folder.close()
            raise
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            self.address = self._running() or self._start()
        except OSError as error:
            self.close()
            raise _unusable(folder, error) from None
        except BaseException:
            self.close()
            raise

    @property
    def credentials_file(self) -> Path:
        """An AWS shared credentials file with this bucket's own keys, readable by its owner alone."""
        return self.folder / CREDENTIALS

    def __enter__(self) -> EmbeddedBucket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop using the server. It stops soon after its last user."""
        if not self._lock.closed:
            self._lock.close()
            self._folder.close()

    def stop(self) -> None:
        """Stop using the server and wait until it has stopped, unless another process uses it."""
        if self._lock.closed:
            return
        supervisor = supervisor_of(self._folder)
        self._lock.close()
        try:
            self._folder.write(STOP, b"")
            deadline = time.monotonic() + STOP_TIMEOUT_S + 5
            # The supervisor removes the request once the server has stopped, or because others still use the server.
            while self._folder.exists(STOP) and time.monotonic() < deadline:
                time.sleep(0.02)
            while not (self._folder.exists(ADDRESS) or supervisor is None or _has_ended(supervisor)):
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)
        finally:
            self._folder.close()

    def _running(self) -> Address | None:
        try:
            facts = json.loads(self._folder.read(ADDRESS))
            address = Address(facts["endpoint_url"], facts["server"])
        except (OSError, ValueError, KeyError):
            return None
        return address if _is_held(self._folder, RUNNING) else None

    def _start(self) -> Address:
        with self._folder.locked():
            running = self._running()
            if running:
                return running
            self._folder.remove(ADDRESS)
            find_server()
            log = self._folder.open("server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "hashmark.embedded.supervisor", str(self.folder), self.bucket],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for this process; the server stops after it
                )
            finally:
                os.close(log)
            return self._wait_for(process)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> Address:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            address = self._running()
            if address:
                # The supervisor may outlive this process, so nobody waits for it.
                process.returncode = 0
                return address
            time.sleep(0.02)
        process.kill()
        process.wait()
        raise LocalError("The embedded bucket did not start.", f"Its log is {self.folder / 'server.log'}.")


def _unusable(folder: Path, error: OSError) -> LocalError:
    return LocalError(f"The embedded bucket cannot use {folder / (error.filename or '')}: {error.strerror}.")


def supervisor_of(folder: PrivateFolder) -> int | None:
    """Return the process that wrote the address in this folder; None if it can't be read."""
    try:
        return int(json.loads(folder.read(ADDRESS))["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _is_held(folder: PrivateFolder, name: str) -> bool:
    """Return whether a process holds the exclusive lock on this file."""
    with open(folder.open(name, OPENED_LOCK), "rb") as lock:  # noqa: PTH123 - a descriptor, no path
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _has_ended(pid: int) -> bool:
    """Return whether a process has ended. A child of this process is reaped, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    return not is_running(pid)


def _check_identity(folder: PrivateFolder) -> None:
    """Give a new folder an identity; refuse one whose identity this user does not know.

    Raises:
        NotTrusted: it was made by another user or on another machine.
    """
    with folder.locked():
        if folder.is_empty():
            adopt(folder)
    if not permissions.is_known("bucket", identity_of(folder)):
        raise NotTrusted(
            f"You did not make the embedded bucket {folder.path} on this machine: it may contain anything.",
            f"If you trust the person who made it, run `hashmark trust {shlex.quote(str(folder.path))}`.",
        )


def identity_of(folder: PrivateFolder) -> str:
    """Return the random ID that the folder got when it was made; empty if it has none."""
    try:
        return folder.read(IDENTITY).decode("ascii", "replace")
    except OSError:
        return ""


def adopt(folder: PrivateFolder) -> None:
    """Give the folder a new identity, which this user knows.

    Raises:
        OSError: it can't be written.
    """
    identity = secrets.token_hex(16)
    permissions.remember("bucket", identity)
    folder.write(IDENTITY, identity.encode())


def _write_credentials(folder: PrivateFolder) -> None:
    if folder.exists(CREDENTIALS):
        return
    text = (
        "[default]\n"
        f"aws_access_key_id = {secrets.token_hex(10).upper()}\n"
        f"aws_secret_access_key = {secrets.token_urlsafe(30)}\n"
    )
    folder.write(CREDENTIALS, text.encode(), replace=False)


def read_credentials(path: Path) -> tuple[str, str]:
    """Return access key and secret from a credentials file written by this module."""
    facts = dict(line.split(" = ", 1) for line in path.read_text().splitlines() if " = " in line)
    return facts["aws_access_key_id"], facts["aws_secret_access_key"]
