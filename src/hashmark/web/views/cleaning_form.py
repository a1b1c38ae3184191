"""The form of the cleaning rules and the pages of a preview. Nothing is read or changed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hashmark.actions.clean import Preview
from hashmark.core.cleaning import RULES, Pipeline, Profile, Rule, rules_of
from hashmark.core.errors import SettingsError
from hashmark.core.model import Key
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.pictures import picture_version

_NOT_A_PARAMETER = frozenset({"profile", "preset", "rules", "add", "skip"})


def preview_json(live: LiveDataset, preview_id: str, found: Preview, start: int, count: int) -> dict[str, Any]:
    """Return a page of a preview: up to `count` entries of each list from `start` on; `totals` has their lengths.

    Each entry names the item that its caption belongs to, if there is one.
    """
    data = found.to_json(start, count)
    end = start + count
    lists = {
        "changes": [change.key for change in found.changes],
        "flags": [key for key, _ in found.flags],
        "skipped": [failure.key for failure in found.skipped],
    }
    for what, keys in lists.items():
        entries = data[what] if what == "changes" else data[what][start:end]
        data[what] = [entry | _item(live, key) for entry, key in zip(entries, keys[start:end], strict=True)]
    totals = {what: len(keys) for what, keys in lists.items()} | {"orphans": len(found.orphans)}
    return {"preview": preview_id, **data, "orphans": data["orphans"][start:end], "totals": totals}


def _item(live: LiveDataset, key: str) -> dict[str, str | None]:
    item = next(iter(live.items_of([Key(key)])), None)
    return {"item": item.id if item else None, "version": picture_version(item.lead) if item else None}


@dataclass(frozen=True)
class Switch:
    """A rule in the form. `on` names the profiles in which the dataset has it on; `value` is its parameter's value."""

    rule: Rule
    on: frozenset[Profile]
    value: Any


@dataclass(frozen=True)
class Form:
    """The form with a dataset's own settings. `settings` are the parameters of the rules."""

    profile: Profile
    switches: tuple[Switch, ...]
    settings: dict[str, Any]


def form_of(table: Mapping[str, Any]) -> Form:
    """Return the form for a dataset with this table in `hashmark.toml`.

    Raises:
        SettingsError: the table is not valid.
    """
    own = Pipeline.parse(table).options
    on: dict[Profile, frozenset[str]] = {}
    for profile in Profile:
        try:
            on[profile] = Pipeline.parse({**table, "profile": profile}).options.rules
        except SettingsError:  # the table names a rule that this profile does not have
            on[profile] = frozenset(rules_of(profile))
    names = dict.fromkeys([*own.sequence, *RULES])
    switches = (
        Switch(RULES[name], frozenset(p for p in Profile if name in on[p]), table.get(RULES[name].parameter))
        for name in names
    )
    settings = {name: value for name, value in table.items() if name not in _NOT_A_PARAMETER}
    return Form(own.profile, tuple(switches), settings)
