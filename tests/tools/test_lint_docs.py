"""The document of `lint` says what the code's tables say."""

from __future__ import annotations

from tools.lint_docs import DOC, MARK, tables


def test_the_tables_in_the_docs_are_those_of_the_code() -> None:
    """`python -m tools.lint_docs` writes them anew."""
    assert DOC.read_text().endswith(MARK + "\n" + tables())
