"""The tree of errors: each has a code of its own, a meaning, and a next step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hashmark.core import errors
from hashmark.core.errors import HashmarkError, RefusedPlan


def family(kind: type[HashmarkError]) -> Iterator[type[HashmarkError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


# Others may have been imported by now: the page has an error of its own.
ALL = [kind for kind in family(HashmarkError) if kind.__module__ == errors.__name__]
DEFINED = [c for c in vars(errors).values() if isinstance(c, type) and c.__module__ == errors.__name__]


def test_every_error_is_of_the_one_tree() -> None:
    """Whoever catches the root catches all, and no class of the module is outside."""
    assert set(ALL) == set(DEFINED)
    assert len(ALL) > 25


def test_no_two_errors_share_a_code() -> None:
    """A code in JSON means one thing."""
    codes = [kind.code for kind in ALL]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_every_error_has_a_code_a_meaning_and_its_place_in_the_tree(kind: type[HashmarkError]) -> None:
    """Its own, not its parent's; and it is named where the tree is drawn."""
    assert "code" in vars(kind)
    assert kind.code == kind.code.lower().strip()
    assert " " not in kind.code
    assert vars(kind).get("__doc__")
    assert kind.__name__ in (errors.__doc__ or "").replace(",", " ").split()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_every_error_says_what_happened_and_what_to_do(kind: type[HashmarkError]) -> None:
    """The text has both; the class's own next step where none is given, and none where that is asked for."""
    assert str(kind("It broke.", "Fix it.")) == "It broke. Fix it."
    plain = kind("It broke.")
    assert (plain.message, plain.hint) == ("It broke.", kind.default_hint)
    assert str(plain) == f"It broke. {kind.default_hint}".strip()
    assert str(kind("It broke.", "")) == "It broke."
    assert plain.args == ("It broke.",)


def test_what_every_other_file_would_meet_as_well_is_fatal_and_nothing_else_is() -> None:
    """A job stops at these, and goes on with the next file at the others."""
    assert {kind.code for kind in ALL if kind.fatal} == {
        *("clock-skew", "disk-full", "expired-credentials", "no-credentials", "no-such-bucket"),
        *("tls", "unreachable", "wrong-credentials", "wrong-region"),
    }


def test_a_refused_plan_knows_what_a_person_may_agree_to() -> None:
    """None where agreeing would not help."""
    assert RefusedPlan("No.", deletes=5).deletes == 5
    assert RefusedPlan("No.", "Fix it.").deletes is None
