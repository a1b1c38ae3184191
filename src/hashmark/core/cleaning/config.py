"""Parses a dataset's `[datasets."x".clean]`, given as a plain table, into `CleaningOptions`.

Messages name settings as they are written in the file, which this module does not know.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hashmark.core.cleaning.brackets import PARENTHESES
from hashmark.core.cleaning.characters import FINAL_NEWLINES, NEWLINES
from hashmark.core.cleaning.cleaning_options import CleaningOptions, Length, Preset, Profile, TagOrder
from hashmark.core.cleaning.flags import UNITS
from hashmark.core.cleaning.patterns import UNITS as REPLACE_UNITS
from hashmark.core.cleaning.patterns import Replacement, tag_test
from hashmark.core.cleaning.registry import RULES, rules_of
from hashmark.core.cleaning.tag_rules import SEPARATORS
from hashmark.core.cleaning.tags import tag_key
from hashmark.core.errors import SettingsError

_ORDERS = ("name", "frequency")
_EMPTIES = ("flag", "delete")

HELP: Mapping[str, str] = {
    "profile": "'tags' or 'prose' (the default)",
    "preset": "'default' (the default) or 'thorough'",
    "rules": "names of rules to run instead of a preset, in this order",
    "add": "rules to add to the preset",
    "skip": "rules to leave out",
    "protect": "words that keep their spelling",
    "newlines": f"one of {', '.join(NEWLINES)}",
    "separators": f"what separates tags, of {' '.join(SEPARATORS)}",
    "parentheses": f"one of {', '.join(PARENTHESES)}",
    "aliases": 'a table of tags, as in { "grey hair" = "gray hair" }',
    "blacklist": "tags to drop: 'watermark', 'rating:*', '/sign(ed|ature)/'",
    "replace": "a list of { find, with, regex, unit, ignore_case, whole_word }",
    "trigger": "the tag or word to put first",
    "append": "the tag or word to put last",
    "placeholder": "the text that replaces [trigger]; the trigger by default",
    "order": 'as in { by = "name", keep = 1 }; by is name or frequency',
    "length": "as in { words = 60 }, { chars = 300 } or { tags = 40 }; also truncate = true",
    "empty": 'one of flag, delete; or { token = "sketch" }',
    "final_newline": f"one of {', '.join(FINAL_NEWLINES)}",
}
"""Every setting of the table, and its valid values."""


def parse(table: Mapping[str, Any]) -> CleaningOptions:
    """Parse a table of settings, described by `HELP`. A parameter enables its rule.

    Raises:
        SettingsError: a name or value is invalid, or a rule lacks its parameter or is not for the profile.
    """
    for name in table:
        if name not in HELP:
            raise _unknown(name, HELP, f"'{name}' is not a setting.")
    options = CleaningOptions(profile=Profile(_choice(table, "profile", tuple(Profile), Profile.PROSE)))
    changes: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in table:
            changes |= read(table)
    options = replace(options, **changes)
    sequence = tuple(dict.fromkeys(_names(table, "rules")))
    return replace(options, rules=_chosen(table, options), sequence=sequence)


def _chosen(table: Mapping[str, Any], options: CleaningOptions) -> frozenset[str]:
    """Return the names of the rules that run. `empty` always runs, so that emptied captions are reported."""
    preset = Preset(_choice(table, "preset", tuple(Preset), Preset.DEFAULT))
    names = set(_names(table, "rules") if "rules" in table else rules_of(options.profile, preset))
    names |= {name for name, rule in RULES.items() if rule.parameter and rule.parameter in table}
    names |= set(_names(table, "add"))
    names = (names - set(_names(table, "skip"))) | {"empty"}
    for name in sorted(names):
        rule = RULES[name]
        if options.profile not in rule.profiles:
            fit = " and ".join(sorted(rule.profiles))
            raise SettingsError(f"the rule '{name}' is for {fit}, but the profile is '{options.profile}'.")
        lacks = rule.needs_parameter and rule.parameter not in table
        if lacks or (name == "placeholder" and not (options.placeholder or options.trigger)):
            right = f"Add {rule.parameter} = …: {HELP[rule.parameter]}."
            raise SettingsError(f"the rule '{name}' needs '{rule.parameter}'.", right)
    return frozenset(names)


def _names(table: Mapping[str, Any], setting: str) -> list[str]:
    found = _texts(table, setting) if setting in table else []
    for name in found:
        if name not in RULES:
            raise _unknown(name, RULES, f"'{name}' is not a rule.")
    return found


def _unknown(name: str, known: Collection[str], said: str) -> SettingsError:
    near = difflib.get_close_matches(str(name)[:40], list(known), 1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Valid settings: {', '.join(known)}."
    return SettingsError(said, hint)


def _wrong(setting: str) -> SettingsError:
    return SettingsError(f"'{setting}' is invalid.", f"Valid: {HELP[setting]}.")


def _choice(table: Mapping[str, Any], setting: str, known: Collection[str], default: str) -> str:
    value = table.get(setting, default)
    if not isinstance(value, str) or value not in known:
        raise _wrong(setting)
    return value


def _texts(table: Mapping[str, Any], setting: str) -> list[str]:
    value = table[setting]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong(setting)
    return list(value)


def _entry(table: Mapping[str, Any], setting: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return a nested table that has only these names and types of values."""
    value = table[setting]
    if not isinstance(value, Mapping):
        raise _wrong(setting)
    for name, inner in value.items():
        if name not in kinds:
            raise _unknown(name, kinds, f"'{name}' is not a setting of '{setting}'.")
        if not isinstance(inner, kinds[name]) or (kinds[name] is int and isinstance(inner, bool)):
            raise _wrong(setting)
    return dict(value)


def _word(value: object, setting: str) -> str:
    """Return a tag that is not blank and has no comma, line break or surrounding space."""
    if not isinstance(value, str) or not value.strip() or value != value.strip() or "," in value or "\n" in value:
        raise SettingsError(f"'{setting}' must be one tag or word, without a comma or surrounding spaces.")
    return value


def _read_aliases(table: Mapping[str, Any]) -> dict[str, Any]:
    value = table["aliases"]
    if not isinstance(value, Mapping) or not all(isinstance(tag, str) and tag.strip() for tag in value):
        raise _wrong("aliases")
    direct = {tag_key(tag): _word(to, "aliases") for tag, to in value.items()}
    if len(direct) < len(value):
        raise SettingsError("'aliases' has the same tag twice, in different spellings.", "Keep one of them.")
    found: dict[str, str] = {}
    for key, value in direct.items():
        seen, to = {key}, value
        while (after := tag_key(to)) in direct and direct[after] != to:
            if after in seen:
                raise SettingsError(f"'aliases' has a cycle at '{key}'.", "Remove one of its lines.")
            seen.add(after)
            to = direct[after]
        found[key] = to
    return {"aliases": found}


def _read_blacklist(table: Mapping[str, Any]) -> dict[str, Any]:
    entries = tuple(_texts(table, "blacklist"))
    with _named("blacklist"):
        tag_test(entries)
    return {"blacklist": entries}


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Name the setting in the error of its value."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"'{setting}': {error.message.rstrip('.')}.", error.hint) from None


_REPLACE: Mapping[str, type] = {
    "find": str,
    "with": str,
    "regex": bool,
    "ignore_case": bool,
    "whole_word": bool,
    "unit": str,
}


def _read_replace(table: Mapping[str, Any]) -> dict[str, Any]:
    value = table["replace"]
    if not isinstance(value, list | tuple):
        raise _wrong("replace")
    found: list[Replacement] = []
    for item in value:
        entry = _entry({"replace": item}, "replace", _REPLACE)
        if "find" not in entry or "with" not in entry or entry.get("unit", "caption") not in REPLACE_UNITS:
            raise _wrong("replace")
        with _named("replace"):
            found.append(Replacement(to=entry.pop("with"), **entry))
    return {"replace": tuple(found)}


def _read_order(table: Mapping[str, Any]) -> dict[str, Any]:
    entry = _entry(table, "order", {"by": str, "keep": int})
    if entry.get("by") not in _ORDERS or entry.get("keep", 0) < 0:
        raise _wrong("order")
    return {"order": TagOrder(**entry)}


def _read_length(table: Mapping[str, Any]) -> dict[str, Any]:
    entry = _entry(table, "length", {**dict.fromkeys(UNITS, int), "truncate": bool})
    truncate = bool(entry.pop("truncate", False))
    if len(entry) != 1 or min(entry.values()) < 1:
        raise _wrong("length")
    ((unit, limit),) = entry.items()
    return {"length": Length(unit, limit, truncate)}


def _read_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(table["empty"], Mapping):
        entry = _entry(table, "empty", {"token": str})
        return {"empty": "token", "token": _word(entry.get("token"), "empty")}
    return {"empty": _choice(table, "empty", _EMPTIES, "flag")}


def _read_separators(table: Mapping[str, Any]) -> dict[str, Any]:
    marks = tuple(_texts(table, "separators"))
    if not set(marks) <= set(SEPARATORS):
        raise _wrong("separators")
    return {"separators": marks}


def _reader(setting: str, known: Collection[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda table: {setting: _choice(table, setting, known, "")}


def _word_reader(setting: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda table: {setting: _word(table[setting], setting)}


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "newlines": _reader("newlines", NEWLINES),
    "separators": _read_separators,
    "parentheses": _reader("parentheses", PARENTHESES),
    "protect": lambda table: {"protect": tuple(_texts(table, "protect"))},
    "aliases": _read_aliases,
    "blacklist": _read_blacklist,
    "replace": _read_replace,
    "trigger": _word_reader("trigger"),
    "append": _word_reader("append"),
    "placeholder": _word_reader("placeholder"),
    "order": _read_order,
    "length": _read_length,
    "empty": _read_empty,
    "final_newline": _reader("final_newline", FINAL_NEWLINES),
}
