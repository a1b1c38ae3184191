"""`hashmark init`: write the hashmark.toml of a new library. Contacts nothing."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from hashmark.actions.init import init
from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.cli.renderers.elements import counted, print_json


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
    settings = {"endpoint_url": arguments.endpoint_url, "region": arguments.region, "profile": arguments.profile}
    with init(arguments.folder, arguments.remote, **settings) as library:
        names = [dataset.name for dataset in library.datasets()]
    if arguments.json:
        print_json({"library": str(library.root), "remote": arguments.remote, "datasets": names})
    else:
        sys.stdout.write(
            f"{library.root} is now a library of {arguments.remote}: {counted(len(names), 'dataset')} on disk.\n"
            "Next: `hashmark doctor` checks the store, `hashmark status` compares.\n"
        )
    return Exit.DONE
