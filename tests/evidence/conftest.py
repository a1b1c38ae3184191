"""Objects of a few bytes that are inspected as larger ones are, since small ones are read instead."""

from __future__ import annotations

import pytest

from hashmark.evidence import inspection


@pytest.fixture
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_SMALL_BYTES", -1)
