"""Run the installed `hashmark` command as a user would."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.stores import BUCKET, SCRIPTS, Store


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `hashmark` in a folder with an environment."""

    cwd: Path
    environment: dict[str, str]

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SCRIPTS / "hashmark", *map(str, arguments)],
            cwd=self.cwd,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, timeout: float = 120) -> Ran:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert "Traceback" not in out + err, err
        return Ran(process.returncode, out, err)


def library(store: Store, root: Path, prefix: str) -> Shell:
    """Create a library at `root` on `store` with `hashmark init`."""
    root.mkdir(parents=True, exist_ok=True)
    shell = Shell(root, store.environment())
    url = f"s3://{BUCKET}/{prefix}"
    ran = shell("init", "--remote", url, "--endpoint-url", store.endpoint_url, "--region", "us-east-1")
    assert ran.status == 0, ran.err
    return shell


def end(process: subprocess.Popen[str], number: signal.Signals) -> Ran:
    """Send a signal and wait for the process to end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)


def typed(shell: Shell, answer: str, *arguments: object, meanwhile: Callable[[], object] = lambda: None) -> Ran:
    """Run a command on a terminal and answer its prompt. `meanwhile` runs between prompt and answer."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [SCRIPTS / "hashmark", *map(str, arguments)],
            cwd=shell.cwd,
            env=os.environ | shell.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr
            asked = ""
            while not asked.endswith("to go on: ") and (char := process.stderr.read(1)):
                asked += char
            meanwhile()
            os.write(ours, answer.encode())
            out, err = process.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    return Ran(process.returncode, out, asked + err)
