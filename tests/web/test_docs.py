"""The documents of the page and the API name everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

from hashmark.library.library import Library
from hashmark.library.settings import create
from hashmark.search.query import HELP
from hashmark.web.server.app import create_app

DOCS = Path(__file__).parents[2] / "docs"


def test_every_line_of_the_search_help_is_in_the_docs() -> None:
    text = (DOCS / "page.md").read_text()
    for example, meaning in HELP:
        assert f"| `{example}` | {meaning} |" in text.replace("\\|", "|")


def test_every_route_is_in_the_docs(tmp_path: Path) -> None:
    create(tmp_path, {"url": "s3://nothing/is/asked"})
    with Library.open(tmp_path) as library:
        paths = create_app(library).openapi()["paths"]
    text = (DOCS / "http.md").read_text()
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            short = re.escape(path.rsplit("/", 1)[-1])
            assert re.search(rf"`{method.upper()} {re.escape(path)}[`?]|`…/{short}`", text), (method, path)
