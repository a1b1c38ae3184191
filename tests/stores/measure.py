"""Measure each store and write the result to a file. `make stores` runs this; it is not part of the test suite."""

from __future__ import annotations

import json
import os
from pathlib import Path

from support.store_behaviour import VERSIONS, measured
from support.stores import Store


def test_what_a_store_does(store: Store, prefix: str) -> None:
    rows, effects = measured(store.bucket(), prefix)
    out = {"version": VERSIONS[store.name](), "rows": rows, "effects": [text for text in effects if text]}
    Path(os.environ["HASHMARK_MEASURED"], f"{store.name}.json").write_text(json.dumps(out))
