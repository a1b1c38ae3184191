"""The rules of one dataset run together: text or bytes in, clean text, reasons and flags out.

Cleaning a clean caption changes nothing, whatever the rules. Refuses to know files and what is done with the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashmark.core.cleaning import flags
from hashmark.core.cleaning.characters import final_newline
from hashmark.core.cleaning.cleaning_options import CleaningOptions
from hashmark.core.cleaning.config import parse
from hashmark.core.cleaning.fixed_point import MAX_ROUNDS, Edit, allowed
from hashmark.core.cleaning.flags import Flag
from hashmark.core.cleaning.registry import edits, without
from hashmark.core.cleaning.tags import tag_key
from hashmark.core.encoding import decode, encode
from hashmark.core.errors import SettingsError

UNSETTLED = "unsettled"
"""The rule that a flag names where rules undo each other's work for ever; it is none of `RULES`."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A caption after cleaning."""

    text: str
    """What it is to be. Where nothing would be left of it, what it was: no caption is emptied by accident."""
    by: tuple[str, ...] = ()
    """The rules that changed it, in the order in which they run; empty where `text` is what came in."""
    flags: tuple[Flag, ...] = ()
    remove: bool = False
    """Whether the settings ask to delete the caption's file, for nothing is left of it."""


def run(rules: Sequence[tuple[str, Edit]], text: str) -> tuple[str | None, frozenset[str]]:
    """Run rules one after the other, again and again until a round changes nothing; the text, and which changed it.

    What one rule uncovers another may have to clean (`The image shows "a cat"`), hence the rounds; two are usual, and
    the last one is the proof that running all of it again changes nothing. None, with the rules that still change it,
    where the text has not settled after `MAX_ROUNDS` or outgrows `allowed`. The caller then leaves it alone, so the
    law holds for rules and texts of any kind: the answer is a fixed point of a round, or the very text that came in.
    """
    by: set[str] = set()
    now: set[str] = set()
    before, most = text, allowed(text)
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
        if len(after) > most:
            break
        before = after
    return None, frozenset(now)


class Pipeline:
    """What cleans the captions of one dataset. Made by `parse`; safe to use from many threads at once."""

    def __init__(self, options: CleaningOptions) -> None:
        self.options = options
        self._rules = edits(options)
        self.names: tuple[str, ...] = tuple(name for name, _ in self._rules)
        """The names of the rules that edit, in the order in which they run."""

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Pipeline:
        """Understand a dataset's `[datasets."x".clean]`, given as a plain table; `settings.HELP` has what it may hold.

        Raises:
            SettingsError: a name or a value is wrong, or rules contradict each other. It does not name the file.
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
        """The same without its order: what to clean all captions with before they are counted for it."""
        return Pipeline(without(self.options, "order"))

    def with_counts(self, counts: Mapping[str, int]) -> Pipeline:
        """The same with what an order by frequency has to know of the dataset: `count_tags(captions).counts`.

        Count what `without_order` makes of the captions, or a second cleaning may count, and so sort, differently.
        """
        return Pipeline(replace(self.options, counts=counts))

    def clean(self, text: str) -> Cleaned:
        """Clean one caption; `clean(clean(x).text).text == clean(x).text` always.

        Raises:
            ValueError: `needs_counts`.
        """
        if self.needs_counts:
            raise ValueError("an order by frequency needs with_counts() first")
        after, by = run(self._rules, text)
        if after is None:
            never = f"was left as it is: the rules {', '.join(sorted(by))} would change it for ever"
            return Cleaned(text, flags=(Flag(UNSETTLED, never), *self._flags(text)))
        if not after.strip():
            return self._emptied(text)
        names = tuple(name for name in self.names if name in by) if after != text else ()
        return Cleaned(after, names, tuple(self._flags(after)))

    def clean_bytes(self, data: bytes) -> tuple[bytes, Cleaned]:
        """Clean the content of a caption file: what to write, and why. Write only if it differs from `data`.

        With the rule `decode`, UTF-8 comes out and a file that was read as Windows-1252 is flagged; without, the
        encoding it had, where that has bytes for the new text.

        Raises:
            ValueError: `needs_counts`.
        """
        text, encoding = decode(data)
        cleaned = self.clean(text)
        if "decode" not in self.options.rules:
            return self._in_its_encoding(data, text, cleaned)
        if encoding == "cp1252":
            note = Flag("decode", "is not UTF-8; it was read as Windows-1252: look whether its accents are right")
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
            lacks = f"was left as it is: its encoding has no '{error.object[error.start]}'"
            return data, Cleaned(text, flags=(Flag("decode", lacks), *cleaned.flags))

    def _emptied(self, text: str) -> Cleaned:
        """Nothing is left: what the settings say of that, and the text as it was unless a word takes its place."""
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
                if not replacement.settles(text):
                    yield Flag("replace", f"replacing '{replacement.find}' would never end; it was not done")
        if options.length and "length" in options.rules:
            for line in text.split("\n") if options.every_line else [text]:
                said = flags.length(line, options.length.unit, options.length.limit)
                if said:
                    yield Flag("length", said)

    def _check_words(self) -> None:
        """Refuse a word of the settings that the other rules would change each time it is put in."""
        options = self.options
        if options.trigger and tag_key(options.trigger) == tag_key(options.append):
            raise SettingsError(
                "'trigger' and 'append' are the same word.", "It can't be first and last; take one out."
            )
        own = without(options, "trigger", "append", "order", "length")
        rules = edits(own)
        words = {"trigger": options.trigger, "append": options.append, "placeholder": options.placeholder}
        named = [*words.items(), ("empty", options.token), *(("aliases", to) for to in options.aliases.values())]
        for setting, word in named:
            _, changed = run(rules, final_newline(word, options.final_newline)) if word else (None, frozenset[str]())
            if changed:
                names = ", ".join(sorted(changed))
                right = "Write it as that rule does, add it to 'protect', or skip the rule."
                raise SettingsError(f"'{setting}' puts in '{word}', which the rule {names} would change.", right)

    def _check_probes(self) -> None:
        """Refuse settings under which even the plainest captions never settle."""
        rules = self._rules
        for probe in ("a", "a, b"):
            after, by = run(rules, probe)
            if after is None:
                names = ", ".join(sorted(by))
                right = "Look what each puts in and the others take out."
                raise SettingsError(f"the rules {names} would change each other's work for ever.", right)
