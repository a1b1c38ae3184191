"""docs/lint.md has the tables of the code."""

from __future__ import annotations

from tools.lint_docs import DOC, MARK, tables


def test_the_tables_in_the_docs_are_those_of_the_code() -> None:
    """If this fails, run `python -m tools.lint_docs`."""
    assert DOC.read_text().endswith(MARK + "\n" + tables())
