"""What a dataset's table may hold, and what each mistake is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.cleaning import HELP, RULES, Length, Pipeline, Profile, TagOrder
from hashmark.core.cleaning.config import parse
from hashmark.core.errors import SettingsError

FULL = """
profile = "tags"
preset = "thorough"
add = ["case"]
skip = ["smart-punctuation"]
protect = ["OhWx"]
newlines = "variants"
separators = [",", "\\u3001"]
parentheses = "escape"
aliases = { "grey hair" = "gray hair", kitty = "puss", puss = "cat" }
blacklist = ["watermark", "rating:*", "/sign(ed|ature)/"]
replace = [{ find = "(\\\\d)boys?", with = "\\\\1girl", regex = true, unit = "tag", ignore_case = true }]
trigger = "OhWx"
append = "sketch"
placeholder = "OhWx"
order = { by = "frequency", keep = 1 }
length = { tags = 40, truncate = true }
empty = { token = "sketch" }
final_newline = "one"
rules = ["bom", "spaces"]
"""


def test_every_setting_is_understood() -> None:
    """As it stands in a file; a parameter turns its rule on."""
    table = tomllib.loads(FULL)
    assert set(table) == set(HELP)
    found = parse(table)
    assert found.profile is Profile.TAGS
    assert found.aliases == {"grey hair": "gray hair", "kitty": "cat", "puss": "cat"}
    assert found.order == TagOrder("frequency", 1)
    assert found.length == Length("tags", 40, truncate=True)
    assert (found.empty, found.token) == ("token", "sketch")
    assert found.replace[0].once("2Boys") == "2girl"
    parameters = {name.replace("_", "-") for name in HELP} - {"profile", "preset", "rules", "add", "skip", "protect"}
    assert found.rules == {"bom", "spaces", "case", *parameters}


def test_an_empty_table_is_prose_by_default() -> None:
    """The profile that knows nothing of commas harms least."""
    assert parse({}).profile is Profile.PROSE
    assert parse({}) == parse({"profile": "prose", "preset": "default"})


def test_rules_can_be_named_added_and_skipped() -> None:
    """`empty` can't be skipped: nothing is emptied in silence."""
    assert parse({"rules": ["bom"]}).rules == {"bom", "empty"}
    assert parse({"rules": []}).rules == {"empty"}
    assert "weights" in parse({"add": ["weights"]}).rules
    assert "spaces" not in parse({"skip": ["spaces"]}).rules
    assert "empty" in parse({"skip": ["empty"]}).rules
    assert "trigger" not in parse({"trigger": "x", "skip": ["trigger"]}).rules


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"triger": "x"}, "'triger' is not a setting.", "Did you mean 'trigger'?"),
    ({"zzz": 1}, "'zzz' is not a setting.", "Valid settings: profile"),
    ({"profile": "poetry"}, "'profile' is invalid.", "Valid: 'tags' or 'prose'"),
    ({"profile": 1}, "'profile' is invalid.", ""),
    ({"preset": "all"}, "'preset' is invalid.", "'thorough'"),
    ({"rules": ["spaecs"]}, "'spaecs' is not a rule.", "Did you mean 'spaces'?"),
    ({"add": ["line_ends"]}, "'line_ends' is not a rule.", "Did you mean 'line-ends'?"),
    ({"skip": "bom"}, "'skip' is invalid.", "Valid: rules to leave out."),
    ({"add": [1]}, "'add' is invalid.", ""),
    ({"add": ["trigger"]}, "the rule 'trigger' needs 'trigger'.", "Add trigger = …: the tag or word"),
    ({"add": ["placeholder"]}, "the rule 'placeholder' needs 'placeholder'.", ""),
    ({"add": ["length"]}, "the rule 'length' needs 'length'.", "words = 60"),
    ({"add": ["underscores"]}, "the rule 'underscores' is for tags, but the profile is 'prose'.", ""),
    ({"profile": "tags", "add": ["boilerplate-end"]}, "is for prose, but the profile is 'tags'.", ""),
    ({"blacklist": ["x"]}, "the rule 'blacklist' is for tags, but the profile is 'prose'.", ""),
    ({"newlines": "drop"}, "'newlines' is invalid.", "one of keep, space, comma, first, variants"),
    ({"final_newline": True}, "'final_newline' is invalid.", "unchanged"),
    ({"parentheses": ["escape"]}, "'parentheses' is invalid.", "escape, unescape"),
    ({"profile": "tags", "separators": [";"]}, "'separators' is invalid.", "what separates tags"),
    ({"protect": "x"}, "'protect' is invalid.", ""),
    ({"trigger": ""}, "'trigger' must be one tag or word", ""),
    ({"trigger": "a, b"}, "'trigger' must be one tag or word", ""),
    ({"append": " x"}, "'append' must be one tag or word", ""),
    ({"placeholder": "a\nb"}, "'placeholder' must be one tag or word", ""),
    ({"trigger": 5}, "'trigger' must be one tag or word", ""),
    ({"profile": "tags", "aliases": ["a"]}, "'aliases' is invalid.", "a table of tags"),
    ({"profile": "tags", "aliases": {" ": "a"}}, "'aliases' is invalid.", ""),
    ({"profile": "tags", "aliases": {"a": "b, c"}}, "'aliases' must be one tag or word", ""),
    ({"profile": "tags", "aliases": {"a b": "x", "A_b": "y"}}, "'aliases' has the same tag twice", "Keep one"),
    ({"profile": "tags", "aliases": {"a": "b", "b": "c", "c": "A"}}, "'aliases' has a cycle at 'a'.", ""),
    ({"profile": "tags", "blacklist": "x"}, "'blacklist' is invalid.", "'rating:*'"),
    ({"profile": "tags", "blacklist": [" "]}, "'blacklist': an entry is blank.", ""),
    ({"profile": "tags", "blacklist": ["/(/"]}, "'blacklist': the pattern ( is invalid (", "The syntax is RE2's"),
    (
        {"profile": "tags", "blacklist": ["/" + "x" * 1001 + "/"]},
        "a pattern can have at most 1000 characters.",
        "",
    ),
    ({"replace": {"find": "a", "with": "b"}}, "'replace' is invalid.", "a list of { find, with"),
    ({"replace": ["a"]}, "'replace' is invalid.", ""),
    ({"replace": [{"find": "a"}]}, "'replace' is invalid.", ""),
    ({"replace": [{"find": "a", "with": "b", "unit": "word"}]}, "'replace' is invalid.", ""),
    ({"replace": [{"find": "a", "with": "b", "regex": 1}]}, "'replace' is invalid.", ""),
    ({"replace": [{"find": "a", "wiht": "b"}]}, "'wiht' is not a setting of 'replace'.", "Did you mean 'with'?"),
    ({"replace": [{"find": "", "with": "b"}]}, "'replace': 'find' = '' matches an empty text", ""),
    ({"replace": [{"find": "a*", "with": "b", "regex": True}]}, "'find' = 'a*' matches an empty text", ""),
    ({"replace": [{"find": "(a", "with": "b", "regex": True}]}, "'replace': the pattern (a is invalid", "RE2"),
    (
        {"replace": [{"find": r"(?=a)a", "with": "b", "regex": True}]},
        "the pattern (?=a)a is invalid",
        "RE2",
    ),
    ({"replace": [{"find": "a", "with": r"\1", "regex": True}]}, "names a group that 'find' does not have", r"\\"),
    ({"replace": [{"find": "a", "with": r"\g<x>", "regex": True}]}, "names a group that 'find' does not have", ""),
    ({"replace": [{"find": "a", "with": r"\n", "regex": True}]}, "names a group that 'find' does not have", ""),
    ({"replace": [{"find": "a", "with": "b\\", "regex": True}]}, "or ends in a backslash", ""),
    ({"profile": "tags", "order": "name"}, "'order' is invalid.", 'by = "name"'),
    ({"profile": "tags", "order": {"by": "size"}}, "'order' is invalid.", ""),
    ({"profile": "tags", "order": {"keep": 1}}, "'order' is invalid.", ""),
    ({"profile": "tags", "order": {"by": "name", "keep": -1}}, "'order' is invalid.", ""),
    ({"profile": "tags", "order": {"by": "name", "keep": True}}, "'order' is invalid.", ""),
    ({"length": 60}, "'length' is invalid.", "words = 60"),
    ({"length": {"tokens": 75}}, "'tokens' is not a setting of 'length'.", ""),
    ({"length": {"words": 60, "tags": 3}}, "'length' is invalid.", ""),
    ({"length": {"words": 0}}, "'length' is invalid.", ""),
    ({"length": {"truncate": True}}, "'length' is invalid.", ""),
    ({"empty": "keep"}, "'empty' is invalid.", "flag, delete"),
    ({"empty": {"token": ""}}, "'empty' must be one tag or word", ""),
    ({"empty": {}}, "'empty' must be one tag or word", ""),
]


@pytest.mark.parametrize(("table", "said", "hint"), MISTAKES, ids=lambda value: str(value)[:50])
def test_a_mistake_is_told_by_its_name_with_the_way_out(table: dict[str, Any], said: str, hint: str) -> None:
    """What is wrong, and what is right."""
    with pytest.raises(SettingsError) as caught:
        Pipeline.parse(table)
    assert said in caught.value.message
    assert hint in caught.value.hint


DOCS = Path(__file__).parents[3] / "docs" / "commands.md"


def test_the_documents_name_every_rule_and_every_setting() -> None:
    """In the order in which they run, and with what each takes."""
    text = DOCS.read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \| .* \| (?:both|tags|prose) \|", text, re.MULTILINE) == list(RULES)
    for name, takes in HELP.items():
        assert f"| `{name}` | {takes} |" in text.replace("\\|", "|")


def test_the_example_of_the_documents_is_understood() -> None:
    """A user begins by copying it."""
    block = re.search(r"```toml\n(\[datasets\.[^\n]*clean\]\n.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert block
    table = tomllib.loads(block.group(1))["datasets"]["82_stellar_sketch"]["clean"]
    assert Pipeline.parse(table).clean("2boys, long_hair, watermark").text == "ohwx, 2girl, long hair"
