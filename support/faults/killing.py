"""Run hashmark commands in processes that are killed (SIGKILL) at a numbered step or after some time.

A forkserver with everything imported forks a child for each run, so that a kill takes only tenths of a second. The
steps are the calls with outside effects: those of `os` that `disk.durable` and `disk.place` use, requests to the store,
and writes to the state. Only the child counts them; `src` knows nothing of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CALLS = ("open", "write", "fsync", "link", "rename", "replace", "unlink", "mkdir", "chmod", "sendfile", "rmdir")
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["support.faults.killing", "hashmark.cli.commands.clean", "hashmark.cli.commands.push", "hashmark.s3.bucket"]
)


@dataclass(frozen=True)
class End:
    """How a run ended: -9 is killed. `steps` names the steps it took, if it was not killed."""

    status: int
    out: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Killer:
    """Runs commands in `cwd`. `small` is the largest single PUT in bytes, so that small files are uploaded in parts."""

    cwd: Path
    environment: Mapping[str, str]
    small: int | None = None

    def __call__(self, *arguments: object, at: int | str | None = None, after: float | None = None) -> End:
        """Run a command; kill it `at` a step (its number, or the first of its name) or `after` some seconds."""
        log = self.cwd.parent / f"{self.cwd.name}.log"
        words = [str(argument) for argument in arguments]
        log.touch()  # a child that is killed at once has not created it
        child = _CONTEXT.Process(target=_run, args=(words, self.cwd, dict(self.environment), log, at, self.small))
        child.start()
        if after is not None:
            child.join(after)
            child.kill()
        child.join(120)
        assert child.exitcode is not None, f"{words} did not end"
        text = log.read_text()
        steps = log.with_suffix(".steps")
        taken = tuple(steps.read_text().split()) if child.exitcode >= 0 and steps.exists() else ()
        end = End(child.exitcode, text, taken)
        child.close()
        return end


class _Steps:
    """Counts the steps and kills this process at the chosen one."""

    def __init__(self, at: int | str | None) -> None:
        self.names: list[str] = []
        self._at = at
        self._lock = threading.Lock()

    def step(self, name: str) -> None:
        with self._lock:
            self.names.append(name)
            if self._at in {len(self.names), name}:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def watch(self, owner: Any, name: str, label: Callable[..., str]) -> None:
        call = getattr(owner, name)

        def watched(*values: Any, **options: Any) -> Any:
            self.step(label(*values, **options))
            return call(*values, **options)

        setattr(owner, name, watched)


def _run(
    words: list[str], cwd: Path, environment: dict[str, str], log: Path, at: int | str | None, small: int | None
) -> None:
    os.chdir(cwd)
    os.environ.update(environment)
    with log.open("w", encoding="utf-8") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    steps = _Steps(at)
    _instrument(steps, small)
    status = 0
    try:
        from hashmark.cli.main import main  # noqa: PLC0415 - in the child, after the calls it uses are watched

        sys.argv = ["hashmark", *words]
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        log.with_suffix(".steps").write_text(" ".join(steps.names))
    os._exit(status)


def _instrument(steps: _Steps, small: int | None) -> None:
    from hashmark.s3.client import Client  # noqa: PLC0415 - as above
    from hashmark.state.state import State  # noqa: PLC0415
    from hashmark.transfer import moves, parts  # noqa: PLC0415

    if small is not None:
        moves.MAX_SINGLE_PUT_BYTES = parts.PART_BYTES = small
    for name in _CALLS:
        steps.watch(os, name, lambda *_values, _name=name, **_options: _name)
    steps.watch(Client, "send", lambda _self, operation, *_values, **_options: str(operation))
    steps.watch(State, "record_bases", lambda _self, _remote, bases: "record" if bases else "nothing-to-record")
    steps.watch(State, "forget_bases", lambda *_values: "forget")
