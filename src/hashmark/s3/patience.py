"""How long requests wait for a store from which nothing comes, and who is told: one setting for the whole process.

What is waited for is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TIMEOUT_S = 60
"""The default of `Patience.timeout_s`."""

TOLD_AFTER_S = 10


@dataclass
class Patience:
    """`timeout_s`: how long a request may be silent, all its tries together, before it fails; at least two seconds.

    `on_silence` is called, on a network thread, when nothing has come or gone for `told_after_s` seconds.
    """

    timeout_s: int = TIMEOUT_S
    told_after_s: float = TOLD_AFTER_S
    on_silence: Callable[[], None] = lambda: None


PATIENCE = Patience()
"""That of this process."""
