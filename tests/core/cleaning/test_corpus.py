"""Every case of `corpus.toml`, and that it has a case for every rule."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.cleaning import (
    RULES,
    Cleaned,
    Pipeline,
    brackets,
    characters,
    flags,
    inserted_words,
    loops,
    prose,
    punctuation,
    tag_rules,
)
from hashmark.core.cleaning.patterns import Replacement

MODULES = (characters, prose, tag_rules, inserted_words, punctuation, loops, brackets, flags)

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("corpus.toml").read_text("utf-8"))["case"]


def pipeline(case: dict[str, Any]) -> Pipeline:
    """The rule of a case alone, or a preset."""
    alone = {"rules": [case["rule"]]} if "rule" in case else {}
    table = {"profile": case.get("profile", "prose"), **alone, **case.get("settings", {})}
    found = Pipeline.parse(table)
    return found.with_counts(case["counts"]) if "counts" in case else found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('rule', 'all')}-{ascii(case['in'])[:40]}")
def test_a_dirty_caption_comes_out_as_expected(case: dict[str, Any]) -> None:
    """Text, rules and flags as the case says; and cleaned again, it stays."""
    rules = pipeline(case)
    found = rules.clean(case["in"])
    assert found.text == case["out"]
    if "by" in case:
        assert list(found.by) == case["by"]
    if "flags" in case:
        assert [flag.rule for flag in found.flags] == case["flags"]
    assert found.remove == case.get("remove", False)
    assert rules.clean(found.text) == Cleaned(found.text, (), found.flags, found.remove)


def test_every_rule_has_a_case() -> None:
    """A rule that is added without an example fails here; `decode` has bytes, and so its own test."""
    assert {case["rule"] for case in CASES if "rule" in case} == set(RULES) - {"decode"}


def test_the_cases_know_no_key_that_is_not_read() -> None:
    """A slip in a case's key would assert nothing."""
    known = {"rule", "profile", "settings", "counts", "in", "out", "by", "flags", "remove", "source"}
    assert set().union(*CASES) <= known


def test_the_rules_are_the_32_operations() -> None:
    """Each number once, in order but for the one exception that the registry explains."""
    numbers = [rule.number for rule in RULES.values()]
    assert sorted(numbers) == list(range(1, 33))
    assert [number for number in numbers if number != 18] == [number for number in range(1, 33) if number != 18]
    assert list(RULES).index("weights") == list(RULES).index("parentheses") - 1


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.build is not None])
def test_every_rule_says_what_it_does_with_an_example(name: str) -> None:
    """The docstring is the definition, so none may be without."""
    found = [getattr(module, name.replace("-", "_"), None) for module in MODULES]
    said = [function.__doc__ or "" for function in found if inspect.isfunction(function)]
    if name == "replace":
        said = [Replacement.__doc__ or ""]
    assert len(said) == 1
    assert "->" in said[0]


def test_flags_say_what_they_do_with_an_example() -> None:
    """So do the functions that only look."""
    for function in (flags.refusal, flags.length, flags.truncate, flags.measure):
        assert "->" in (function.__doc__ or ""), function
