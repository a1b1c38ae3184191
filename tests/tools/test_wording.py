"""No text that users read has a wording that hashmark does not use. `python -m tools.wording` prints them all."""

from __future__ import annotations

import ast
import re

import pytest

from tools.wording import literals, texts

BANNED = {
    r"\banew\b": "again; --no-resume",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b(is|are|was|were|be) told\b": "is reported, is shown",
    r"can(no|')t be told": "is unknown; nothing can prove it",
    r"can(no|')t be understood": "is not valid, with the valid values",
    r"can(no|')t be listened": "cannot bind to HOST:PORT",
    r"\bg(i|a)ven? up\b|\bgives? up\b": "abort",
    r"\bhashmark is at it\b": "another process holds the lock",
    r"\blook(s|ed|ing)? (at|again)\b": "inspect, preview, check, review",
    r"\blitter\b": "ignored",
    r"fault of hashmark": "internal error",
    r"\bknown are\b": "valid settings: …",
    r"\b(uploads?|objects?) in parts\b": "incomplete multipart upload; multipart object",
    r"\bgo(es|ne)? on with\b": "resume",
    r"\b(gone|went|goes) over\b": "overwritten",
    r"\b(in|of) the way\b": "overwritten",
    r"\bto be known\b": "good to know",
    r"\bwhichever\b|\bwhoever\b": "any",
    r"\bneeds sync\b": "out of sync",
    r"\bone a line\b": "one per line",
    r"any letter case": "ignore case",
    r"\bFind, replace\b": "Find & replace",
    r"\bTags, trigger\b": "Add/remove tags",
    r"\bbinds first\b": "AND binds tighter than OR",
    r"ignores If-Match": "does not support",
    r"version is newer": "the bucket's version changed",
    r"\bstands for\b": "is",
    r"\bnot well\b": "caption issues",
    r"\bnobody agreed\b": "not confirmed",
    r"\bfailed inside\b": "server error (5xx)",
    r"\bwould not do it\b": "failed or refused",
    r"loaded whole\b": "was interrupted",
    r"\bhalf a character\b": "a lone surrogate",
    r"\bwhat is meant\b": "give a URL or a folder",
    r"^A \* also matches": "Did you mean '0001.*'?",
    r"arrived with other bytes": "do not match its ETag; `verify`",
    r"remote-delete|delete-remote \d": "deleted 1 from the bucket",
}
"""Wordings that are wrong, as regular expressions, with what hashmark says in their place."""


TEXTS = texts()


@pytest.mark.parametrize("wrong", BANNED, ids=list(BANNED.values()))
def test_no_text_has_a_banned_wording(wrong: str) -> None:
    found = [f"{where}: {text}" for text, where in TEXTS if re.search(wrong, text, re.IGNORECASE)]
    assert not found, f"say: {BANNED[wrong]}"


def test_the_texts_are_those_of_messages_help_templates_and_scripts() -> None:
    places = {where for _, where in TEXTS}
    assert {"core/plan.py", "push --help", "--help"} <= places
    for ending in (".html", ".ts"):
        assert sum(where.endswith(ending) for where in places) > 5
    assert ("Only keys that match this glob; may be repeated.", "cli/arguments.py") in TEXTS
    assert len(TEXTS) > 800


def test_literals_leave_docstrings_out_and_mark_what_is_filled_in() -> None:
    tree = ast.parse('def f(x):\n    """A docstring."""\n    raise E(f"No {x} here.", "Go on.")\n')
    assert list(literals(tree)) == ["No {…} here.", "Go on."]
