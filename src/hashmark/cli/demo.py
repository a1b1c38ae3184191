"""`demo`: tells the story of the sample library as it happens."""

from __future__ import annotations

import os
import shutil
import sys
import webbrowser
from pathlib import Path
from typing import Any

from hashmark.actions.move import plan, run
from hashmark.actions.status import Scan
from hashmark.cli import render
from hashmark.cli.exits import Exit, for_result
from hashmark.cli.output import Output
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.core.errors import Interrupted
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import Summary
from hashmark.demo import sample_library

RELIST = 30.0
"""Seconds after which the page looks at the bucket again, so that it follows what other terminals do."""


def _command() -> str:
    """How the user can call hashmark: by name, or where that is not found, by its path."""
    return "hashmark" if shutil.which("hashmark") else str(Path(sys.argv[0]).resolve())


class Story:
    """One telling: to people as it goes, or with `as_json` as one document at the end."""

    def __init__(self, folder: Path, *, as_json: bool) -> None:
        self._folder = folder
        self._as_json = as_json
        self._out = Output(Path(os.devnull).open("w") if as_json else sys.stdout)  # noqa: SIM115
        self._told: dict[str, Any] = {}
        self._red = 0

    def play(self, *, serve: bool, port: int, open_page: bool) -> Exit:
        """Make the library, push it, clean captions, compare; then push again, or show the page until Ctrl-C."""
        with sample_library.open_library(self._folder) as self._library:
            try:
                with Interruptible() as self._stop:
                    self._draw()
                    self._begin()
                    self._clean()
                    if not serve:
                        return self._finish()
                return self._serve(port, open_page=open_page)
            except Interrupted as error:
                self._out.print(render.error_text(error))
                return Exit.INTERRUPTED
            finally:
                if self._library.embedded:
                    self._library.embedded.stop()

    def _draw(self) -> None:
        steps = sample_library.draw(self._folder, sample_library.SAMPLES, self._stop.cancel)
        total = next(steps)
        if not total:
            return
        self._out.print(f"Drawing {total} sketches and writing their captions into {self._folder} …")
        for left in steps:
            if left and left % 100 == 0:
                self._out.print(f"  {left} to go", style="dim")

    def _begin(self) -> None:
        """Push what is new, in every dataset."""
        library = self._library
        address = library.bucket.client.endpoint.url
        server = library.embedded.address.server if library.embedded else "S3"
        self._told = {"library": str(library.root), "remote": sample_library.URL, "endpointUrl": address}
        self._out.print(f"\n{server} runs on {address}, with its data in {library.state_folder / 'bucket'}.")
        for dataset in library.datasets():
            with ProgressDisplay(f"Pushing {dataset.name}", quiet=self._as_json) as watcher:
                result = sample_library.push_new(dataset, watcher.on_event, self._stop.cancel)
            if result.planned.plan.actions:
                render.result_text(result, self._out)
            if self._stop.cancel.is_set():
                raise Interrupted("The first push is not finished.")

    def _clean(self) -> None:
        dataset = self._library.dataset(sample_library.STORY)
        changed = sample_library.clean_captions(dataset, self._stop.cancel)
        self._told["cleaned"] = changed
        if changed:
            text = f"the captions of {dataset.name} are cleaned on disk: {changed} changed. The bucket does not know."
            self._out.print(f"\nNow {text}")
        self._show()

    def _show(self) -> bool:
        self._out.print("\n$ hashmark status", style="bold")
        rows = []
        for dataset in self._library.datasets():
            rows.append((dataset, Summary.of(Scan(dataset), keep=0)))
            self._out.print(render.status_line(*rows[-1]))
        self._red = next(summary.red for dataset, summary in rows if dataset.name == sample_library.STORY)
        self._told["datasets"] = [{"name": d.name, "counts": {v: n for v, n in s.counts.items() if n}} for d, s in rows]
        return all(summary.in_sync for _, summary in rows)

    def _finish(self) -> Exit:
        """Push what the cleaning changed, and show that everything is proven equal."""
        dataset = self._library.dataset(sample_library.STORY)
        self._out.print("\n$ hashmark push 82", style="bold")
        planned = plan(dataset, Policy(Direction.PUSH))
        with ProgressDisplay(f"Pushing {dataset.name}", quiet=self._as_json) as watcher:
            result = run(planned, watcher.on_event, self._stop.cancel)
        render.result_text(result, self._out)
        if for_result(result) is not Exit.DONE:
            return for_result(result)
        green = self._show()
        self._out.print(f"\nGo on in the library, whose bucket starts by itself:\n  cd {self._library.root}")
        self._out.print(f"  {_command()} status 82")
        self._tell()
        return Exit.DONE if green else Exit.NOT_IN_SYNC

    def _serve(self, port: int, *, open_page: bool) -> Exit:
        """Show the page until Ctrl-C, and tell how else the library and its bucket can be reached."""
        from hashmark.web.server.http_server import ListenAddress, serve  # noqa: PLC0415 - not for --no-serve

        def tell(link: str) -> None:
            if "page" in self._told:
                self._out.print(f"That link is used up. For another browser: {link}")
            else:
                self._told["page"] = link
                self._guide(link)

        def ready(link: str) -> None:
            if open_page:
                webbrowser.open(link)

        serve(self._library, ListenAddress(port=port, or_any_port=True), tell, every=RELIST, on_ready=ready)
        return Exit.DONE

    def _guide(self, link: str) -> None:
        out = self._out
        out.print("\nNow open the page (this link works once):", style="bold")
        out.print(f"  {link}")
        if red := self._red:
            out.print(f"{sample_library.STORY} has {red} red files there. Open it, select all, then Upload to S3.")
        out.print("\nOr use another terminal:", style="bold")
        out.print(f"  cd {self._library.root}")
        for verb in ("status", "diff", "push"):
            out.print(f"  {_command()} {verb} 82")
        if box := self._library.embedded:
            out.print("\nOther tools reach the bucket so:", style="bold")
            out.print(f"  export AWS_SHARED_CREDENTIALS_FILE='{box.credentials_file}' AWS_REGION=us-east-1")
            out.print(f"  aws --endpoint-url {box.address.endpoint_url} s3 ls {sample_library.URL}/")
        out.print("\nCtrl-C ends the page and the bucket.")
        self._tell()

    def _tell(self) -> None:
        if self._as_json:
            render.print_json(self._told)
