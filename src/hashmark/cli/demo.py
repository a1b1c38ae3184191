"""`demo`: tells the story of the sample library as it happens."""

from __future__ import annotations

import threading
from pathlib import Path

from rich.console import Console

from hashmark import demo
from hashmark.actions.move import plan, run
from hashmark.actions.status import Scan
from hashmark.cli import render
from hashmark.cli.exits import Exit, for_result
from hashmark.cli.progress import Interruptible, Watcher
from hashmark.core.errors import Interrupted
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import Summary
from hashmark.library import Library


def play(folder: Path, *, serve: bool) -> Exit:
    """Make the library, push it, clean captions, compare; then push again, or keep the bucket running."""
    out = render.console()
    with Interruptible() as stop, demo.open_library(folder) as library:
        try:
            _draw(folder, stop.cancel)
            _begin(library, out, stop.cancel)
            _clean(library, out)
            return _serve(library, out, stop.cancel) if serve else _finish(library, out, stop.cancel)
        except Interrupted as error:
            out.print(render.error_text(error))
            return Exit.INTERRUPTED
        finally:
            if library.embedded:
                library.embedded.stop()


def _draw(folder: Path, cancel: threading.Event) -> None:
    out = Console(stderr=True, highlight=False)
    steps = demo.draw(folder, demo.SAMPLES, cancel)
    total = next(steps)
    if not total:
        return
    out.print(f"Drawing {total} sketches and writing their captions into {folder} …")
    for left in steps:
        if left and left % 100 == 0:
            out.print(f"  {left} to go", style="dim")


def _begin(library: Library, out: Console, cancel: threading.Event) -> None:
    """Push what is new, in every dataset."""
    address = library.bucket.client.endpoint.url
    server = library.embedded.address.server if library.embedded else "S3"
    out.print(f"\n{server} is running on {address}, with its data in {library.state_folder / 'bucket'}.")
    for dataset in library.datasets():
        with Watcher(f"Pushing {dataset.name}", quiet=False) as watcher:
            result = demo.push_new(dataset, watcher.on_event, cancel)
        if result.planned.plan.actions:
            render.result_text(result, out)
        if cancel.is_set():
            raise Interrupted("The first push is not finished.")


def _clean(library: Library, out: Console) -> None:
    dataset = library.dataset(demo.STORY)
    changed = demo.clean_captions(dataset, demo.SAMPLES[0])
    if changed:
        out.print(
            f"\nNow the captions of {dataset.name} are cleaned on disk: {changed} changed. The bucket does not know."
        )
    out.print("\n$ hashmark status", style="bold")
    _show(library, out)


def _show(library: Library, out: Console) -> bool:
    summaries = []
    for dataset in library.datasets():
        summaries.append(Summary.of(Scan(dataset), keep=0))
        out.print(render.status_line(dataset, summaries[-1]))
    return all(summary.in_sync for summary in summaries)


def _finish(library: Library, out: Console, cancel: threading.Event) -> Exit:
    """Push what the cleaning changed, and show that everything is proven equal."""
    dataset = library.dataset(demo.STORY)
    out.print("\n$ hashmark push 82", style="bold")
    planned = plan(dataset, Policy(Direction.PUSH))
    with Watcher(f"Pushing {dataset.name}", quiet=False) as watcher:
        result = run(planned, watcher.on_event, cancel)
    render.result_text(result, out)
    if for_result(result) is not Exit.DONE:
        return for_result(result)
    out.print("\n$ hashmark status", style="bold")
    green = _show(library, out)
    out.print(f"\nThe library is {library.root}. Try `hashmark status 82` in it: its bucket starts when it is needed.")
    return Exit.DONE if green else Exit.NOT_IN_SYNC


def _serve(library: Library, out: Console, cancel: threading.Event) -> Exit:
    """Keep the bucket running, and tell how other tools reach it."""
    box = library.embedded
    if box is None:
        return Exit.DONE
    out.print(f"\nIn {library.root}, try:", style="bold")
    out.print("  hashmark status 82\n  hashmark diff 82\n  hashmark push 82")
    out.print("\nOther tools reach the bucket so:", style="bold")
    out.print(f"  export AWS_SHARED_CREDENTIALS_FILE='{box.credentials_file}' AWS_REGION=us-east-1")
    out.print(f"  aws --endpoint-url {box.address.endpoint_url} s3 ls {demo.URL}/")
    out.print("\nThe bucket runs until Ctrl-C.")
    cancel.wait()
    return Exit.DONE
