"""`hashmark demo`: make the sample library, and tell its story as it happens."""

from __future__ import annotations

import os
import shutil
import sys
import webbrowser
from argparse import BooleanOptionalAction, Namespace
from pathlib import Path
from typing import Any

from hashmark.actions.move import plan
from hashmark.actions.move import run as run_plan
from hashmark.actions.status import Scan
from hashmark.cli.arguments import Parser, number
from hashmark.cli.exits import Exit, for_result
from hashmark.cli.output import Output
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.renderers.comparison import status_line
from hashmark.cli.renderers.elements import counted, error_text, print_json
from hashmark.cli.renderers.plans import result_text
from hashmark.core.errors import Interrupted
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import Summary
from hashmark.demo import sample_library

COMPARE_INTERVAL_S = 30.0
"""How often the page compares with the bucket, so that it follows what other terminals do."""


def add_arguments(parser: Parser) -> None:
    """Declare where the library is made, and how the story ends."""
    text = "Where the sample library is made. Default: demo-library."
    parser.option("--dir", "DIR", text, type=Path, default=Path("demo-library"))
    text = "Show the page at the end until Ctrl-C (the default), or push instead."
    parser.flag("--serve", text, action=BooleanOptionalAction, default=True)
    text = "The page's port; if it is taken, another one. Default: 8271."
    parser.option("--port", "N", text, type=number(int, 0, 65535), default=8271)
    parser.flag("--open", "Open the page in your browser.")
    parser.common(library=False)


def run(arguments: Namespace) -> Exit:
    """Play the story."""
    story = Story(arguments.dir.expanduser(), as_json=arguments.json)
    return story.play(serve=arguments.serve, port=arguments.port, open_page=arguments.open)


class Story:
    """One run of the demo: text as it goes, or with `as_json` one document at the end."""

    def __init__(self, folder: Path, *, as_json: bool) -> None:
        self._folder = folder
        self._as_json = as_json
        self._out = Output(Path(os.devnull).open("w") if as_json else sys.stdout)  # noqa: SIM115
        self._document: dict[str, Any] = {}
        self._red = 0

    def play(self, *, serve: bool, port: int, open_page: bool) -> Exit:
        """Make the library, push it, clean captions, compare; then push again, or show the page until Ctrl-C."""
        with sample_library.open_library(self._folder) as self._library:
            try:
                with Interruptible() as self._stop:
                    self._draw()
                    self._push_new()
                    self._clean()
                    if not serve:
                        return self._finish()
                return self._serve(port, open_page=open_page)
            except Interrupted as error:
                self._out.print(error_text(error))
                return Exit.INTERRUPTED
            finally:
                if self._library.embedded:
                    self._library.embedded.stop()

    def _draw(self) -> None:
        steps = sample_library.draw(self._folder, sample_library.SAMPLES, self._stop.cancel)
        total = next(steps)
        if not total:
            return
        self._out.print(f"Drawing {total} sketches with captions in {self._folder} …")
        for left in steps:
            if left and left % 100 == 0:
                self._out.print(f"  {left} left", style="dim")

    def _push_new(self) -> None:
        """Push the new files of every dataset."""
        library = self._library
        address = library.bucket.client.endpoint.url
        server = library.embedded.address.server if library.embedded else "S3"
        self._document = {"library": str(library.root), "remote": sample_library.URL, "endpointUrl": address}
        self._out.print(f"\n{server} runs at {address} and keeps its data in {library.own_folder('bucket')}.")
        for dataset in library.datasets():
            with ProgressDisplay(f"Pushing {dataset.name}", quiet=self._as_json) as progress:
                result = sample_library.push_new(dataset, progress.on_event, self._stop.cancel)
            if result.planned.plan.actions:
                result_text(result, self._out)
            if self._stop.cancel.is_set():
                raise Interrupted("The first push is not finished.")

    def _clean(self) -> None:
        dataset = self._library.dataset(sample_library.STORY)
        changed = sample_library.clean_captions(dataset, self._stop.cancel)
        self._document["cleaned"] = changed
        if changed:
            captions = f"{counted(changed, 'caption')} of {dataset.name}"
            self._out.print(f"\nCleaned {captions} on disk. The bucket still has the old ones.")
        self._show_status()

    def _show_status(self) -> bool:
        """Show the status of all datasets; returns whether everything is in sync."""
        self._out.print("\n$ hashmark status", style="bold")
        rows = []
        for dataset in self._library.datasets():
            rows.append((dataset, Summary.of(Scan(dataset), keep=0)))
            self._out.print(status_line(*rows[-1]))
        self._red = next(summary.red for dataset, summary in rows if dataset.name == sample_library.STORY)
        counts = [{"name": d.name, "counts": {verdict: n for verdict, n in s.counts.items() if n}} for d, s in rows]
        self._document["datasets"] = counts
        return all(summary.in_sync for _, summary in rows)

    def _finish(self) -> Exit:
        """Push what the cleaning changed, and show that everything is proven equal."""
        dataset = self._library.dataset(sample_library.STORY)
        self._out.print("\n$ hashmark push 82", style="bold")
        planned = plan(dataset, Policy(Direction.PUSH))
        with ProgressDisplay(f"Pushing {dataset.name}", quiet=self._as_json) as progress:
            result = run_plan(planned, progress.on_event, self._stop.cancel)
        result_text(result, self._out)
        if for_result(result) is not Exit.DONE:
            return for_result(result)
        in_sync = self._show_status()
        self._out.print(f"\nContinue in the library; its bucket starts by itself:\n  cd {self._library.root}")
        self._out.print(f"  {_command()} status 82")
        if self._as_json:
            print_json(self._document)
        return Exit.DONE if in_sync else Exit.NOT_IN_SYNC

    def _serve(self, port: int, *, open_page: bool) -> Exit:
        """Show the page until Ctrl-C, and other ways to use the library and its bucket."""
        from hashmark.web.server.http_server import ListenAddress, serve  # noqa: PLC0415 - not for --no-serve

        def show_link(link: str) -> None:
            if "page" in self._document:
                self._out.print(f"That link was used. For another browser: {link}")
            else:
                self._document["page"] = link
                self._show_guide(link)

        def on_ready(link: str) -> None:
            if open_page:
                webbrowser.open(link)

        address = ListenAddress(port=port, or_any_port=True)
        serve(self._library, address, show_link, every=COMPARE_INTERVAL_S, on_ready=on_ready)
        return Exit.DONE

    def _show_guide(self, link: str) -> None:
        out = self._out
        out.print("\nNow open the page (this link works once):", style="bold")
        out.print(f"  {link}")
        if self._red:
            files = counted(self._red, "red file")
            out.print(f"{sample_library.STORY} has {files} there. Open it, select all, then Upload to S3.")
        out.print("\nOr use another terminal:", style="bold")
        out.print(f"  cd {self._library.root}")
        for command in ("status", "diff", "push"):
            out.print(f"  {_command()} {command} 82")
        if embedded := self._library.embedded:
            out.print("\nTo use the bucket with other tools:", style="bold")
            out.print(f"  export AWS_SHARED_CREDENTIALS_FILE='{embedded.credentials_file}' AWS_REGION=us-east-1")
            out.print(f"  aws --endpoint-url {embedded.address.endpoint_url} s3 ls {sample_library.URL}/")
        out.print("\nPress Ctrl-C to stop the page and the bucket.")
        if self._as_json:
            print_json(self._document)


def _command() -> str:
    """Return how the user can call hashmark: by name, or by its path if it is not on PATH."""
    return "hashmark" if shutil.which("hashmark") else str(Path(sys.argv[0]).resolve())
