"""Every cleaning rule by name, in the order in which they run, with its parameters.

Contains no rule itself. Does not know how settings are written (`config`) or how rules run together (`pipeline`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from types import MappingProxyType
from typing import Literal

from hashmark.core.cleaning import brackets, characters, inserted_words, loops, prose, punctuation, tag_rules
from hashmark.core.cleaning.cleaning_options import CleaningOptions, Preset, Profile, TagOrder
from hashmark.core.cleaning.fixed_point import Edit, each_line
from hashmark.core.cleaning.flags import truncate
from hashmark.core.cleaning.patterns import tag_test
from hashmark.core.cleaning.tags import tag_key


@dataclass(frozen=True)
class Rule:
    """One rule: its stable `name`, its stable number, what it does, and where it is enabled by default."""

    name: str
    number: int
    summary: str
    kind: Literal["edit", "flag"] = "edit"
    profiles: frozenset[Profile] = frozenset(Profile)
    """The profiles that can use it."""
    presets: frozenset[Preset] = frozenset()
    """The presets that enable it, in each of its profiles."""
    parameter: str = ""
    """The setting that it needs or that changes it, and that enables the rule."""
    needs_parameter: bool = False
    build: Callable[[CleaningOptions], Edit] | None = None
    """Builds the edit for a dataset; None where the pipeline does the work, since it needs more than the text."""

    def default(self, profile: Profile, preset: Preset = Preset.DEFAULT) -> bool:
        """Return whether it is enabled by default."""
        return profile in self.profiles and preset in self.presets


_ALWAYS = frozenset(Preset)
_THOROUGH = frozenset({Preset.THOROUGH})
_TAGS = frozenset({Profile.TAGS})


def _plain(rule: Edit) -> Callable[[CleaningOptions], Edit]:
    return lambda _options: rule


def _per_caption(rule: Edit) -> Callable[[CleaningOptions], Edit]:
    """Build a rule for the start or end of a caption, or of each line where each line is a caption."""
    return lambda options: partial(each_line, rule) if options.every_line else rule


def _replace(options: CleaningOptions) -> Edit:
    return lambda text: reduce(lambda text, replacement: replacement(text), options.replace, text)


def _append(options: CleaningOptions) -> Edit:
    prose = options.profile is Profile.PROSE
    return partial(inserted_words.append, word=options.append, every_line=options.every_line, prose=prose)


def _order(options: CleaningOptions) -> Edit:
    """Keep the trigger first and the appended word last, whatever the order."""
    wanted = options.order or TagOrder("name")
    counts = options.counts or {}
    by_name = wanted.by == "name"
    keep = max(wanted.keep, 1) if "trigger" in options.rules else wanted.keep
    last = options.append if "append" in options.rules else ""

    def key(tag: str) -> tuple[int, str]:
        return (0 if by_name else -counts.get(tag_key(tag), 0), tag_key(tag))

    return lambda text: tag_rules.order(text, key, keep, last)


def _length(options: CleaningOptions) -> Edit:
    """Build the edit that cuts; the pipeline adds the flag."""
    limit = options.length
    if limit is None or not limit.truncate:
        return lambda text: text
    last = options.append if "append" in options.rules else ""
    cut: Edit = partial(truncate, unit=limit.unit, limit=limit.limit, last=last)
    return partial(each_line, cut) if options.every_line else cut


_TABLE = (
    Rule("decode", 1, "read as UTF-8 or UTF-16, else as Windows-1252 with a flag; write UTF-8", presets=_ALWAYS),
    Rule("bom", 2, "drop a leading byte order mark", presets=_ALWAYS, build=_plain(characters.bom)),
    Rule("line-ends", 3, "CRLF, CR, U+2028 and U+2029 to LF", presets=_ALWAYS, build=_plain(characters.line_ends)),
    Rule("invisible", 4, "drop control and zero-width characters", presets=_ALWAYS, build=_plain(characters.invisible)),
    Rule("nfc", 5, "compose letters and their accents (NFC)", presets=_ALWAYS, build=_plain(characters.nfc)),
    Rule(
        "smart-punctuation",
        6,
        "convert curly quotes, dashes, … and NBSP to ASCII",
        presets=_THOROUGH,
        build=_plain(characters.smart_punctuation),
    ),
    Rule("spaces", 7, "collapse spaces, trim lines", presets=_ALWAYS, build=_plain(characters.spaces)),
    Rule(
        "newlines",
        8,
        "keep line breaks, join lines, keep the first line, or treat each line as a caption",
        presets=_ALWAYS,
        parameter="newlines",
        build=lambda options: partial(characters.newlines, policy=options.newlines),
    ),
    Rule(
        "wrappers",
        9,
        "remove <think>…</think>, code fences, 'Caption:' and enclosing quotes",
        presets=_THOROUGH,
        build=_per_caption(prose.wrappers),
    ),
    Rule(
        "boilerplate-start",
        10,
        "drop an opening such as 'The image shows'",
        profiles=frozenset({Profile.PROSE}),
        presets=_THOROUGH,
        build=_per_caption(prose.boilerplate_start),
    ),
    Rule(
        "boilerplate-end",
        11,
        "drop a last sentence such as 'Overall, …'",
        profiles=frozenset({Profile.PROSE}),
        build=_per_caption(prose.boilerplate_end),
    ),
    Rule("refusal", 12, "flag model refusals", "flag"),
    Rule("markdown", 13, "unwrap **bold**, `code`, headings and bullets", build=_plain(prose.markdown)),
    Rule("loops", 14, "drop repetitions of a phrase at the end of a line", build=_plain(loops.loops)),
    Rule(
        "separators",
        15,
        "separate tags with a comma and a space, drop empty tags",
        profiles=_TAGS,
        presets=_ALWAYS,
        parameter="separators",
        build=lambda options: partial(tag_rules.separators, also=[mark for mark in options.separators if mark != ","]),
    ),
    Rule(
        "underscores",
        16,
        "convert _ to a space, except in faces such as ^_^",
        profiles=_TAGS,
        build=lambda options: partial(tag_rules.underscores, protect=options.spared),
    ),
    Rule(
        "weights",
        18,
        "remove weights: (x:1.2) and ((x)) to x",
        build=lambda options: partial(brackets.weights, tags=options.profile is Profile.TAGS),
    ),
    Rule(
        "parentheses",
        17,
        r"escape \( \) for prompts, or unescape them",
        parameter="parentheses",
        needs_parameter=True,
        build=lambda options: partial(
            brackets.parentheses, mode=options.parentheses, spare_weights="weights" in options.rules
        ),
    ),
    Rule(
        "case",
        19,
        "convert to lower case, except protected words",
        profiles=_TAGS,
        build=lambda options: partial(tag_rules.case, protect=options.spared),
    ),
    Rule(
        "duplicates",
        20,
        "keep the first of equal tags",
        profiles=_TAGS,
        presets=_ALWAYS,
        build=_plain(tag_rules.duplicates),
    ),
    Rule(
        "subsumed",
        21,
        "drop 'shirt' beside 'white shirt'",
        profiles=_TAGS,
        build=lambda options: partial(tag_rules.subsumed, protect=options.spared),
    ),
    Rule(
        "aliases",
        22,
        "replace tags with others, by a table",
        profiles=_TAGS,
        parameter="aliases",
        needs_parameter=True,
        build=lambda options: partial(tag_rules.aliases, table=options.aliases),
    ),
    Rule(
        "blacklist",
        23,
        "drop unwanted tags",
        profiles=_TAGS,
        parameter="blacklist",
        needs_parameter=True,
        build=lambda options: partial(tag_rules.blacklist, unwanted=tag_test(options.blacklist)),
    ),
    Rule(
        "replace",
        24,
        "find and replace literal text or regular expressions (RE2)",
        parameter="replace",
        needs_parameter=True,
        build=_replace,
    ),
    Rule(
        "trigger",
        25,
        "put the trigger first",
        parameter="trigger",
        needs_parameter=True,
        build=lambda options: partial(inserted_words.trigger, word=options.trigger, every_line=options.every_line),
    ),
    Rule("append", 26, "put a word last", parameter="append", needs_parameter=True, build=_append),
    Rule(
        "placeholder",
        27,
        "replace [trigger] with the trigger",
        parameter="placeholder",
        build=lambda options: partial(inserted_words.placeholder, word=options.placeholder or options.trigger),
    ),
    Rule(
        "punctuation",
        28,
        "drop spaces before , . ; and repetitions of them; drop them at the end of tags",
        presets=_THOROUGH,
        build=lambda options: (
            punctuation.tag_punctuation if options.profile is Profile.TAGS else punctuation.punctuation
        ),
    ),
    Rule(
        "order",
        29,
        "sort tags by name or frequency",
        profiles=_TAGS,
        parameter="order",
        needs_parameter=True,
        build=_order,
    ),
    Rule(
        "length",
        30,
        "flag captions over a limit of words, characters or tags; optionally cut them",
        "flag",
        parameter="length",
        needs_parameter=True,
        build=_length,
    ),
    Rule("empty", 31, "flag a caption that cleaning empties", "flag", presets=_ALWAYS, parameter="empty"),
    Rule(
        "final-newline",
        32,
        "keep the final newline, or end with none or one",
        presets=_ALWAYS,
        parameter="final_newline",
        build=lambda options: partial(characters.final_newline, policy=options.final_newline),
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _TABLE})
"""Every rule by name, in the order in which they run.

That is the order of numbers, but `weights` (18) runs before `parentheses` (17), which would turn a weight into a name.
"""


def rules_of(profile: Profile, preset: Preset = Preset.DEFAULT) -> tuple[str, ...]:
    """Return the names of the rules that a profile enables by default, in the order in which they run."""
    return tuple(name for name, rule in RULES.items() if rule.default(profile, preset))


def edits(options: CleaningOptions) -> list[tuple[str, Edit]]:
    """Return the enabled edits with their names, in the order in which they run.

    The user's order comes first, then the other rules in the order of `RULES`.
    """
    names = dict.fromkeys([*options.sequence, *RULES])
    chosen = [RULES[name] for name in names if name in options.rules and RULES[name].build is not None]
    return [(rule.name, rule.build(options)) for rule in chosen if rule.build is not None]


def without(options: CleaningOptions, *names: str) -> CleaningOptions:
    """Return the options with some rules disabled."""
    return replace(options, rules=options.rules - set(names))
