"""Runs the rules of one dataset on text or bytes, and returns clean text with reasons and flags.

Cleaning a clean caption changes nothing, whatever the rules. Does not know files or what happens to the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashmark.core.cleaning import flags
from hashmark.core.cleaning.characters import final_newline
from hashmark.core.cleaning.cleaning_options import CleaningOptions
from hashmark.core.cleaning.config import parse
from hashmark.core.cleaning.fixed_point import MAX_ROUNDS, Edit, max_length
from hashmark.core.cleaning.flags import Flag
from hashmark.core.cleaning.registry import edits, without
from hashmark.core.cleaning.tags import tag_key
from hashmark.core.encoding import decode, encode
from hashmark.core.errors import SettingsError

UNSTABLE = "unsettled"
"""The rule that a flag names where rules undo each other's work forever; it is not in `RULES`."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A caption after cleaning."""

    text: str
    """The new text; the old one where cleaning would empty it, so that no caption is emptied by accident."""
    by: tuple[str, ...] = ()
    """The rules that changed it, in the order in which they run; empty where nothing changed."""
    flags: tuple[Flag, ...] = ()
    remove: bool = False
    """Whether to delete the caption's file, as the settings say for a caption that cleaning empties."""


def run(rules: Sequence[tuple[str, Edit]], text: str) -> tuple[str | None, frozenset[str]]:
    """Run all rules in rounds until a round changes nothing; return the text and the rules that changed it.

    One rule can make work for another (`The image shows "a cat"`), hence the rounds. Two are usual, and the last one
    proves that cleaning again changes nothing. Returns None, with the rules that still change the text, if it is not
    stable after `MAX_ROUNDS` or exceeds `max_length`. The caller then keeps the text, so for any rules and texts the
    result is either a fixed point or the text itself.
    """
    by: set[str] = set()
    now: set[str] = set()
    before, limit = text, max_length(text)
    for _ in range(MAX_ROUNDS):
        after = before
        now = set()
        for name, rule in rules:
            new = rule(after)
            if new != after:
                now.add(name)
                after = new
        if after == before:
            return after, frozenset(by)
        by |= now
        if len(after) > limit:
            break
        before = after
    return None, frozenset(now)


class Pipeline:
    """Cleans the captions of one dataset. Created by `parse`; safe to use from several threads."""

    def __init__(self, options: CleaningOptions) -> None:
        self.options = options
        self._rules = edits(options)
        self.names: tuple[str, ...] = tuple(name for name, _ in self._rules)
        """Names of the rules that edit, in the order in which they run."""

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Pipeline:
        """Parse a dataset's `[datasets."x".clean]`, given as a plain table; `config.HELP` describes it.

        Raises:
            SettingsError: a name or value is invalid, or rules contradict each other. It does not name the file.
        """
        pipeline = cls(parse(table))
        pipeline._check_words()
        pipeline._check_probes()
        return pipeline

    @property
    def needs_counts(self) -> bool:
        """Whether `with_counts` must be called before cleaning."""
        order = self.options.order
        wanted = "order" in self.options.rules and order is not None and order.by == "frequency"
        return wanted and self.options.counts is None

    def without_order(self) -> Pipeline:
        """Return the pipeline without its order, to clean all captions before their tags are counted."""
        return Pipeline(without(self.options, "order"))

    def with_counts(self, counts: Mapping[str, int]) -> Pipeline:
        """Return the pipeline with the counts for an order by frequency: `count_tags(captions).counts`.

        Count captions cleaned by `without_order`, or a second cleaning could count, and so sort, differently.
        """
        return Pipeline(replace(self.options, counts=counts))

    def clean(self, text: str) -> Cleaned:
        """Clean one caption; `clean(clean(x).text).text == clean(x).text` always.

        Raises:
            ValueError: `needs_counts`.
        """
        if self.needs_counts:
            raise ValueError("an order by frequency needs with_counts()")
        after, by = run(self._rules, text)
        if after is None:
            never = f"was left as it is: the rules {', '.join(sorted(by))} would change it forever"
            return Cleaned(text, flags=(Flag(UNSTABLE, never), *self._flags(text)))
        if not after.strip():
            return self._emptied(text)
        names = tuple(name for name in self.names if name in by) if after != text else ()
        return Cleaned(after, names, tuple(self._flags(after)))

    def clean_bytes(self, data: bytes) -> tuple[bytes, Cleaned]:
        """Clean the content of a caption file; return what to write and why. Write only if it differs from `data`.

        With the rule `decode` the result is UTF-8, and a file read as Windows-1252 is flagged. Without it the file
        keeps its encoding, if that can represent the new text.

        Raises:
            ValueError: `needs_counts`.
        """
        text, encoding = decode(data)
        cleaned = self.clean(text)
        if "decode" not in self.options.rules:
            return self._in_its_encoding(data, text, cleaned)
        if encoding == "cp1252":
            note = Flag("decode", "is not UTF-8 and was read as Windows-1252; check its accents")
            cleaned = replace(cleaned, flags=(note, *cleaned.flags))
        if not cleaned.text.strip():
            return data, cleaned
        after = cleaned.text.encode()
        if text.encode() != data and after != data:
            cleaned = replace(cleaned, by=("decode", *cleaned.by))
        return after, cleaned

    def _in_its_encoding(self, data: bytes, text: str, cleaned: Cleaned) -> tuple[bytes, Cleaned]:
        if cleaned.text == text:
            return data, cleaned
        try:
            return encode(cleaned.text, data), cleaned
        except UnicodeEncodeError as error:
            lacks = f"was left as it is: its encoding cannot represent '{error.object[error.start]}'"
            return data, Cleaned(text, flags=(Flag("decode", lacks), *cleaned.flags))

    def _emptied(self, text: str) -> Cleaned:
        """Handle a caption that cleaning empties: keep its text, or write the word of the settings."""
        if self.options.empty == "token":
            word = run(self._rules, self.options.token)[0] or self.options.token
            return Cleaned(word, ("empty",) if word != text else (), tuple(self._flags(word)))
        said = "is empty" if not text.strip() else "would be empty after cleaning; it was left as it is"
        return Cleaned(text, flags=(Flag("empty", said),), remove=self.options.empty == "delete")

    def _flags(self, text: str) -> Iterator[Flag]:
        options = self.options
        said = flags.refusal(text) if "refusal" in options.rules else None
        if said:
            yield Flag("refusal", said)
        if "replace" in options.rules:
            for replacement in options.replace:
                if not replacement.is_stable(text):
                    yield Flag("replace", f"replacing '{replacement.find}' would never end; nothing was replaced")
        if options.length and "length" in options.rules:
            for line in text.split("\n") if options.every_line else [text]:
                said = flags.length(line, options.length.unit, options.length.limit)
                if said:
                    yield Flag("length", said)

    def _check_words(self) -> None:
        """Refuse a word of the settings that other rules would change every time it is inserted."""
        options = self.options
        if options.trigger and tag_key(options.trigger) == tag_key(options.append):
            raise SettingsError(
                "'trigger' and 'append' are the same word.", "A word cannot be first and last; remove one."
            )
        own = without(options, "trigger", "append", "order", "length")
        rules = edits(own)
        words = {"trigger": options.trigger, "append": options.append, "placeholder": options.placeholder}
        named = [*words.items(), ("empty", options.token), *(("aliases", to) for to in options.aliases.values())]
        for setting, word in named:
            _, changed = run(rules, final_newline(word, options.final_newline)) if word else (None, frozenset[str]())
            if changed:
                names = ", ".join(sorted(changed))
                right = "Spell it as that rule does, add it to 'protect', or skip the rule."
                raise SettingsError(f"'{setting}' inserts '{word}', which the rule {names} would change.", right)

    def _check_probes(self) -> None:
        """Refuse settings under which even the simplest captions never become stable."""
        rules = self._rules
        for probe in ("a", "a, b"):
            after, by = run(rules, probe)
            if after is None:
                names = ", ".join(sorted(by))
                right = "Check what each rule inserts and the others remove."
                raise SettingsError(f"the rules {names} would undo each other's work forever.", right)
