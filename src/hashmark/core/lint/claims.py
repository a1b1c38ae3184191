"""What each issue of a folder means for which trainer.

Joins the two tables; `core.lint.checks` selects the affected files. Every claim names its source. Trainers change, so a
claim that no longer holds is corrected in the tables; `docs/lint.md` is checked against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hashmark.core.lint.caption_claims import CAPTIONS
from hashmark.core.lint.claim import Claim
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.image_claims import IMAGES

CLAIMS: Mapping[str, Mapping[Trainer | None, Claim]] = MappingProxyType({**CAPTIONS, **IMAGES})
"""By code and trainer; None where the claim does not depend on the trainer."""
