"""The laws of cleaning, tried on dirt put together at random and on any Unicode, under any settings."""

from __future__ import annotations

import time
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.cleaning import KAOMOJI, UNSTABLE, Pipeline, Preset, Profile, tag_rules
from hashmark.core.cleaning.registry import RULES, edits
from support.dirty_captions import FAMILY, HEART, REPLACEMENTS, TOKEN, TRIGGER, all_tables, profiles, texts

COUNTS = {"cat": 3, "solo": 5, "long hair": 2}

EVERYTHING: dict[str, Any] = {
    "parentheses": "escape",
    "replace": REPLACEMENTS[:1],
    "trigger": TRIGGER,
    "append": TOKEN,
    "length": {"words": 8, "truncate": True},
    "add": ["smart-punctuation", "wrappers", "refusal", "markdown", "loops", "weights", "placeholder", "punctuation"],
}
FOR: dict[Profile, dict[str, Any]] = {
    Profile.PROSE: EVERYTHING | {"add": [*EVERYTHING["add"], "boilerplate-start", "boilerplate-end"]},
    Profile.TAGS: EVERYTHING
    | {
        "add": [*EVERYTHING["add"], "underscores", "case", "subsumed"],
        "separators": [",", "\uff0c", "\u3001"],
        "aliases": {"grey hair": "gray hair", "solo": "feline"},
        "blacklist": ["watermark", "rating:*", "/sign(ed|ature)/"],
        "order": {"by": "frequency", "keep": 1},
        "length": {"tags": 4, "truncate": True},
    },
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"parentheses": "unescape", "newlines": "variants", "length": {"chars": 30, "truncate": True}},
    {"newlines": "comma", "final_newline": "one", "replace": REPLACEMENTS, "length": {"words": 4}},
    {"newlines": "space", "final_newline": "none"},
    {"newlines": "first", "protect": ["OhWx", "Cat"]},
]


def everything(profile: Profile, change: dict[str, Any]) -> Pipeline:
    """A pipeline in which every rule of the profile runs."""
    return Pipeline.parse({"profile": str(profile), **FOR[profile], **change}).with_counts(COUNTS)


ALL = {(profile, at): everything(profile, change) for profile in Profile for at, change in enumerate(VARIANTS)}
EDITS = [(f"{name}-{profile}-{at}", rule) for (profile, at), found in ALL.items() for name, rule in found._rules]


def test_every_rule_is_tried() -> None:
    """A rule that is added without being put under the laws fails here."""
    tried = {name for found in ALL.values() for name in found.names}
    assert tried == {name for name, rule in RULES.items() if rule.build is not None}
    for (profile, _), found in ALL.items():
        assert found.options.rules == {name for name, rule in RULES.items() if profile in rule.profiles}


@given(st.sampled_from(EDITS), texts)
@example(("duplicates", tag_rules.duplicates), "000,,_,,,_,")
def test_a_rule_applied_twice_changes_no_more_than_once(named: tuple[str, Any], text: str) -> None:
    """Every rule is idempotent, with every parameter."""
    rule = named[1]
    once = rule(text)
    assert rule(once) == once, named[0]


@given(st.sampled_from(list(ALL.values())), texts)
def test_cleaning_with_every_rule_on_is_done_once(pipeline: Pipeline, text: str) -> None:
    """All rules of a profile together, in which each uncovers work for the others."""
    once = pipeline.clean(text)
    again = pipeline.clean(once.text)
    assert again.text == once.text
    assert again.by == ()
    assert again.remove == once.remove


@given(all_tables, texts)
def test_cleaning_a_clean_caption_changes_nothing(table: dict[str, Any], text: str) -> None:
    """Whatever the settings."""
    pipeline = Pipeline.parse(table).with_counts(COUNTS)
    once = pipeline.clean(text)
    again = pipeline.clean(once.text)
    assert (again.text, again.by) == (once.text, ())
    assert (once.by == ()) == (once.text == text)
    assert once.text or not text


@given(
    all_tables, st.one_of(st.binary(max_size=40), texts.map(str.encode), texts.map(lambda text: text.encode("utf-16")))
)
def test_cleaning_a_clean_file_changes_no_byte(table: dict[str, Any], data: bytes) -> None:
    """Bytes of any encoding, or of none; nothing is emptied."""
    pipeline = Pipeline.parse(table).with_counts(COUNTS)
    once, found = pipeline.clean_bytes(data)
    assert (once == data) == (found.by == ())
    assert pipeline.clean_bytes(once)[0] == once
    assert once or not data


@given(profiles, st.sampled_from([*Preset]), texts)
def test_a_preset_leaves_nothing_that_one_of_its_rules_would_change(
    profile: Profile, preset: Preset, text: str
) -> None:
    """The presets settle on any text, and by each rule alone."""
    pipeline = Pipeline.parse({"profile": str(profile), "preset": str(preset)})
    found = pipeline.clean(text)
    assert UNSTABLE not in {flag.rule for flag in found.flags}
    if any(flag.rule == "empty" for flag in found.flags):
        return
    for name, rule in edits(pipeline.options):
        assert rule(found.text) == found.text, name


@given(profiles, texts)
def test_a_caption_cleaned_by_default_has_no_dirt_left(profile: Profile, text: str) -> None:
    """Whatever came in, these never come out."""
    found = Pipeline.parse({"profile": str(profile)}).clean(text)
    if any(flag.rule == "empty" for flag in found.flags):
        assert found.text == text
        return
    assert unicodedata.is_normalized("NFC", found.text)
    assert not set(found.text) & set("\r\u200b\u2060\u00ad\u2028\x00\x85\t")
    assert not found.text.startswith(("\ufeff", " ", "\n"))
    assert "  " not in found.text
    assert not found.text.endswith((" ", "\n\n"))


KEPT = ["saber \\(fate\\)", "name \\(series\\)", FAMILY, HEART, "1girl", ":d", "!?", "\u2460", "\ufb01", "score_9"]
FACES = sorted(KAOMOJI)


@given(
    profiles,
    st.sampled_from(
        [{}, {"preset": "thorough"}, {"add": ["underscores", "case", "weights", "markdown", "punctuation"]}]
    ),
    st.lists(st.sampled_from([*FACES, *KEPT]), unique=True, min_size=1),
    st.sampled_from([", ", " , ", ", , ", ",  "]),
)
def test_no_face_escape_or_joined_emoji_is_lost_from_tags(
    profile: Profile, more: dict[str, Any], tags: list[str], separator: str
) -> None:
    """A list of such tags comes out as the same list, however it was separated."""
    if profile is Profile.PROSE:
        more = {**more, "add": [name for name in more.get("add", []) if Profile.PROSE in RULES[name].profiles]}
        separator = ", "
    pipeline = Pipeline.parse({"profile": str(profile), **more})
    assert pipeline.clean("x, " + separator.join(tags) + ", y").text == ", ".join(["x", *tags, "y"])


@given(
    st.sampled_from([str(mode) for mode in ("escape", "unescape")]),
    st.lists(st.sampled_from([face for face in FACES if "," not in face]), min_size=1),
)
def test_faces_are_no_parentheses(mode: str, faces: list[str]) -> None:
    """Neither way of writing parentheses touches them."""
    text = "x, " + ", ".join(faces)
    table = {"profile": "tags", "skip": ["duplicates"], "parentheses": mode, "add": ["weights"]}
    assert Pipeline.parse(table).clean(text).text == text


@given(profiles, st.lists(st.from_regex(r"[A-Za-z0-9\u00e9\u4e00]{1,6}", fullmatch=True), min_size=1))
def test_words_survive_cleaning_in_their_order(profile: Profile, found: list[str]) -> None:
    """Plain words with single spaces are already clean, thoroughly."""
    text = "so " + " ".join(found)
    assert Pipeline.parse({"profile": str(profile), "preset": "thorough"}).clean(text).text == text


@given(profiles, st.lists(st.sampled_from(["a cat", "", "on a mat", "", "^_^", "x, y"]), min_size=1))
def test_kept_lines_are_kept(profile: Profile, lines: list[str]) -> None:
    """No rule of the presets loses a line, blank ones between others included."""
    text = "\n".join(["first", *lines, "last"])
    for preset in Preset:
        assert Pipeline.parse({"profile": str(profile), "preset": str(preset)}).clean(text).text == text


HOSTILE = [
    " ", "\t", "\n", "\r", ",", ", ", " ,", ".", " .", ";", "a,", "a, ", "(", ")", "((", "))", "(:1", "\\", "\\(",
    "<think>", "</think>", "```", "```\n", "x```\n", "`", "`a", "*", "**", "**a", "# ", "- ", "caption:",
    "The image shows ", "the image ", "Overall, ", "overall. Overall, ", '"', '\'"', "_", "__", "a_", "o_o ", ":,(",
    ",_,", "[trigger]", "\u200b", "e\u0301", "\u0301", "a b ", "a a ", "OhWx, ", "stellar sketch, ", "girl", "1boys ",
    "a. ", "! ", "-", "x" * 50, "\ufeff", "\u201c", "1.2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE, ids=ascii)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Fifty thousand characters made to hurt take a fraction of a second; squared, they would take minutes.

    The processor's time is counted, not the clock's, so that other work on the machine does not matter.
    """
    text = piece * (50_000 // len(piece))
    for (profile, at), pipeline in ALL.items():
        for name, rule in pipeline._rules if at < 2 else []:
            began = time.process_time()
            rule(text)
            assert time.process_time() - began < 5, (name, profile)
