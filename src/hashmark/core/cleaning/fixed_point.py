"""Applies a step until nothing changes, or a rule to every line.

Repetition makes a rule idempotent where one application enables the next. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Callable

Edit = Callable[[str], str]
"""A pure, idempotent rule, ready to run."""

MAX_ROUNDS = 64
"""A text that still changes after so many rounds counts as one that never stabilises. Two or three are usual."""

BLANK = " \t"


def apply_until_stable(step: Edit, text: str) -> str:
    """Repeat `step` until it changes nothing; return `text` unchanged if that never happens.

    The result is either stable under `step` or `text` itself, so this is idempotent for any `step`. It stops after
    `MAX_ROUNDS`, or when the text exceeds `max_length`.
    """
    after, limit = text, max_length(text)
    for _ in range(MAX_ROUNDS):
        before, after = after, step(after)
        if after == before:
            return after
        if len(after) > limit:
            break
    return text


def max_length(text: str) -> int:
    """Return how many characters a text may grow to, so that a rule that doubles it cannot exhaust memory."""
    return 4 * len(text) + 4096


def each_line(rule: Edit, text: str) -> str:
    """Apply `rule` to each line; line endings must be LF and do not change."""
    return "\n".join(map(rule, text.split("\n"))) if "\n" in text else rule(text)
