"""docs/stores.md has every row that is measured, and no cell that is not."""

from __future__ import annotations

from hashmark.actions.doctor import MEANING
from support.store_behaviour import MEASURED, PROBED
from support.store_table import HEAD, PAGE, Column, emulated, page


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_a_row_for_everything_that_is_measured() -> None:
    lines = PAGE.read_text().split("\n")
    table = [cells(line) for line in lines[: lines.index("## What hashmark does about it")] if line.startswith("|")]
    assert [row[0] for row in table[2:]] == [*PROBED.values(), *MEASURED, "tests passed"]
    assert all(len(row) == len(table[0]) and all(row[1:]) for row in table)
    assert PAGE.read_text().startswith(HEAD)


def test_the_table_knows_everything_that_the_doctor_does() -> None:
    assert set(PROBED) == set(MEANING)


def test_the_page_lists_everything_that_the_emulator_plays() -> None:
    assert PAGE.read_text().endswith(emulated())


def test_what_was_not_measured_is_an_empty_cell() -> None:
    text = page([Column("a store 1.0", {"writes an object": "yes"}, ["it is slow"], 1, 2, ["a test"])])
    assert "| writes an object | yes |" in text
    assert "| SSE-KMS |  |" in text
    assert "it is slow" in text
    assert "`a test`" in text
