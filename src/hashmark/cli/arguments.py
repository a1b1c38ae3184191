"""Parses the words of one command with argparse.

Knows how hashmark writes options, help and usage errors; not what any command does.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hashmark.core.errors import UsageError

if TYPE_CHECKING:
    from argparse import Action

    from hashmark.library.dataset import Dataset
    from hashmark.library.library import Library

MAX_HELP_WIDTH = 100

MAX_NAMES = 8
"""Datasets that a message lists."""


class _Formatter(HelpFormatter):
    def _format_action_invocation(self, action: Action) -> str:
        """`-L, --library DIR`; argparse before Python 3.13 repeats the value after each name."""
        if not action.option_strings:
            return str(action.metavar)
        value = f" {action.metavar}" if action.nargs != 0 else ""
        return ", ".join(action.option_strings) + value

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)  # examples keep their lines


class Parser(ArgumentParser):
    """The parser of one command. `summary` describes the command, `examples` are command lines with a comment each."""

    def __init__(self, command: str, summary: str) -> None:
        self._width = MAX_HELP_WIDTH  # known before help is printed: argparse formats each option as it is added
        super().__init__(
            prog=f"hashmark {command}",
            description=summary,
            add_help=False,
            allow_abbrev=False,
            formatter_class=lambda prog: _Formatter(prog, max_help_position=28, width=self._width),
        )
        self._arguments = self.add_argument_group("Arguments")
        self._options = self.add_argument_group("Options")
        self._common = self.add_argument_group("Common options")
        self.set_defaults(command=self.prog)  # for messages that say what to type

    def argument(self, name: str, metavar: str, text: str, **settings: Any) -> None:
        """Add a positional argument."""
        self._arguments.add_argument(name, metavar=metavar, help=text, **settings)

    def flag(self, option: str, text: str, **settings: Any) -> None:
        """Add an option without a value."""
        self._options.add_argument(option, action=settings.pop("action", "store_true"), help=text, **settings)

    def option(self, option: str, metavar: str, text: str, **settings: Any) -> None:
        """Add an option with a value."""
        self._options.add_argument(option, metavar=metavar, help=text, **settings)

    def repeatable(self, option: str, metavar: str, text: str, **settings: Any) -> None:
        """Add an option that may be given several times; its value is a list."""
        self.option(option, metavar, text, action="append", default=[], **settings)

    def dataset(self) -> None:
        """Add the argument `DATASET`."""
        text = "A dataset: its number, its folder's name, or its path. Default: the current folder's."
        self.argument("dataset", "DATASET", text, nargs="?")

    def datasets(self, default: str = "the current folder's") -> None:
        """Add the argument `DATASET…`."""
        text = f"Datasets: numbers, folder names or paths. Default: {default}."
        self.argument("datasets", "DATASET", text, nargs="*")

    def all_datasets(self) -> None:
        """Add `--all`."""
        self.flag("--all", "All datasets of the library.")

    def select(self, text: str = "Only keys that match this glob; may be repeated.", **settings: Any) -> None:
        """Add `--select GLOB`."""
        self.repeatable("--select", "GLOB", text, **settings)

    def common(self, *, library: bool = True, json: bool = True) -> None:
        """Add the options that most commands share."""
        if library:
            text = "The library's folder. Default: the current folder or the nearest one above it that is a library."
            self._common.add_argument("-L", "--library", metavar="DIR", type=Path, help=text)
            text = "Fail when nothing has come from the store for so long. Default: 60 seconds."
            self._common.add_argument("--timeout", metavar="SECONDS", type=number(int, 2), help=text)
        if json:
            self._common.add_argument("--json", action="store_true", help="Print one JSON document.")
        self._common.add_argument("-h", "--help", action="store_true", help="Show this help.")

    def examples(self, *lines: str) -> None:
        """Show command lines below the help of the options."""
        self.epilog = "\n  ".join(("Examples:", *lines))

    def parse(self, words: Sequence[str]) -> Namespace | None:
        """Return the values of all options and arguments, or None if the words ask for help.

        argparse gets the options first, each joined with its value, and the arguments after `--`. By itself it refuses
        values that begin with a dash, and arguments between options.

        Raises:
            UsageError: an option is unknown, or something is missing, superfluous or of the wrong kind.
        """
        options: list[str] = []
        arguments: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                arguments.extend(rest)
            elif not word.startswith("-") or word == "-":
                arguments.append(word)
            elif (option := self._joined(word, rest)) is None:
                return None
            else:
                options.append(option)
        found, unexpected = self.parse_known_args([*options, "--", *arguments] if arguments else options)
        if unexpected := [word for word in unexpected if word != "--"]:
            self.error(f"Unexpected argument '{unexpected[0]}'.")
        return found

    def _joined(self, word: str, rest: Iterable[str]) -> str | None:
        """Return an option joined with its value, which may be the next word; None for `--help`."""
        long = word.startswith("--")
        name, joined, value = word.partition("=") if long else (word[:2], word[2:], word[2:])
        action = self._option_string_actions.get(name)
        if action is None:
            raise unknown("option", name, [o for o in self._option_string_actions if o.startswith("--")], self.prog)
        if action.dest == "help":
            return None
        if action.nargs == 0:
            if joined:
                self.error(f"{name} takes no value.")
            return name
        if not joined:
            following = next(iter(rest), None)
            if following is None:
                self.error(f"{name} needs a value: {action.metavar}.")
            value = following
        return f"{action.option_strings[-1]}={value}"

    def format_help(self) -> str:
        """Return the help, as wide as the terminal but not wider than is easy to read."""
        import shutil  # noqa: PLC0415 - not for a command that runs

        self._width = min(shutil.get_terminal_size().columns, MAX_HELP_WIDTH) - 2
        self.usage = " ".join(["%(prog)s", *filter(None, map(_usage, self._actions)), "[options]"])
        return super().format_help().replace("usage:", "Usage:", 1)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found as an error of hashmark's.

        Raises:
            UsageError: always.
        """
        text = message.removeprefix("argument ").replace("the following arguments are required:", "Missing:")
        raise UsageError(text if text.endswith((".", "?")) else f"{text}.", see_help(self.prog))


def _usage(action: Action) -> str:
    """How one argument is written in the usage line; of the options only those that are required."""
    many = "…" if action.nargs in {"*", "+"} else ""
    if action.option_strings:
        return f"{action.option_strings[-1]} {action.metavar}" if action.required else ""
    return f"[{action.metavar}{many}]" if action.nargs in {"*", "?"} else f"{action.metavar}{many}"


def see_help(prog: str) -> str:
    """Return the hint of an error in the words of a command."""
    return f"See '{prog} --help'."


def unknown(kind: str, name: str, known: Iterable[str], prog: str) -> UsageError:
    """Return the error for a command, an option or a value that does not exist, naming the nearest one that does."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    near = get_close_matches(name, list(known), 1)
    return UsageError(f"There is no {kind} '{name}'.", f"Did you mean '{near[0]}'?" if near else see_help(prog))


def one_of(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Return a parser of the values of an enumeration."""

    def parse(text: str) -> StrEnum:
        if text not in list(choices):
            raise ArgumentTypeError(f"'{text}' is not valid. Valid values: {', '.join(choices)}.")
        return choices(text)

    return parse


def number(kind: type[int] | type[float], least: float, most: float = float("inf")) -> Callable[[str], float]:
    """Return a parser of numbers within limits."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            limits = f"from {least} to {most}" if most != float("inf") else f"of {least} or more"
            raise ArgumentTypeError(f"'{text}' is not a{' whole' if kind is int else ''} number {limits}.")
        return value

    return parse


def current_dataset(library: Library) -> Dataset | None:
    """Return the dataset in whose folder the current folder is; None where it is in none."""
    try:
        inside = Path.cwd().relative_to(library.root).parts[:1]
    except (OSError, ValueError):
        return None
    return next((dataset for dataset in library.datasets() if inside == (dataset.name,)), None)


def chosen_datasets(library: Library, arguments: Namespace, *, remote: bool = False) -> list[Dataset]:
    """Return the datasets that are named; with `--all` every one; else the current folder's.

    Of all datasets, those that only the bucket has are among them with `remote`.

    Raises:
        UsageError: there is none, or `--all` is given beside names.
        NoSuchDataset: there is no dataset of a name.
        StoreError: the bucket can't be listed.
    """
    named = arguments.datasets if "datasets" in arguments else [arguments.dataset]
    names = [name for name in named if name is not None]
    if "all" in arguments and arguments.all:
        if names:
            raise UsageError("--all means every dataset, so none can be named beside it.", "Leave out one of the two.")
        return [*library.datasets(), *(library.remote_only() if remote else ())]
    if names:
        return datasets_of(library, names)
    here = current_dataset(library)
    if here is None:
        raise UsageError("No dataset is named, and the current folder is in none.", _what_to_type(library, arguments))
    return [here]


def _what_to_type(library: Library, arguments: Namespace) -> str:
    found = library.datasets()
    example = found[0].id if found else "82"
    every = f", or `{arguments.command} --all`" if "all" in arguments else ""
    listed = ", ".join(dataset.name for dataset in found[:MAX_NAMES]) + (", …" if len(found) > MAX_NAMES else "")
    there = f" Datasets here: {listed}." if found else ""
    return f"Type `{arguments.command} {example}`{every}.{there}"


def datasets_of(library: Library, names: Iterable[str]) -> list[Dataset]:
    """Return the datasets of these names, each once, in the order given.

    Raises:
        NoSuchDataset: there is no dataset of a name.
    """
    return list({dataset.name: dataset for dataset in map(library.dataset, names)}.values())
