"""The tables of docs/lint.md, from the code's: `python -m tools.lint_docs` writes them anew; a test compares."""

from __future__ import annotations

from pathlib import Path

from hashmark.core.lint.claim import Claim
from hashmark.core.lint.claims import CLAIMS
from hashmark.core.lint.sources import SOURCES

DOC = Path(__file__).parents[1] / "docs" / "lint.md"
MARK = "<!-- from the code's tables, by `python -m tools.lint_docs` -->\n"


def tables() -> str:
    """Every claim, by code and trainer, and every source."""
    lines = ["| finding | trainer | what happens | what to do | source |", "|---|---|---|---|---|"]
    for code, claims in CLAIMS.items():
        first = f"`{code}`"
        for trainer, claim in claims.items():
            lines.append(
                f"| {first} | {trainer or 'all'} | {_what(claim)} | {_cell(claim.do) or '–'} | {claim.source} |"
            )
            first = ""
    lines += ["", "| source | |", "|---|---|"]
    lines += [f"| {name} | {_cell(where)} |" for name, where in SOURCES.items()]
    return "\n".join(lines) + "\n"


def _what(claim: Claim) -> str:
    return f"{claim.severity}: {_cell(claim.what)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the tables into the document."""
    text = DOC.read_text()
    DOC.write_text(text[: text.index(MARK) + len(MARK)] + "\n" + tables())


if __name__ == "__main__":
    main()
