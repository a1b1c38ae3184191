"""The matrix is complete, and its page lists exactly the existing tests."""

from __future__ import annotations

import re

import pytest

from support.faults import guards
from support.faults.matrix import ROWS
from support.faults.report import PAGE, row_tests


def test_every_row_of_the_matrix_has_a_test_and_every_test_a_row() -> None:
    assert sorted(ROWS) == list(range(1, 59))
    assert {test.row for test in row_tests()} == set(ROWS)


def test_every_guard_is_where_it_is_quoted_from_and_has_a_test() -> None:
    assert list(guards.stale()) == []
    names = [test.name for test in row_tests()]
    for guard in guards.GUARDS:
        assert any(name.startswith(guard.test) for name in names), guard.test
    assert {guard.row for guard in guards.GUARDS} == set(ROWS)


def test_the_page_lists_exactly_the_tests_that_there_are_and_no_failure() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"\| `(test_row_\w+)` \|", text)
    assert listed == [test.name for test in row_tests()], "run `make faults`"
    assert "**" not in text, "the last run of `make faults` did not go well"


@pytest.mark.parametrize("test", row_tests(), ids=lambda test: test.name)
def test_every_test_of_a_row_names_its_guard(test: object) -> None:
    assert getattr(test, "guard", "")
