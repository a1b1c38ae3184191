"""Running S3 stores, each with one bucket, and other programs that use them."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.embedded.servers import free_ports
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote

BUCKET = "training-data"
SCRIPTS = Path(sysconfig.get_path("scripts"))


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
        """Return the environment that other programs need to reach the store."""
        access, secret = read_credentials(self.credentials_file)
        return {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}


def isolate_from_user() -> None:
    """Keep the user's AWS settings and permissions from this process and its children."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    if not os.environ.get("XDG_STATE_HOME", "").startswith(tempfile.gettempdir()):  # pytest's workers inherit it
        folder = tempfile.mkdtemp(prefix="hashmark-state-")
        os.environ["XDG_STATE_HOME"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def free_port() -> int:
    return free_ports(1)[0]


def wait_until_served(url: str, process: subprocess.Popen[bytes], cafile: Path | None = None) -> None:
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


def write_credentials(folder: Path, access: str = "TESTKEY", secret: str = "testsecret") -> Path:
    path = folder / "credentials"
    path.write_text(f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n")
    return path


@contextlib.contextmanager
def serving_rclone(folder: Path, *flags: str | Path, cafile: Path | None = None) -> Iterator[Store]:
    """Run `rclone serve s3` over `folder` with these flags; over HTTPS if `cafile` is given."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [SCRIPTS / "rclone", "serve", "s3", "--auth-key", "TESTKEY,testsecret"]
    command += ["--addr", address, *flags, folder / "data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"RCLONE_CONFIG": os.devnull})
    url = f"{'https' if cafile else 'http'}://{address}"
    wait_until_served(url, process, cafile)
    yield Store("rclone", url, write_credentials(folder))
    process.terminate()
    process.wait()


def run_tool(command: list[object], environment: dict[str, str], cwd: Path | None = None) -> str:
    """Run another program, which must succeed; return its standard output."""
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
    """Run the AWS CLI as a user would; return its standard output."""
    command = [sys.executable, SCRIPTS / "aws", "--endpoint-url", store.endpoint_url, *arguments]
    return run_tool(command, store.environment())


def rclone_remote(store: Store) -> dict[str, str]:
    """Return the environment that makes `box:` this store for rclone."""
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
