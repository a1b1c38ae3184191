"""The console script: prepares the streams and the garbage collector, and runs one command.

Answers `--version` before it imports anything slow.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from hashmark._version import __version__


def script() -> None:
    """Run the console script: `main`, after which this process does nothing else."""
    main(exit_at_once=True)


def main(*, exit_at_once: bool = False) -> None:
    """Run the command line, and end with one of `cli.exits`.

    With `exit_at_once`, commands that leave nothing open skip the interpreter's shutdown, which takes 5 ms.
    """
    _open_closed_streams()
    words = sys.argv[1:]
    try:
        if words[:1] in (["--version"], ["-V"]):
            sys.stdout.write(_version_as_json() if words[1:2] == ["--json"] else f"hashmark {__version__}\n")
            sys.stdout.flush()
            return
        gc.disable()  # importing makes hardly any garbage; `runner` enables it before the command runs
        from hashmark.cli.runner import leaves_nothing_open, run  # noqa: PLC0415 - not for --version

        status = run(words)
    except KeyboardInterrupt:
        os._exit(130)  # while importing; later, `runner` reports it
    except BrokenPipeError:
        os._exit(141)
    except OSError as error:  # the version can't be written; 1 would say that something is not in sync
        from hashmark.cli.output import write_error_line  # noqa: PLC0415 - as above

        write_error_line(f"hashmark: The output: {error.strerror}.")
        os._exit(4)
    if exit_at_once and leaves_nothing_open(words):
        with contextlib.suppress(OSError):  # `runner` has reported it
            sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def _version_as_json() -> str:
    import json  # noqa: PLC0415 - as above

    from hashmark.native.kernel import describe  # noqa: PLC0415 - as above

    return f"{json.dumps({'version': __version__, 'hashing': describe()})}\n"


def _open_closed_streams() -> None:
    """Connect closed streams (`>&-`) to the null device.

    Otherwise writing to them would fail, and the next file that is opened would become the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in this order they get their own numbers
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


if __name__ == "__main__":
    script()
