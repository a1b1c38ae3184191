"""Generate dirty captions from typical fragments, and settings of a cleaning, for the property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hashmark.core.cleaning import KAOMOJI, Preset, Profile, rules_of
from hashmark.core.cleaning.characters import FINAL_NEWLINES, NEWLINES

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f"
TRIGGER = "OhWx"
TOKEN = "stellar sketch"

_WORDS = """
    cat Cat CAT 1girl long_hair long hair solo shirt white_shirt \u00df \u0130 \u01f0 score_9 rating:safe watermark a
    Grey_Hair the_image the image shows This photo features Overall, The overall mood is calm. I~can't ASSISTANT:
    ohwx OhWx sketch girl T_T $_$ a_b x_(y) saber_\\(fate\\) saber~\\(fate\\) (red~hair:1.2) ((x)) (x) (o)_(o:1.1)
    name~(series) ((o_o)) (^_^:1.2) (:d:1.2) (a,~b:1.1) \\(medium\\) \\\\( [trigger] [Trigger] **bold** `code` ***x***
    __a__ _x_
"""
_MARKS = r"""
    " ' , ,, . .. ... ; _ - ( ) (( )) \( \) \ ``` ```text ` * ** # ## - + : :1.2) :0) < > [ ] ! ?
    Caption: caption: <think> </think> <THINK>
"""
_ODD = """
    \u201c \u201d \u2018 \u2019 \u2013 \u2014 \u2026 \u2033 \ufeff \u200b \u2060 \u00ad \u200d \x00 \x1b e\u0301 \u0301
    \u00e9 \uff0c \u3001 \u037e \u1fef \u212a J\u030c \u2022
"""
BLANKS = [
    "\x85",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\u2028",
    "\u2029",
    "\x0b",
    "\u00a0",
    " ",
    " ",
    "  ",
    ", ",
    ", ",
    " ,",
    " .",
    "\n\n",
]
SENTENCES = [
    "The image shows ",
    "this photo features ",
    "The picture",
    " Overall, it is calm.",
    " The overall mood is calm.",
    "# A cat\n",
    "- a cat\n",
    "white, black, white, black, white, black",
    " on top of a hat on top of a hat on top of a hat",
    "no no no",
]
PIECES = [word.replace("~", " ") for word in (_WORDS + _MARKS + _ODD).split()] + [*BLANKS, *SENTENCES]
PIECES += [FAMILY, HEART, *sorted(KAOMOJI)]

dirty = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
spaced = st.lists(st.sampled_from(PIECES), max_size=10).map(" ".join)
listed = st.lists(st.sampled_from(PIECES), max_size=10).map(", ".join)
texts = st.one_of(
    st.text(max_size=60),
    dirty,
    spaced,
    listed,
    st.lists(st.one_of(dirty, listed, st.text(max_size=5)), max_size=5).map("".join),
)
profiles = st.sampled_from([*Profile])

REPLACEMENTS: list[dict[str, Any]] = [
    {"find": r"(\d)boys?", "with": r"\1girl", "regex": True},
    {"find": "girl", "with": "girl with hat"},
    {"find": "cat", "with": "dog", "ignore_case": True, "whole_word": True},
    {"find": "shirt", "with": "", "unit": "tag"},
    {"find": "(z+)", "with": r"\1\1", "regex": True},
    {"find": r"\s*;\s*", "with": "\n", "regex": True},
]

_BOTH: dict[str, st.SearchStrategy[Any]] = {
    "preset": st.sampled_from([*map(str, Preset)]),
    "newlines": st.sampled_from(NEWLINES),
    "parentheses": st.sampled_from(["escape", "unescape"]),
    "protect": st.just(["OhWx", "Cat"]),
    "replace": st.lists(st.sampled_from(REPLACEMENTS), max_size=2),
    "trigger": st.just(TRIGGER),
    "append": st.just(TOKEN),
    "placeholder": st.just(TRIGGER),
    "length": st.sampled_from([{"words": 4}, {"words": 5, "truncate": True}, {"chars": 30, "truncate": True}]),
    "empty": st.sampled_from(["flag", "delete", {"token": TOKEN}]),
    "final_newline": st.sampled_from(FINAL_NEWLINES),
}
_TAGS: dict[str, st.SearchStrategy[Any]] = {
    "separators": st.just([",", "\uff0c", "\u3001"]),
    "aliases": st.just({"grey hair": "gray hair", "cat": "feline", "solo": "cat"}),
    "blacklist": st.just(["watermark", "rating:*", "/sign(ed|ature)/", ":d"]),
    "order": st.sampled_from([{"by": "name"}, {"by": "name", "keep": 2}, {"by": "frequency", "keep": 1}]),
    "length": st.sampled_from([{"tags": 2}, {"tags": 3, "truncate": True}]),
}
_MORE = ["smart-punctuation", "wrappers", "refusal", "markdown", "loops", "weights", "punctuation"]
_MORE_FOR = {
    Profile.PROSE: [*_MORE, "boilerplate-start", "boilerplate-end"],
    Profile.TAGS: [*_MORE, "underscores", "case", "subsumed"],
}


def tables(profile: Profile) -> st.SearchStrategy[dict[str, Any]]:
    """Generate a dataset's settings: any parameters, and any rules in addition to the preset's."""
    known = _BOTH | _TAGS if profile is Profile.TAGS else _BOTH
    more: dict[str, st.SearchStrategy[Any]] = {
        "add": st.lists(st.sampled_from(_MORE_FOR[profile]), unique=True),
        "rules": st.lists(st.sampled_from([*rules_of(profile), *_MORE_FOR[profile]]), unique=True),
    }
    return st.fixed_dictionaries({"profile": st.just(str(profile))}, optional=known | more)


all_tables = profiles.flatmap(tables)
