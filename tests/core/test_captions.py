"""What each caption rule does, by table, and the laws that all of them keep, by Hypothesis."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.captions import KAOMOJI, PROFILES, RULES, apply, clean
from hashmark.core.encoding import decode

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"

TABLE: dict[str, list[tuple[str, str]]] = {
    "bom": [
        ("\ufeff1girl", "1girl"),
        ("\ufeff\ufeff1girl", "1girl"),
        ("1girl\ufeff, solo", "1girl\ufeff, solo"),
    ],
    "line_ends": [
        ("a\r\nb", "a\nb"),
        ("a\rb\u2028c\u2029d\n", "a\nb\nc\nd\n"),
        ("a\r\r\nb", "a\n\nb"),
    ],
    "invisible": [
        ("cat\u200b", "cat"),
        ("c\u2060a\u00adt\x00\x1b\x7f\x9d", "cat"),
        ("a\n\tb", "a\n\tb"),
        (FAMILY, FAMILY),
    ],
    "nfc": [
        ("cafe\u0301", "caf\u00e9"),
        ("\u2460 \ufb01", "\u2460 \ufb01"),
    ],
    "smart_punctuation": [
        ("\u201cx\u201d \u2013 girl\u2019s", '"x" - girl\'s'),
        ("6\u2032 2\u2033 \u2014 tall\u2026", "6' 2\" - tall..."),
        ("a\u00a0cat", "a cat"),
        ("\u201eso\u201f \u201aso\u201b", "\"so\" 'so'"),
    ],
    "spaces": [
        ("a   cat ", "a cat"),
        ("\t a \t cat  \n  on a mat ", "a cat\non a mat"),
        ("a cat\n", "a cat\n"),
        ("\n\na cat \n\n \n", "a cat\n"),
        ("a\n\nb", "a\n\nb"),
        (" \n\t\n", ""),
    ],
    "wrappers": [
        ('Caption: "a cat"', "a cat"),
        ("caption : a cat\n", "a cat\n"),
        ("<think>a dog?\nno</think>\na cat", "a cat"),
        ("```text\na cat\n```", "a cat"),
        ("```a cat```", "a cat"),
        ("\u201ca cat\u201d", "a cat"),
        ('"a" and "b"', '"a" and "b"'),
        ("<think>never closed", "<think>never closed"),
        ("```never closed", "```never closed"),
        ("a caption: b", "a caption: b"),
        ("'_'", "'_'"),
        ("  a cat  \n", "  a cat  \n"),
    ],
    "boilerplate_prefix": [
        ("The image shows a cat.", "A cat."),
        ("This illustration showcases  an owl", "An owl"),
        ("the photo depicts a cat", "a cat"),
        ("THE PICTURE CAPTURES a cat", "A cat"),
        ("The image shows this photo features a cat.", "A cat."),
        ("The image shows", "The image shows"),
        ("The imagery shows a cat", "The imagery shows a cat"),
        ("A cat. The image shows a cat.", "A cat. The image shows a cat."),
        ("The image shows \u00dfx", "\u00dfx"),
    ],
    "separators": [
        ("dog,, ,solo ,", "dog, solo"),
        ("dog ,\nsolo,cat\n", "dog\nsolo, cat\n"),
        (" , ", ""),
        ("saber \\(fate\\),^_^", "saber \\(fate\\), ^_^"),
    ],
    "duplicate_tags": [
        ("1girl, solo, 1girl", "1girl, solo"),
        ("Long_Hair, long hair,LONG  hair, solo", "Long_Hair, solo"),
        ("a, b\na, a", "a, b\na"),
        ("^_^, ^ ^, o_o, O_O", "^_^, ^ ^, o_o, O_O"),
        ("a,, ,b", "a,, ,b"),
    ],
    "punctuation": [
        ("a cat , sits..", "a cat, sits."),
        ("a ,, b ; c . .", "a, b; c."),
        ("wait... what....", "wait... what...."),
        ("the .png of a .5 scale model .", "the .png of a .5 scale model."),
        ("hello ;) and ;_; and ._. there", "hello ;) and ;_; and ._. there"),
        ("1girl, ..., ;d, ;;", "1girl, ..., ;d, ;;"),
        ("well ... yes", "well ... yes"),
    ],
    "tag_end": [
        ("1girl, solo.", "1girl, solo"),
        ("1girl, solo ;,.\ncat.", "1girl, solo\ncat"),
        ("1girl, ;_;.", "1girl, ;_;"),
        ("1girl, ...", "1girl, ..."),
        ("1girl, ._.", "1girl, ._."),
    ],
}

FRAGMENTS = """
    \u201c \u201d \u2019 \u2013 \u2014 \u2026 \u2033 " ' , ,, . .. ... ; _ - ( ) \\( \\) ``` ```text
    Caption: caption: <think> </think> cat Cat CAT 1girl long_hair long solo \u00df \u0130 \u01f0
    \ufeff \u200b \u2060 \u00ad \u200d \x00 e\u0301 \u0301 \u00e9
"""
BLANKS = ["\t", "\n", "\r\n", "\r", "\u2028", "\x85", "\u00a0", " ", "  ", ", ", " ,", " ."]
OPENINGS = ["The image shows ", "this photo features ", "The picture"]
DIRT = [*FRAGMENTS.split(), *BLANKS, *OPENINGS, FAMILY, *sorted(KAOMOJI)]
FACES_FOR_TAGS = sorted(face for face in KAOMOJI if "," not in face)
KEPT = ["saber \\(fate\\)", "name_\\(series\\)", FAMILY, "\u2764\ufe0f", "1girl", "long_hair", ":d", "!?"]

dirty = st.lists(st.sampled_from(DIRT), max_size=14).map("".join)
texts = st.one_of(st.text(max_size=60), dirty, st.lists(st.one_of(dirty, st.text(max_size=5)), max_size=5).map("".join))
profiles = st.sampled_from(sorted(PROFILES))
rules = st.sampled_from(sorted(RULES))
kept_tags = st.sampled_from([*FACES_FOR_TAGS, *KEPT])


def test_every_rule_has_a_table() -> None:
    """A rule that is added without examples fails here."""
    assert set(TABLE) == set(RULES)


@pytest.mark.parametrize(("rule", "before", "after"), [(rule, *row) for rule, rows in TABLE.items() for row in rows])
def test_a_rule_does_what_its_definition_says(rule: str, before: str, after: str) -> None:
    """Each example of the definition comes out as written."""
    assert RULES[rule](before) == after


def test_every_rule_says_what_it_does_with_an_example() -> None:
    """The docstring is the definition, so none may be without."""
    for rule in RULES.values():
        assert "->" in (rule.__doc__ or ""), rule


def test_profiles_name_rules_in_the_order_in_which_they_run() -> None:
    """A profile is a subsequence of `RULES`, and knows which rules are for tags or prose alone."""
    assert set(PROFILES) == {"tags", "prose"}
    for names in PROFILES.values():
        assert names == tuple(name for name in RULES if name in names)
    assert set(PROFILES["tags"]) ^ set(PROFILES["prose"]) == {
        *("boilerplate_prefix", "separators", "duplicate_tags", "tag_end")
    }


@pytest.mark.parametrize(
    ("profile", "before", "after"),
    [
        ("tags", "\ufeff1girl,solo ,, 1girl,\r\n", "1girl, solo\n"),
        ("tags", "cat ., cat., dog", "cat., dog"),
        ("tags", "long_hair, ^_^, >_<, saber \\(fate\\),", "long_hair, ^_^, >_<, saber \\(fate\\)"),
        ("tags", "The image shows a cat", "The image shows a cat"),
        ("tags", " , ", ""),
        ("prose", "Caption: \u201cThe image shows a cat\u2019s  tail , up..\u201d", "A cat's tail, up."),
        ("prose", 'The image shows "a cat"', "a cat"),
        ("prose", "a cat,a cat,", "a cat,a cat,"),
        ("prose", "a caf\u0065\u0301\u200b\n", "a caf\u00e9\n"),
    ],
)
def test_clean_runs_the_whole_profile(profile: str, before: str, after: str) -> None:
    """Rules uncover work for each other, and the pipeline finishes it."""
    assert clean(before, profile) == after


def test_an_unknown_name_is_an_error() -> None:
    """A typing mistake must not clean less than was asked for."""
    with pytest.raises(KeyError):
        clean("a", "poetry")
    with pytest.raises(KeyError):
        apply("a", ["spaces", "spaecs"])


def test_apply_runs_only_the_named_rules_in_the_fixed_order() -> None:
    """The caller's order does not matter."""
    assert apply("\ufeffa  cat ,b\r\n", ["spaces", "line_ends"]) == "\ufeffa cat ,b\n"


def test_a_text_that_does_not_settle_is_left_alone() -> None:
    """Hostile nesting is bounded, and still obeys the law of one cleaning."""
    hostile = "Caption: The image shows " * 500 + "a cat"
    assert clean(hostile, "prose") == hostile
    assert clean("Caption: The image shows " * 20 + "a cat", "prose") == "A cat"


@given(rules, texts)
def test_a_rule_applied_twice_changes_no_more_than_once(rule: str, text: str) -> None:
    """Every rule is idempotent."""
    once = RULES[rule](text)
    assert RULES[rule](once) == once


@given(texts, profiles)
@example("a ., a", "tags")
@example("a, ;b", "tags")
@example("\u2033'_'\u2033", "prose")
def test_cleaning_a_clean_caption_changes_nothing(text: str, profile: str) -> None:
    """The pipeline is idempotent, and leaves nothing that one of its rules would still change."""
    once = clean(text, profile)
    assert clean(once, profile) == once
    for name in PROFILES[profile]:
        assert RULES[name](once) == once, name


@given(texts, profiles)
def test_a_clean_caption_has_no_dirt_left(text: str, profile: str) -> None:
    """Whatever came in, these never come out."""
    after = clean(text, profile)
    assert unicodedata.is_normalized("NFC", after)
    assert not set(after) & set("\r\u200b\u2060\u00ad\u201c\u2019\u00a0\x00\x85\t")
    assert not after.startswith(("\ufeff", " ", "\n"))
    assert "  " not in after
    assert not after.endswith((" ", "\n\n"))


@given(st.lists(kept_tags, unique=True, min_size=1), st.sampled_from([", ", ",", " , ", ",,", ",  "]))
def test_no_kaomoji_escape_or_joined_emoji_is_lost_from_tags(tags: list[str], separator: str) -> None:
    """A list of such tags comes out as the same list, however it was separated."""
    assert clean(separator.join(tags), "tags") == ", ".join(tags)


@given(st.lists(st.one_of(kept_tags, st.sampled_from(["a", "cat", "sat"])), min_size=1))
def test_no_kaomoji_escape_or_joined_emoji_is_lost_from_prose(words: list[str]) -> None:
    """Among words, each stays where it was."""
    text = " ".join(words)
    assert clean("x " + text + " x", "prose") == "x " + text + " x"


@given(st.lists(st.from_regex(r"[A-Za-z0-9\u00e9\u4e00]{1,6}", fullmatch=True), min_size=1))
def test_words_survive_cleaning_in_their_order(words: list[str]) -> None:
    """Plain words with single spaces are already clean."""
    text = "so " + " ".join(words)
    assert clean(text, "prose") == text
    assert clean(text, "tags") == text


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        ("caf\u00e9".encode(), "caf\u00e9", "utf-8"),
        ("caf\u00e9".encode("utf-8-sig"), "\ufeffcaf\u00e9", "utf-8-sig"),
        ("caf\u00e9".encode("utf-16"), "caf\u00e9", "utf-16"),
        (b"\xfe\xff\x00a", "a", "utf-16"),
        (b"\xff\xfea", "\u00ff\u00fea", "cp1252"),
        (b"girl\x92s", "girl\u2019s", "cp1252"),
        (b"\x81\x8d\x8f\x90\x9d\xff", "\x81\x8d\x8f\x90\x9d\u00ff", "cp1252"),
        (b"\xef\xbb\xbf\xff", "\u00ef\u00bb\u00bf\u00ff", "cp1252"),
    ],
)
def test_decode_names_the_encoding_it_read(data: bytes, text: str, encoding: str) -> None:
    """The mark decides first, then strict UTF-8, then Windows."""
    assert decode(data) == (text, encoding)


@given(st.binary())
@example(b"\xff\xfe\x00\xd8")
@example(b"\xc3(")
def test_decode_reads_any_bytes_and_invents_no_replacement_character(data: bytes) -> None:
    """No byte string is an error, and none loses a byte to U+FFFD unless it already held one."""
    text, encoding = decode(data)
    assert encoding in {"utf-8", "utf-8-sig", "utf-16", "cp1252"}
    assert "\ufffd" not in text or encoding in {"utf-8", "utf-8-sig", "utf-16"}
    if encoding.startswith("utf-8"):
        assert text.encode() == data
    if encoding == "cp1252":
        assert len(text) == len(data)


@given(st.text())
def test_decode_reads_back_what_a_trainer_would_write(text: str) -> None:
    """UTF-8 comes back as it was, and so does UTF-16 with its mark."""
    data = text.encode()
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert decode(data)[0] == text
    assert decode(text.encode("utf-16")) == (text, "utf-16")
