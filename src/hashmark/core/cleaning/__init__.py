"""Caption cleaning: rules, what picks among them, and the pipeline that runs them.

`Pipeline.parse(table).clean(text)` is the way in; `RULES` lists every rule for a help text. No file is read or written
here, and nothing is known of trainers.
"""

from hashmark.core.cleaning.checks import Flag
from hashmark.core.cleaning.faces import KAOMOJI, is_face
from hashmark.core.cleaning.options import Length, Options, Order, Preset, Profile
from hashmark.core.cleaning.pipeline import UNSETTLED, Cleaned, Pipeline
from hashmark.core.cleaning.registry import RULES, Rule, rules_of
from hashmark.core.cleaning.settings import HELP
from hashmark.core.cleaning.tags import TagCounts, count_tags, tag_key, tags_of

__all__ = [
    "HELP",
    "KAOMOJI",
    "RULES",
    "UNSETTLED",
    "Cleaned",
    "Flag",
    "Length",
    "Options",
    "Order",
    "Pipeline",
    "Preset",
    "Profile",
    "Rule",
    "TagCounts",
    "count_tags",
    "is_face",
    "rules_of",
    "tag_key",
    "tags_of",
]
