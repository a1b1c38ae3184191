"""What the words of a command line mean, and what is said of words that mean nothing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

import hashmark.cli
from hashmark.cli.commands import SUMMARIES, module_name
from hashmark.cli.exits import Exit
from hashmark.cli.runner import parser_of, run
from hashmark.core.errors import UsageError


def parsed(command: str, *words: str) -> dict[str, Any]:
    found = parser_of(command).parse(words)
    assert found is not None
    return vars(found)


def refusal(command: str, *words: str) -> str:
    with pytest.raises(UsageError) as refused:
        parser_of(command).parse(words)
    return f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "words",
    [
        "82 9 --select *.txt --dry-run",
        "--dry-run 82 --select=*.txt 9",
        "--select *.txt 82 --dry-run -- 9",
        "82 --dry-run 9 --select=*.txt",
    ],
)
def test_options_and_arguments_come_in_any_order(words: str) -> None:
    found = parsed("push", *words.split())
    assert (found["datasets"], found["select"], found["dry_run"]) == (["82", "9"], ["*.txt"], True)


def test_values_and_arguments_may_begin_with_a_dash_and_hold_anything() -> None:
    found = parsed(
        "push", "--select", "-a b", "--select=--json", "--select", "x=y", "--select", "", "--", "--delete", "-"
    )
    assert found["select"] == ["-a b", "--json", "x=y", ""]
    assert (found["datasets"], found["delete"], found["json"]) == (["--delete", "-"], False, False)
    assert parsed("diff", "82", "-")["keys"] == ["-"]


@pytest.mark.parametrize("words", [["-L", "x"], ["-Lx"], ["--library", "x"], ["--library=x"]])
def test_the_library_has_a_short_option(words: list[str]) -> None:
    assert parsed("status", *words)["library"] == Path("x")


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("status", "--rehsh", "There is no option '--rehsh'. Did you mean '--rehash'?"),
        ("status", "-x", "There is no option '-x'. See 'hashmark status --help'."),
        ("delete", "--selct x 82", "There is no option '--selct'. Did you mean '--select'?"),
        ("status", "--re", "There is no option '--re'."),
        ("init", "", "Missing: --remote."),
        ("push", "82 --select", "--select needs a value: GLOB."),
        ("push", "82 --dry-run=1", "--dry-run takes no value."),
        ("push", "82 --take thiers", "--take: 'thiers' is not valid. Valid values: mine, theirs, newer."),
        ("delete", "82 --select x --from here", "--from: 'here' is not valid. Valid values: disk, bucket, both."),
        ("push", "82 --max-delete -1", "--max-delete: '-1' is not a whole number of 0 or more."),
        ("push", "82 --max-delete 1.5", "--max-delete: '1.5' is not a whole number of 0 or more."),
        ("serve", "--port 65536", "--port: '65536' is not a whole number from 0 to 65535."),
        ("serve", "--every nan", "--every: 'nan' is not a number of 5 or more."),
        ("clean", "82 --page 0", "--page: '0' is not a whole number of 1 or more."),
        ("ls-remote", "82 9", "Unexpected argument '9'."),
        ("undo", "a -- b", "Unexpected argument 'b'."),
    ],
)
def test_a_mistake_is_named_with_the_way_out(command: str, words: str, said: str) -> None:
    assert said in refusal(command, *words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stat", "There is no command 'stat'.\n  Did you mean 'status'?"),
        ("trash emty", "There is no command 'emty'.\n  Did you mean 'empty'?"),
        ("--verson", "There is no option '--verson'.\n  Did you mean '--version'?"),
    ],
)
def test_an_unknown_command_names_the_nearest(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) is Exit.USAGE
    assert said in capsys.readouterr().err
    assert run([*words.split(), "--json"]) is Exit.USAGE
    assert '"code": "usage"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status"), [("", 2), ("--help", 0), ("-h", 0), ("trash", 2), ("trash --help", 0), ("push 82 --help", 0)]
)
def test_help_goes_to_standard_output(words: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == status
    out, err = capsys.readouterr()
    assert (out.startswith("Usage: hashmark "), err) == (True, "")


@pytest.mark.parametrize("columns", [60, 80, 300])
@pytest.mark.parametrize("command", SUMMARIES)
def test_help_has_every_option_and_fits(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run([*command.split(), "--help"]) is Exit.DONE
    text = capsys.readouterr().out
    for action in parser_of(command)._actions:
        assert all(option in text for option in action.option_strings)
        assert action.metavar is None or str(action.metavar) in text
    assert max(map(len, text.partition("\nExamples:")[0].splitlines()[1:])) <= min(columns, 100)
    if columns == 80:
        assert SUMMARIES[command].split()[:3] == text.splitlines()[2].split()[:3]


def test_the_examples_of_help_are_command_lines() -> None:
    for command in SUMMARIES:
        parser = parser_of(command)
        for line in (parser.epilog or "").splitlines()[1:]:
            words = line.replace("'", "").split()
            assert words[: 1 + len(command.split())] == ["hashmark", *command.split()]
            assert parser.parse(words[1 + len(command.split()) :]) is not None


def test_every_module_of_the_commands_is_a_command() -> None:
    folder = Path(hashmark.cli.__file__).parent / "commands"
    found = {f"hashmark.cli.commands.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    assert found == {module_name(command) for command in SUMMARIES}


def test_no_command_is_imported_for_another() -> None:
    for path in (Path(hashmark.cli.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("hashmark.cli.commands."), f"{path.name} imports {node.module}"


def test_a_bug_is_reported_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HASHMARK_TRACEBACK", raising=False)
    monkeypatch.setattr("hashmark.library.library.Library.open", lambda _path: 1 // 0)
    assert run(["status"]) is Exit.PARTLY
    assert "Internal error: ZeroDivisionError: integer division or modulo by zero." in capsys.readouterr().err
    assert "hashmark.cli.commands.status" in sys.modules
    monkeypatch.setenv("HASHMARK_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run(["status"])
