"""Only the event loop's thread changes what the page shows, so nothing there needs a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hashmark.library.library import Library
from hashmark.search.items import item_id
from hashmark.web.session.jobs import Job
from hashmark.web.session.live_dataset import CheckProgress, LintState, LiveDataset
from support.datasets import STYLE
from support.waiting import wait_for
from support.web.serving import Served, serving, verdicts

AT = "/api/datasets/82"


class Writes:
    """Every write to these classes: their names, and those that a thread without an event loop made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *classes: type) -> None:
        self.seen: set[str] = set()
        self.off_loop: set[str] = set()
        for cls in classes:
            self._record(monkeypatch, cls)

    def _record(self, monkeypatch: pytest.MonkeyPatch, cls: type) -> None:
        actual: Callable[..., None] = cls.__setattr__

        def record(owner: object, name: str, value: object) -> None:
            self.note(f"{cls.__name__}.{name}")
            actual(owner, name, RecordingDict(self, name, value) if type(value) is dict else value)

        monkeypatch.setattr(cls, "__setattr__", record)

    def note(self, name: str) -> None:
        self.seen.add(name)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.off_loop.add(name)


class RecordingDict(dict[Any, Any]):
    """A dictionary whose changes count as writes."""

    def __init__(self, writes: Writes, name: str, content: dict[Any, Any]) -> None:
        super().__init__(content)
        self._writes, self._name = writes, f"{name}[]"

    def _note(self) -> None:
        self._writes.note(self._name)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._note()
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self._note()
        super().__delitem__(key)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._note()
        super().update(*args, **kwargs)

    def pop(self, *args: Any) -> Any:
        self._note()
        return super().pop(*args)


def test_a_write_off_the_loop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch, LintState)
    state = LintState()
    state.found["0000.txt"] = {"several-lines"}
    assert {"LintState.progress", "found[]"} <= writes.off_loop

    async def on_the_loop() -> None:
        LintState()

    writes.off_loop.clear()
    asyncio.run(on_the_loop())
    assert not writes.off_loop


def test_worker_threads_change_nothing_that_the_page_shows(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch, LiveDataset, LintState, CheckProgress, Job)
    with serving(library) as served:
        use_everything(served, library)
    assert writes.off_loop == set()
    assert {
        "LiveDataset.items",
        "LiveDataset.check_progress",
        "LiveDataset.health",
        "LiveDataset.tag_counts",
        "LiveDataset.texts",
        "LintState.progress",
        "LintState.report",
        "Job.state",
        "Job.found",
        "Job.batch",
        "files[]",
        "dirty[]",
        "sizes[]",
    } <= writes.seen


def use_everything(served: Served, library: Library) -> None:
    """Whatever changes rows, counts, findings or jobs."""
    verdicts(served)
    caption = f"{AT}/captions/{item_id('0000.png')}"
    saved = served.ask("PUT", caption, json={"text": "a cat, a dog\n\n", "replaces": served.get(caption)["md5"]})
    assert saved.status_code == 200
    (library.root / STYLE / "0002.txt").write_text("edited on disk\n")
    wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-changed")
    assert served.get(f"{AT}/tags?trigger=a cat")["captions"] == 3
    served.post(f"{AT}/lint", {}, 202)
    wait_for(lambda: served.get(f"{AT}/lint")["at"])
    wait_for(lambda: served.get(f"{AT}/search?q=w:>0")["unmeasured"] == 0)
    preview = served.post(f"{AT}/clean/preview", {"table": {"profile": "prose"}}, 200)
    assert preview["changed"] > 0
    cleaned = served.job(served.post(f"{AT}/clean", {"preview": preview["preview"]}, 202)["job"])
    served.job(served.post(f"/api/batches/{cleaned['batch']}/undo", {}, 202)["job"])
    served.job(served.post(f"{AT}/push", {}, 202)["job"])
    served.job(served.post(f"{AT}/verify", {}, 202)["job"])
