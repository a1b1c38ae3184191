"""Repeating: a step until it changes nothing more, a rule for every line.

Holds what makes a rule idempotent where one run uncovers work for the next. Refuses to know any rule.
"""

from __future__ import annotations

from collections.abc import Callable

Edit = Callable[[str], str]
"""A pure, idempotent rule, ready to run."""

MAX_ROUNDS = 64
"""Rounds after which a text counts as one that never settles. Two or three are usual."""

BLANK = " \t"


def apply_until_stable(step: Edit, text: str) -> str:
    """Repeat `step` until it changes nothing; a text that has not settled by then is given back untouched.

    So the answer is either something that `step` leaves alone, or `text` itself: doing it twice is doing it
    once, for any `step`. It ends after `MAX_ROUNDS`, or when the text has outgrown `allowed`.
    """
    after, most = text, allowed(text)
    for _ in range(MAX_ROUNDS):
        before, after = after, step(after)
        if after == before:
            return after
        if len(after) > most:
            break
    return text


def allowed(text: str) -> int:
    """To how many characters a text may grow: a rule that doubles it each time must not fill the memory."""
    return 4 * len(text) + 4096


def each_line(rule: Edit, text: str) -> str:
    """The text with `rule` applied to each of its lines; the ends of lines are LF and stay."""
    return "\n".join(map(rule, text.split("\n"))) if "\n" in text else rule(text)
