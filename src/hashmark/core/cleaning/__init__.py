"""Caption cleaning: the rules, the settings that select them, and the pipeline that runs them.

`Pipeline.parse(table).clean(text)` is the entry point; `RULES` lists every rule. This package reads and writes no files
and knows nothing about trainers.
"""

from hashmark.core.cleaning.cleaning_options import CleaningOptions, Length, Preset, Profile, TagOrder
from hashmark.core.cleaning.config import HELP
from hashmark.core.cleaning.faces import KAOMOJI, is_face
from hashmark.core.cleaning.flags import Flag
from hashmark.core.cleaning.pipeline import UNSTABLE, Cleaned, Pipeline
from hashmark.core.cleaning.registry import RULES, Rule, rules_of
from hashmark.core.cleaning.tags import TagCounts, count_tags, tag_key, tags_of

__all__ = [
    "HELP",
    "KAOMOJI",
    "RULES",
    "UNSTABLE",
    "Cleaned",
    "CleaningOptions",
    "Flag",
    "Length",
    "Pipeline",
    "Preset",
    "Profile",
    "Rule",
    "TagCounts",
    "TagOrder",
    "count_tags",
    "is_face",
    "rules_of",
    "tag_key",
    "tags_of",
]
