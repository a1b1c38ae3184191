"""`hashmark trust`: allow an endpoint, another user's library or an embedded bucket; or list what is allowed."""

from __future__ import annotations

from argparse import Namespace

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.cli.output import console
from hashmark.cli.renderers.elements import print_json
from hashmark.core.errors import UsageError
from hashmark.library.access import allow, permission_for, withdraw
from hashmark.state import permissions


def add_arguments(parser: Parser) -> None:
    """Declare what is allowed."""
    text = "An endpoint's URL, a library's folder, or that of an embedded bucket. Default: list what is allowed."
    parser.argument("target", "URL|FOLDER", text, nargs="?")
    parser.option("--profile", "NAME", "The profile in ~/.aws whose credentials sign the requests to the endpoint.")
    parser.flag("--forget", "Allow it no longer.")
    parser.common(library=False)
    parser.examples(
        "hashmark trust https://minio.example:9000",
        "hashmark trust https://minio.example:9000 --profile team",
        "hashmark trust /srv/datasets",
    )


def run(arguments: Namespace) -> Exit:
    """Remember or forget one permission, or list all."""
    if arguments.target is None:
        if arguments.forget or arguments.profile:
            raise UsageError("Give a URL or a folder.", "`hashmark trust` lists what is allowed.")
        return _list(as_json=arguments.json)
    permission = permission_for(arguments.target, arguments.profile)
    if not arguments.forget:
        allow(permission)
    elif not withdraw(permission):
        raise UsageError(f"'{arguments.target}' was not allowed.", "`hashmark trust` lists what is.")
    if arguments.json:
        print_json({"permission": list(permission), "allowed": not arguments.forget})
    else:
        console().print(f"{_text(permission)}: {'forgotten' if arguments.forget else 'allowed'}")
    return Exit.DONE


def _list(*, as_json: bool) -> Exit:
    every = [permission for permission in permissions.known() if permission[0] != "bucket"]
    if as_json:
        print_json({"permissions": [list(permission) for permission in every]})
        return Exit.DONE
    for permission in every:
        console().print(_text(permission))
    if not every:
        console().print("Nothing is allowed beyond AWS, this machine and your own files.")
    return Exit.DONE


def _text(permission: tuple[str, ...]) -> str:
    kind, what, *profile = permission
    signed = f" with profile {profile[0]}" if profile and profile[0] else ""
    return f"{kind} {what}{signed}"
