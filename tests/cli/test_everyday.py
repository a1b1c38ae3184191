"""Commands that are given names alone do without a parser, and do what it would have had them do."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from hashmark.cli import everyday
from hashmark.cli.commands import app, app_for

PLAIN = [
    ["status"],
    ["status", "82"],
    ["status", "82", "10 b"],
    ["ls-remote", "82"],
    ["push", "82"],
    ["pull", "82", "9"],
]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each command was called with, its defaults filled in."""
    seen: list[Any] = []
    for name in ("status", "ls_remote", "move"):
        defaults = getattr(everyday, name).__wrapped__.__kwdefaults__

        def record(*args: Any, _name: str = name, _defaults: dict[str, Any] = defaults, **options: Any) -> None:
            seen.append((_name, args, _defaults | options))

        monkeypatch.setattr(everyday, name, record)
    return seen


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_names_alone_lead_to_the_same_call_with_the_parser_and_without(called: list[Any], words: list[str]) -> None:
    run = everyday.plain(words)
    assert run is not None
    run()
    app(words, standalone_mode=False)
    without, with_parser = called
    assert without == with_parser


@pytest.mark.parametrize(
    "line",
    [
        "",
        "status 82 --json",
        "status -L . 82",
        "-V",
        "push",
        "ls-remote",
        "ls-remote 8 9",
        "lint 82",
        "stat",
        "push -- 82",
    ],
)
def test_what_has_options_or_is_no_such_command_takes_the_parser(line: str) -> None:
    assert everyday.plain(line.split()) is None


@pytest.mark.parametrize(
    "line", ["status --help", "ls-remote", "clean --nope", "trash list --help", "trash", "nope", "--help", "", "-V"]
)
def test_a_command_alone_says_what_it_says_among_all_others(line: str) -> None:
    alone, among = (CliRunner().invoke(one, line.split()) for one in (app_for(line.split()), app))
    assert (alone.output, alone.exit_code) == (among.output, among.exit_code)
    assert len(app_for(["status"]).registered_commands) == 1 < len(app.registered_commands)
