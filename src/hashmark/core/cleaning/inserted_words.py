"""Rules that insert the dataset's own words: the trigger at the start, a word at the end, the placeholder.

They do not know what a trigger is for, and never turn an empty caption into one with text.
"""

from __future__ import annotations

from hashmark.core.cleaning.characters import without_end_commas
from hashmark.core.cleaning.fixed_point import BLANK, Edit
from hashmark.core.cleaning.tags import split, tag_key

PLACEHOLDER = "[trigger]"
"""ai-toolkit replaces it with the trigger during training."""


def trigger(text: str, word: str, *, every_line: bool = False) -> str:
    """Put the trigger first and remove it as a whole tag elsewhere on that line: `a cat` -> `ohwx, a cat`.

    Edits the first line that is not blank, or every such line where every line is a caption. The rest of the line is
    unchanged, since prose has commas too (taggui#270). A blank caption stays blank, so that checks still find it.
    """
    return _on_lines(lambda line: _first(line, word), text, every_line, backwards=False)


def _first(line: str, word: str) -> str:
    parts = split(line)
    rest = [part for part in parts if tag_key(part) != tag_key(word)]
    if parts[0] == word and len(rest) == len(parts) - 1:
        return line
    after = ",".join(rest).strip(BLANK)
    return f"{word}, {after}" if after else word


def append(text: str, word: str, *, every_line: bool = False, prose: bool = False) -> str:
    """Put a word last and remove it as a whole tag elsewhere on that line: `a cat` -> `a cat, sketch`.

    Edits the last line that is not blank, or every such line where every line is a caption. In prose, a sentence keeps
    its final mark: `A cat.` becomes `A cat. sketch`.
    """
    return _on_lines(lambda line: _last(line, word, prose), text, every_line, backwards=True)


def _last(line: str, word: str, prose: bool) -> str:
    body = line.rstrip(BLANK)
    parts = split(body)
    rest = [part for part in parts if tag_key(part) != tag_key(word)]
    before = body.removesuffix(word).rstrip(BLANK)
    ended = prose and body.endswith(" " + word) and before.endswith((".", "!", "?"))
    if len(rest) == len(parts) and ended:
        return line
    if len(rest) == len(parts) - 1 and parts[-1].strip(BLANK) == word:
        return line
    after = ",".join(rest).rstrip(BLANK) if len(rest) == len(parts) else ",".join(rest).strip(BLANK)
    if not after:
        return word
    if prose and after.endswith(" " + word) and after.removesuffix(word).rstrip(BLANK).endswith((".", "!", "?")):
        return after
    return f"{after} {word}" if prose and after.endswith((".", "!", "?")) else f"{without_end_commas(after)}, {word}"


def _on_lines(rule: Edit, text: str, every_line: bool, *, backwards: bool) -> str:
    lines = text.split("\n")
    filled = [place for place, line in enumerate(lines) if line.strip()]
    for place in filled if every_line else filled[-1:] if backwards else filled[:1]:
        lines[place] = rule(lines[place])
    return "\n".join(lines)


def placeholder(text: str, word: str) -> str:
    """Replace each `[trigger]` with the trigger: `[trigger] in rain` -> `ohwx in rain`."""
    return text.replace(PLACEHOLDER, word)
