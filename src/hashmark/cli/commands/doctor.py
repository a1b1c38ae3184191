"""`hashmark doctor`: check credentials, access, and what the store can do."""

from __future__ import annotations

from argparse import Namespace

from hashmark.actions.doctor import doctor, report
from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit, for_checks
from hashmark.cli.output import Text, console
from hashmark.cli.renderers.elements import print_json
from hashmark.core.display import reveal
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare what is tried, and the cleanup."""
    parser.flag("--read-only", "Write nothing: find out what reading shows.")
    text = "Print what was found of the store as JSON, and nothing of yours: for a bug report, or a list of stores."
    parser.flag("--report", text)
    text = "Abort incomplete multipart uploads: this library's, and any older than a day under its prefix."
    parser.flag("--abort-uploads", text)
    parser.common()


def run(arguments: Namespace) -> Exit:
    """Write each check as soon as its result is known."""
    out = console()
    checks = []
    with Library.open(arguments.library) as library:
        for check in doctor(library, abort_uploads=arguments.abort_uploads, read_only=arguments.read_only):
            checks.append(check)
            if not (arguments.json or arguments.report):
                sign, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}[check.ok]
                line = Text(f"{sign} ", style)
                line.append(f"{check.name:<22}", "bold")
                line.append(reveal(check.detail))
                line.append(f"\n  {'':<22}{reveal(check.meaning)}" if check.meaning else "", "dim")
                out.print(line)
        if arguments.report:
            print_json(report(library, checks))
            return for_checks(checks)
    if arguments.json:
        print_json({"checks": [check.to_json() for check in checks]})
    return for_checks(checks)
