"""The pipeline's promises beside the laws: bytes, presets, counts, settings that contradict each other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hashmark.core.cleaning import (
    RULES,
    UNSTABLE,
    Cleaned,
    CleaningOptions,
    Flag,
    Pipeline,
    Preset,
    Profile,
    count_tags,
    is_face,
    rules_of,
    tag_key,
    tags_of,
)
from hashmark.core.cleaning.fixed_point import MAX_ROUNDS, apply_until_stable
from hashmark.core.cleaning.pipeline import run
from hashmark.core.encoding import decode
from hashmark.core.errors import SettingsError
from hashmark.demo import sketches

ALWAYS = ["decode", "bom", "line-ends", "invisible", "nfc", "spaces", "newlines", "empty", "final-newline"]
DIRTY = [sketches.dirty_caption(seed) for seed in range(271)]


def clean(text: str, **table: Any) -> Cleaned:
    return Pipeline.parse(table).clean(text)


# --- presets


def test_the_default_is_what_the_table_marks_and_no_more() -> None:
    """`Def.` for both, and of the rules for tags those that respell nothing."""
    assert list(rules_of(Profile.PROSE)) == ALWAYS
    assert set(rules_of(Profile.TAGS)) == {*ALWAYS, "separators", "duplicates"}


def test_thorough_is_the_default_and_more() -> None:
    """What editors and models put around a caption goes as well."""
    more = {"smart-punctuation", "wrappers", "punctuation"}
    assert set(rules_of(Profile.PROSE, Preset.THOROUGH)) == {*ALWAYS, *more, "boilerplate-start"}
    assert set(rules_of(Profile.TAGS, Preset.THOROUGH)) == {*ALWAYS, *more, "separators", "duplicates"}


def test_a_preset_is_in_order_of_the_rules() -> None:
    """A help text can print it as it is."""
    for profile in Profile:
        for preset in Preset:
            names = rules_of(profile, preset)
            assert names == tuple(name for name in RULES if name in names)


def test_a_thorough_cleaning_changes_all_of_the_sample_librarys_captions() -> None:
    """The story: 271 captions of style 82 are cleaned, and the bucket has none of them."""
    for profile in Profile:
        pipeline = Pipeline.parse({"profile": str(profile), "preset": "thorough"})
        assert sum(pipeline.clean_bytes(data)[0] != data for data in DIRTY) == 271


def test_a_thorough_cleaning_by_each_captions_own_profile_gives_the_clean_one() -> None:
    """All 271 change, and none is damaged."""
    of = {str(profile): Pipeline.parse({"profile": str(profile), "preset": "thorough"}) for profile in Profile}
    for seed, data in enumerate(DIRTY):
        after, found = of[sketches.profile(seed)].clean_bytes(data)
        assert after.decode() == sketches.caption(seed)
        assert found.by


def test_a_clean_caption_of_the_sample_library_is_left_alone() -> None:
    """By every preset of its profile: what is green stays green."""
    for seed in range(271):
        for preset in Preset:
            pipeline = Pipeline.parse({"profile": sketches.profile(seed), "preset": str(preset)})
            data = sketches.caption(seed).encode()
            assert pipeline.clean_bytes(data) == (data, Cleaned(sketches.caption(seed)))


# --- order


def test_rules_run_in_the_order_in_which_they_are_named() -> None:
    """Of two that get in each other's way, the first has the first word."""
    table = {"profile": "tags", "aliases": {"cat": "feline"}, "replace": [{"find": "cat", "with": "dog"}]}
    assert clean("cat", **table).text == "feline"
    assert clean("cat", **table, rules=["replace", "aliases"]).text == "dog"
    assert Pipeline.parse({**table, "rules": ["replace", "spaces"]}).names == ("replace", "spaces", "aliases")


def test_what_changed_a_caption_is_told_in_that_order_too() -> None:
    """The preview reads as the pipeline does."""
    assert clean("A  cat\u200b", rules=["spaces", "invisible", "spaces"]).by == ("spaces", "invisible")


# --- bytes


@pytest.mark.parametrize(
    ("data", "after", "by", "flags"),
    [
        (b"girl\x92s", "girl\u2019s".encode(), ["decode"], ["decode"]),
        (b"a  girl\x92s", "a girl\u2019s".encode(), ["decode", "spaces"], ["decode"]),
        ("caf\u00e9".encode("utf-8-sig"), "caf\u00e9".encode(), ["bom"], []),
        ("caf\u00e9".encode("utf-16"), "caf\u00e9".encode(), ["decode"], []),
        ("caf\u00e9".encode(), "caf\u00e9".encode(), [], []),
        (b"", b"", [], ["empty"]),
        (b"\xef\xbb\xbf", b"\xef\xbb\xbf", [], ["empty"]),
    ],
)
def test_what_is_not_utf_8_becomes_it(data: bytes, after: bytes, by: list[str], flags: list[str]) -> None:
    """And a guess is flagged, for the accents may be others."""
    once, found = Pipeline.parse({}).clean_bytes(data)
    assert once == after
    assert list(found.by) == by
    assert [flag.rule for flag in found.flags] == flags
    assert found.text.encode() == after or not after.strip()


def test_without_decode_a_file_keeps_its_encoding() -> None:
    """Where that has bytes for the new text; else the file is left, and flagged."""
    table = {"skip": ["decode"]}
    assert Pipeline.parse(table).clean_bytes(b"a  girl\x92s")[0] == b"a girl\x92s"
    assert Pipeline.parse(table).clean_bytes("a  b".encode("utf-16"))[0] == "a b".encode("utf-16")
    after, found = Pipeline.parse({**table, "trigger": "\u0142"}).clean_bytes(b"girl\x92s")
    assert (after, found.text, found.by) == (b"girl\x92s", "girl\u2019s", ())
    assert [flag.rule for flag in found.flags] == ["decode"]


# --- what never settles


def test_a_text_that_does_not_settle_is_left_alone_and_flagged() -> None:
    """Hostile nesting is bounded; a little nesting is not hostile."""
    nested = "Caption: The image shows "
    found = clean(nested * 500 + "a cat", preset="thorough")
    assert (found.text, found.by) == (nested * 500 + "a cat", ())
    assert [flag.rule for flag in found.flags] == [UNSTABLE]
    assert "boilerplate-start, wrappers" in found.flags[0].message
    assert clean(nested * 20 + "a cat", preset="thorough").text == "A cat"


def test_rules_that_feed_each_other_stop_before_they_fill_the_memory() -> None:
    """Twice as long each time would be 2 to the 64th."""
    calls: list[int] = []

    def double(text: str) -> str:
        calls.append(len(text))
        return text * 2

    assert run([("double", double)], "abc") == (None, frozenset({"double"}))
    assert len(calls) < 20
    assert apply_until_stable(double, "abc") == "abc"
    assert max(calls) < 10_000


def test_rules_that_undo_each_other_are_told_by_their_last_round() -> None:
    """A rule that did its work in the first round is not blamed."""
    flip = {"a": "b", "b": "a"}
    rules = [("once", lambda text: text.strip()), ("flip", lambda text: flip.get(text, text))]
    assert run(rules, " a") == (None, frozenset({"flip"}))
    assert run(rules, " c") == ("c", frozenset({"once"}))
    assert apply_until_stable(lambda text: flip[text], "a") == "a"
    assert MAX_ROUNDS == 64


# --- counts


def test_an_order_by_frequency_asks_for_counts() -> None:
    """Rather than to sort by nothing."""
    pipeline = Pipeline.parse({"profile": "tags", "order": {"by": "frequency"}})
    assert pipeline.needs_counts
    with pytest.raises(ValueError, match="with_counts"):
        pipeline.clean("a")
    with pytest.raises(ValueError, match="with_counts"):
        pipeline.clean_bytes(b"a")
    assert not Pipeline.parse({"profile": "tags", "order": {"by": "name"}}).needs_counts
    assert not pipeline.with_counts({}).needs_counts


def test_a_dataset_sorted_by_frequency_is_sorted_once() -> None:
    """Counted after the other rules, a second cleaning finds nothing to do."""
    captions = ["rare , dog", "Dog, dog, cat", "cat,dog", "cat, bird"]
    pipeline = Pipeline.parse({"profile": "tags", "order": {"by": "frequency"}})
    for expected in (["dog, rare", "cat, Dog", "cat, dog", "cat, bird"],) * 2:
        bare = pipeline.without_order()
        counts = count_tags(bare.clean(text).text for text in captions).counts
        captions = [pipeline.with_counts(counts).clean(text).text for text in captions]
        assert captions == expected


def test_counts_tell_singletons_and_what_always_goes_with_the_trigger() -> None:
    """A tag twice in one caption counts once; letter case and underscores do not make another tag."""
    found = count_tags(["OhWx, Red_Hair, red hair, hat", "ohwx, red hair, dog", "dog, :,(\ncat, O_O"], "ohwx")
    assert found.captions == 3
    assert found.counts == {"ohwx": 2, "red hair": 2, "dog": 2, "hat": 1, ":,(": 1, "cat": 1, "O_O": 1}
    assert found.together == {"red hair": 2, "hat": 1, "dog": 1}
    assert found.singletons == [":,(", "O_O", "cat", "hat"]
    assert found.always_with_trigger() == ["red hair"]
    assert not count_tags(["a, b"]).together


def test_tags_have_keys() -> None:
    """What makes two of them one."""
    assert list(tags_of(" a ,, b\nc,")) == ["a", "b", "c"]
    assert tag_key(" Long__Hair ") == tag_key("long hair") == "long hair"
    assert tag_key("o_o") != tag_key("O_O")
    assert tag_key("x " * 100) == " ".join("x" * 100)


@pytest.mark.parametrize("word", ["^_^", "O_O", "T_T", "$_$", "*_-", ":D", ":,("])
def test_a_face_is_known(word: str) -> None:
    """From the list, or by its looks."""
    assert is_face(word)


@pytest.mark.parametrize("word", ["a_b", "__", "_", "long_hair", "", "a_", "(x_y)", "ab_ab"])
def test_a_word_is_no_face(word: str) -> None:
    """Or it would keep its underscore for ever."""
    assert not is_face(word)


# --- one for all


def test_a_pipeline_is_a_value_that_threads_can_share() -> None:
    """Cleaning remembers nothing."""
    pipeline = Pipeline.parse({"profile": "tags", "preset": "thorough", "trigger": "ohwx", "blacklist": ["/dog.*/"]})
    texts = [decode(data)[0] for data in DIRTY]
    alone = [pipeline.clean(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pipeline.clean, texts)) == alone
    assert Pipeline(pipeline.options).clean(texts[0]) == alone[0]


def test_options_can_be_made_without_a_table() -> None:
    """As a page does for one rule."""
    assert Pipeline(CleaningOptions(rules=frozenset({"spaces"}))).clean("a  b") == Cleaned("a b", ("spaces",))


def test_a_plain_cleaning_does_not_load_the_pattern_library() -> None:
    """It takes a tenth of a start."""
    code = (
        "import sys; from hashmark.core.cleaning import Pipeline;"
        "Pipeline.parse({'profile': 'tags', 'preset': 'thorough', 'blacklist': ['a', 'b*']}).clean('a');"
        "assert 're2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_flags_and_answers_are_values() -> None:
    """They can be compared and kept in sets."""
    assert Flag("a", "b") == Flag("a", "b")
    assert len({Cleaned("a"), Cleaned("a")}) == 1


# --- settings that contradict each other


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"trigger": "a\u200bb"}, "'trigger' inserts 'a\u200bb', which the rule invisible would change"),
        ({"trigger": "x[trigger]", "add": ["placeholder"]}, "which the rule placeholder would change"),
        ({"profile": "tags", "append": "My Style", "aliases": {"my style": "x"}}, "the rule aliases would change"),
        ({"profile": "tags", "trigger": "ohwx", "blacklist": ["oh*"]}, "which the rule blacklist would change"),
        ({"profile": "tags", "aliases": {"a": "B c"}, "add": ["case"]}, "'aliases' inserts 'B c', which the rule case"),
        ({"empty": {"token": "(x:1.2)"}, "add": ["weights"]}, "'empty' inserts '(x:1.2)', which the rule weights"),
        (
            {"trigger": "ohwx", "replace": [{"find": ",", "with": " and"}]},
            "the rules replace, trigger would",
        ),
        ({"trigger": "same", "append": "same"}, "'trigger' and 'append' are the same"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(table: dict[str, Any], said: str) -> None:
    """Before they meet a caption."""
    with pytest.raises(SettingsError) as caught:
        Pipeline.parse(table)
    assert said in caught.value.message
    assert caught.value.hint


def test_words_of_the_settings_keep_their_spelling() -> None:
    """The trigger is protected from the rules that respell tags."""
    found = clean("My_Style, Solo", profile="tags", trigger="My_Style", add=["case", "underscores", "subsumed"])
    assert found.text == "My_Style, solo"
