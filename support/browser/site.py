"""A library with its bucket, served by `hashmark serve`, with direct access to both sides."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from PIL import Image
from playwright.sync_api import Page

from hashmark.demo import sample_library
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.library.library import Library
from hashmark.library.settings import create
from support.command import Ran, Shell
from support.datasets import STYLE
from support.stores import BUCKET, Store, free_port

LINK = re.compile(r"https?://\S+/\?token=\S+")


class Site:
    """A library at `root`. After `start`, `link` returns the link that logs one browser in."""

    def __init__(self, root: Path, store: Store, prefix: str, *, endpoint_url: str | None = None) -> None:
        self.root = root
        self.folder = root / STYLE
        self.prefix = prefix
        self.port = self.shown_port = free_port()
        self._shell = Shell(root, store.environment())
        self._process: subprocess.Popen[str] | None = None
        self._links: queue.Queue[str] = queue.Queue()
        access, secret = read_credentials(store.credentials_file)
        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=store.endpoint_url,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )
        url = endpoint_url or store.endpoint_url
        self._remote = replace(store.remote(prefix), endpoint_url=url)
        where: dict[str, str | bool] = {"url": f"s3://{BUCKET}/{prefix}", "endpoint_url": url}
        create(root, where | {"region": "us-east-1"})

    def push(self, dataset: str = "82") -> None:
        """Push new files, in this process because that is faster."""
        with Library.open(self.root) as library:
            settings = replace(library.settings, remote=self._remote)
            with Library(self.root, settings) as own:
                result = sample_library.push_new(own.dataset(dataset), lambda _event: None, threading.Event())
        assert result.outcome.fatal is None
        assert not result.outcome.state.failures

    def __call__(self, *arguments: object) -> Ran:
        """Run a command in the library; it must succeed."""
        ran = self._shell(*arguments)
        assert ran.status == 0, ran.out + ran.err
        return ran

    # ---- the server

    def start(self, *options: object) -> Site:
        self._process = self._shell.start("serve", "--port", self.port, *options)
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        return self

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            if found := LINK.search(line):
                self._links.put(found.group())

    def link(self) -> str:
        """Return the link printed last; it logs one browser in."""
        return self._links.get(timeout=60).replace(f":{self.port}/", f":{self.shown_port}/")

    def log_in(self, page: Page) -> None:
        """Open the link printed last, and wait until its login page has led to the library page."""
        page.goto(self.link())
        page.wait_for_url(f"http://127.0.0.1:{self.shown_port}/")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=30)
        finally:
            self._process.kill()
        self._listener.join()
        assert self._process.stdout
        assert self._process.stderr
        errors = self._process.stderr.read()
        self._process.stdout.close()
        self._process.stderr.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._links.get_nowait()
        self._process = None
        assert "Traceback" not in errors, errors

    def memory(self) -> int:
        """Return the server's resident memory in bytes."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    # ---- the disk

    def write(self, name: str, data: bytes | str, *, same_facts: bool = False) -> None:
        """Write a file as an editor does; with `same_facts`, keep its size and times."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat() if same_facts else None
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        if before:
            assert path.stat().st_size == before.st_size
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def on_disk(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    # ---- the bucket

    def object(self, name: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=BUCKET, Key=self._key(name))["Body"].read()
        return body

    def put(self, name: str, data: bytes | str) -> None:
        """Upload an object as another machine would."""
        self._s3.put_object(Bucket=BUCKET, Key=self._key(name), Body=data.encode() if isinstance(data, str) else data)

    def objects(self) -> dict[str, bytes]:
        """Read every object of the dataset."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self._key(""))
        names = [row["Key"].removeprefix(self._key("")) for page in pages for row in page.get("Contents", [])]
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(names, pool.map(self.object, names), strict=True))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{STYLE}/{name}"


def picture(seed: int, side: int = 24) -> bytes:
    """Return a small PNG that depends on the seed."""
    import io  # noqa: PLC0415

    out = io.BytesIO()
    colour = tuple(hashlib.md5(str(seed).encode(), usedforsecurity=False).digest()[:3])
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


def pairs(site: Site, count: int, captions: Mapping[int, str] | None = None) -> None:
    """Write `count` pairs into the site's dataset, numbered from 1."""
    site.folder.mkdir(parents=True, exist_ok=True)
    for n in range(1, count + 1):
        (site.folder / f"{n:04d}.png").write_bytes(picture(n))
        (site.folder / f"{n:04d}.txt").write_text((captions or {}).get(n, f"a stellar sketch, number {n}\n"))


def copy_style(master: Path, site: Site) -> None:
    shutil.copytree(master / STYLE, site.folder)


SiteMaker = Callable[..., Site]
