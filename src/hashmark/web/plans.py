"""Plans that were shown and did not run yet. Each runs once, and is forgotten after a while.

An action names a plan by its id, so that a forged or stale request can't say which files to touch.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from hashmark.actions.move import Planned

KEPT = 32
SECONDS = 900


class Plans:
    """The plans of a server."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, tuple[float, Planned]] = OrderedDict()

    def keep(self, planned: Planned) -> str:
        """An id for this plan."""
        plan_id = secrets.token_hex(12)
        self._plans[plan_id] = (time.monotonic(), planned)
        while len(self._plans) > KEPT:
            self._plans.popitem(last=False)
        return plan_id

    def get(self, plan_id: str) -> Planned | None:
        """The plan of that id, if it is still to be had."""
        made, planned = self._plans.get(plan_id, (0.0, None))
        return planned if planned is not None and time.monotonic() - made < SECONDS else None

    def take(self, plan_id: str) -> Planned | None:
        """The same, for the last time."""
        planned = self.get(plan_id)
        self._plans.pop(plan_id, None)
        return planned
