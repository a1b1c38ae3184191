"""The options and arguments that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LibraryOption = Annotated[
    Path | None, typer.Option("--library", "-L", help="The library's folder; else the one around the current folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DatasetArgument = Annotated[str, typer.Argument(help="A dataset: its number, its folder's name, or its path.")]
DatasetsArgument = Annotated[list[str], typer.Argument(help="Datasets: numbers, folder names or paths.")]
SelectOption = Annotated[
    list[str] | None, typer.Option("--select", help="Only keys that match this glob; may be repeated.")
]
