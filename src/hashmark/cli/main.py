"""The console script. Answers `--version` before anything slow is imported."""

from __future__ import annotations

import sys

from hashmark._version import __version__


def main() -> None:
    """Run the command line; ends the process with one of `cli.exits`."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"hashmark {__version__}\n")
        return
    from hashmark.cli.commands import app  # noqa: PLC0415 - the start-up path of --version stays short

    app()


if __name__ == "__main__":
    main()
