"""`hashmark init`: write the hashmark.toml of a new library. Contacts nothing."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.cli.renderers.elements import counted, print_json
from hashmark.library.access import remember_endpoint
from hashmark.library.library import Library
from hashmark.library.settings import create, refuse_inside


def add_arguments(parser: Parser) -> None:
    """Declare the folder and the settings that are written."""
    text = "The folder whose sub-folders are datasets. Default: the current folder."
    parser.argument("folder", "FOLDER", text, nargs="?", type=Path, default=Path())
    parser.option("--remote", "URL", "The bucket: s3://bucket/prefix.", required=True)
    parser.option("--endpoint-url", "URL", "The store's address. Leave it out for AWS.")
    parser.option("--region", "REGION", "The bucket's region.")
    parser.option("--profile", "NAME", "A profile in ~/.aws.")
    parser.common(library=False)
    parser.examples(
        "hashmark init --remote s3://training-data/styles",
        "hashmark init --remote s3://training-data/styles --endpoint-url https://minio.example:9000",
    )


def run(arguments: Namespace) -> Exit:
    """Write the settings, and list the datasets."""
    folder = arguments.folder.expanduser()
    settings = {
        "url": arguments.remote,
        "endpoint_url": arguments.endpoint_url,
        "region": arguments.region,
        "profile": arguments.profile,
    }
    refuse_inside(folder)
    create(folder, {name: value for name, value in settings.items() if value is not None})
    with Library.open(folder) as library:
        remember_endpoint(library.settings.remote)
        names = [dataset.name for dataset in library.datasets()]
    if arguments.json:
        print_json({"library": str(library.root), "remote": arguments.remote, "datasets": names})
    else:
        sys.stdout.write(
            f"{library.root} is now a library of {arguments.remote}: {counted(len(names), 'dataset')} on disk.\n"
            "Next: `hashmark doctor` checks the store, `hashmark status` compares.\n"
        )
    return Exit.DONE
