"""What a delete takes, what a selection means, and that nothing is deleted on doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.errors import RefusedPlan
from hashmark.core.model import Verdict
from hashmark.core.plan import (
    Action,
    Direction,
    LeftAlone,
    Location,
    Policy,
    Selection,
    Verb,
    make_delete_plan,
    make_plan,
)
from support.core_values import NAMES, Sides, status, worlds

DEL_R, DEL_L = Verb.DELETE_REMOTE, Verb.DELETE_LOCAL


def test_a_policy_is_no_delete() -> None:
    """Else a delete would be planned as if it were a pull."""
    with pytest.raises(ValueError, match="make_delete_plan"):
        Policy(Direction.DELETE)


@pytest.mark.parametrize(
    ("select", "keys", "key", "expected"),
    [
        ((), None, "a.txt", True),
        ((), frozenset(), "a.txt", False),
        ((), frozenset({"a.txt"}), "a.txt", True),
        ((), frozenset({"a.txt"}), "b.txt", False),
        ((), frozenset({"*"}), "a.txt", False),
        (("*.txt",), frozenset({"a.txt", "a.png"}), "a.txt", True),
        (("*.txt",), frozenset({"a.txt", "a.png"}), "a.png", False),
        (("*.txt",), frozenset({"a.txt"}), "b.txt", False),
        (("*.txt",), None, "b.txt", True),
    ],
)
def test_keys_and_globs_must_both_allow(
    select: tuple[str, ...], keys: frozenset[str] | None, key: str, expected: bool
) -> None:
    """Keys are names and no globs; an empty set of them is nothing, unlike none given."""
    assert Selection(select, keys).selects(key) is expected
    assert Policy(Direction.PUSH, select=select, keys=keys).selects(key) is expected
    plan = make_plan([status(key, Verdict.LOCAL_ONLY)], Policy(Direction.PUSH, select=select, keys=keys), complete=True)
    assert [a.key for a in plan.actions] == ([key] if expected else [])


GONE = {
    Verdict.LOCAL_ONLY: (DEL_L,),
    Verdict.DELETED_REMOTELY: (DEL_L,),
    Verdict.REMOTE_ONLY: (DEL_R,),
    Verdict.DELETED_LOCALLY: (DEL_R,),
    Verdict.SYNCED: (DEL_R, DEL_L),
    Verdict.LOCAL_CHANGED: (DEL_R, DEL_L),
    Verdict.DIFFERS: (DEL_R, DEL_L),
    Verdict.REMOTE_CHANGED: (DEL_R, DEL_L),
    Verdict.CONFLICT: (DEL_R, DEL_L),
    Verdict.UNVERIFIED: (DEL_R, DEL_L),
    Verdict.REFUSED: (),
}
"""What a delete on both sides does to a file of each verdict."""
OF = {Location.DISK: {DEL_L}, Location.BUCKET: {DEL_R}, Location.BOTH: {DEL_R, DEL_L}}


@pytest.mark.parametrize("where", Location)
@pytest.mark.parametrize("verdict", Verdict)
def test_a_delete_takes_a_file_of_any_verdict_from_where_it_is(verdict: Verdict, where: Location) -> None:
    """Also what is in sync, and also where it would be the only copy: it was chosen, and goes to the trash."""
    row = status("row.txt", verdict, reason="why" if verdict is Verdict.REFUSED else None)
    plan = make_delete_plan([row, status("other.txt")], Selection(keys=frozenset({"row.txt"})), where, complete=True)
    assert plan.actions == tuple(Action(verb, row) for verb in GONE[verdict] if verb in OF[where])
    assert plan.left_alone == ((LeftAlone(row, "why"),) if verdict is Verdict.REFUSED else ())
    assert (plan.direction, plan.deletes, plan.total_bytes) == (Direction.DELETE, len(plan.actions), 0)


@pytest.mark.parametrize(("where", "named"), [(Location.DISK, False), (Location.BUCKET, True), (Location.BOTH, True)])
def test_a_refused_name_is_told_only_where_it_was_to_be_deleted(where: Location, named: bool) -> None:
    row = status("../x", Verdict.REFUSED)._replace(local=None)
    plan = make_delete_plan([row], Selection(), where, complete=True)
    assert [left.reason for left in plan.left_alone] == (["refused"] if named else [])


def test_a_delete_on_both_sides_begins_with_the_bucket() -> None:
    rows = [status("a"), status("b")]
    plan = make_delete_plan(rows, Selection(), Location.BOTH, complete=True)
    assert [(a.verb, a.key) for a in plan.actions] == [(DEL_R, "a"), (DEL_R, "b"), (DEL_L, "a"), (DEL_L, "b")]


@pytest.mark.parametrize("where", Location)
def test_nothing_is_deleted_where_something_could_not_be_read(where: Location) -> None:
    """No number makes that safe, so none is offered."""
    with pytest.raises(RefusedPlan, match="could not be read completely") as caught:
        make_delete_plan([status("a"), status("b")], Selection(), where, complete=False)
    assert caught.value.deletes is None
    assert caught.value.message.startswith("4 " if where is Location.BOTH else "2 ")


def test_no_cap_stands_in_for_the_confirmation() -> None:
    """All files of a dataset may be chosen; a push or pull would refuse that."""
    plan = make_delete_plan([status(f"{n}") for n in range(100)], Selection(), Location.BUCKET, complete=True)
    assert plan.deletes == 100


selections = st.builds(
    Selection,
    st.sampled_from([(), ("*.txt",), ("b*", "z.png"), ("nothing",)]),
    st.none() | st.frozensets(st.sampled_from(NAMES)),
)


@given(worlds(), selections, st.sampled_from(Location), st.sets(st.sampled_from(NAMES)))
def test_a_delete_plan_empties_what_was_selected_and_touches_nothing_else(
    world: Sides, chosen: Selection, where: Location, refused: set[str]
) -> None:
    """Nothing that was not selected, no side that was not named, nothing twice, no refused name."""
    rows = [row._replace(verdict=Verdict.REFUSED) if row.key in refused else row for row in world.compare()]
    plan = make_delete_plan(rows, chosen, where, complete=True)
    assert len(set(plan.actions)) == len(plan.actions)
    disk, bucket = dict(world.disk), dict(world.bucket)
    world.run(plan)
    for before, after, side in ((disk, world.disk, Location.DISK), (bucket, world.bucket, Location.BUCKET)):
        meant = {k for k in before if where in {side, Location.BOTH} and chosen.selects(k) and k not in refused}
        assert after == {key: data for key, data in before.items() if key not in meant}
    again = make_delete_plan(world.compare(), chosen, where, complete=True)
    assert {a.key for a in again.actions} <= refused, "a second plan finds nothing more"


@given(worlds(), selections, st.sampled_from(Location))
def test_a_delete_plan_of_an_incomplete_comparison_is_always_refused(
    world: Sides, chosen: Selection, where: Location
) -> None:
    with pytest.raises(RefusedPlan):
        make_delete_plan(world.compare(), chosen, where, complete=False)
