"""Waiting for another thread or process."""

from __future__ import annotations

import time
from typing import Any


def wait_for(condition: Any, seconds: float = 60) -> None:
    """Wait until `condition()` is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timed out after {seconds} s"
        time.sleep(0.01)
