"""How long a request may be silent, and what reports a silence: one setting for the whole process.

What requests are for is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TIMEOUT_S = 60
"""The default of `Timeouts.request_s`."""


@dataclass
class Timeouts:
    """`request_s`: how long a request may be silent, all its tries together, before it fails; at least two seconds.

    `on_silence` is called, on a network thread, when nothing was received or sent for `report_after_s` seconds.
    """

    request_s: int = TIMEOUT_S
    report_after_s: float = 10
    on_silence: Callable[[], None] = lambda: None


TIMEOUTS = Timeouts()
"""Those of this process."""
