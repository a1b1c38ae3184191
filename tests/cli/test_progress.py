"""The progress of a comparison that reads files: shown only on a terminal, and only if it takes a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hashmark.actions.move import plan, run
from hashmark.cli import progress
from hashmark.cli.progress import ComparisonDisplay, facts
from hashmark.core.events import Event, JobState, ProbeStarted
from hashmark.core.plan import Direction, Policy
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from support.datasets import LibraryMaker, dataset_of, fill
from support.stores import Store


@pytest.fixture(name="dataset")
def fixture_dataset(tmp_path: Path) -> Iterator[Dataset]:
    """Yield a dataset of six files of 1,000 bytes, of which none was read."""
    (tmp_path / "hashmark.toml").write_text('[remote]\nurl = "s3://styles"\n')
    (tmp_path / "82").mkdir()
    for name in ("1.png", "1.txt", "2.png", "2.txt", "3.png", "3.txt"):
        (tmp_path / "82" / name).write_bytes(bytes(1000))
    with Library.open(tmp_path) as library:
        yield library.dataset("82")


def read(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, *moments: float) -> None:
    """Read a file at each of these moments, in seconds after the beginning."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(time=lambda: now[0]))
    with ComparisonDisplay(dataset) as display:
        for moment in moments:
            now[0] = 100.0 + moment
            display.on_read(1, 1000)
            if display._counter.is_alive():
                display._counter.join()


def test_a_long_first_check_shows_files_bytes_rate_and_time_left(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    read(dataset, monkeypatch, 0.2, 2.0, 3.0, 4.0)
    err = capfd.readouterr().err
    assert "Comparing 82" in err
    assert "4/6 files · 4.0 kB/6.0 kB · 1.0 kB/s · 2 s left" in err


def test_nothing_is_shown_of_a_short_check(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    read(dataset, monkeypatch, 0.1, progress.SHOWN_AFTER_S - 0.01)
    assert capfd.readouterr().err == ""


def test_a_comparison_that_waits_for_the_bucket_shows_that_it_does(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with ComparisonDisplay(dataset) as display:
        time.sleep(progress.SHOWN_AFTER_S + 0.5)
        display.on_compared(12_000)
    err = capfd.readouterr().err
    assert "Comparing 82" in err
    assert "waiting for the bucket's listing" in err
    assert "12,000 compared" in err


def test_the_first_push_says_that_it_probes_the_store(
    seaweedfs: Store, library_on: LibraryMaker, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    dataset = dataset_of(library_on(seaweedfs))
    for is_probed in (True, False):
        seen: list[str] = []
        with progress.ProgressDisplay("Pushing 82", quiet=False) as display:

            def on_event(event: Event, display: progress.ProgressDisplay = display, seen: list[str] = seen) -> None:
                display.on_event(event)
                seen.append(display._describe(display.state))
                if isinstance(event, ProbeStarted):
                    time.sleep(0.5)  # a store farther away; the bar is drawn ten times a second

            run(plan(dataset, Policy(Direction.PUSH)), on_event)
        assert ("probing what the store supports" in seen) is is_probed
        fill(dataset, {"0000.txt": b"edited\n"})
    assert "probing what the store supports" in capfd.readouterr().err


def test_what_is_not_counted_yet_is_shown_without_a_total() -> None:
    assert facts(JobState(files_done=2, bytes_done=2000, started_at=100.0, now=102.0)) == "2 files · 2.0 kB · 1.0 kB/s"
