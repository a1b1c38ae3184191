"""What a push or pull will do with every verdict, what it refuses, and that it reaches what it promises."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.model import FileStatus, Key, RemoteObject, Verdict
from hashmark.core.plan import (
    DELETES,
    Action,
    Direction,
    LeftAlone,
    Plan,
    Policy,
    Selection,
    Side,
    Verb,
    make_plan,
    newer_side,
)
from support.core_values import NAMES, Sides, local, remote, status, worlds

PUSH, PULL = Direction.PUSH, Direction.PULL
MINE, THEIRS, NEWER = Side.MINE, Side.THEIRS, Side.NEWER
UP, DOWN, DEL_R, DEL_L = Verb.UPLOAD, Verb.DOWNLOAD, Verb.DELETE_REMOTE, Verb.DELETE_LOCAL
LEFT = "left alone"
NOTHING = "nothing to do"

Outcome = Verb | str

CONFLICT_EDITED = status("row.txt", Verdict.CONFLICT)
CONFLICT_GONE_HERE = CONFLICT_EDITED._replace(local=None)
CONFLICT_GONE_THERE = CONFLICT_EDITED._replace(remote=None)

# what is done:                                            as it is  --delete  --take   --take … --delete
#                                                                              winner   winner
TABLE: dict[tuple[Direction, str], tuple[FileStatus, tuple[Outcome, Outcome, Outcome, Outcome]]] = {
    (direction, name): (row, outcomes)
    for direction, rows in {
        PUSH: {
            "synced": (status("row.txt", Verdict.SYNCED), (NOTHING, NOTHING, NOTHING, NOTHING)),
            "local-only": (status("row.txt", Verdict.LOCAL_ONLY), (UP, UP, UP, UP)),
            "local-changed": (status("row.txt", Verdict.LOCAL_CHANGED), (UP, UP, UP, UP)),
            "differs": (status("row.txt", Verdict.DIFFERS), (LEFT, LEFT, UP, UP)),
            "deleted-remotely": (status("row.txt", Verdict.DELETED_REMOTELY), (LEFT, LEFT, UP, UP)),
            "remote-changed": (status("row.txt", Verdict.REMOTE_CHANGED), (LEFT, LEFT, UP, UP)),
            "conflict": (CONFLICT_EDITED, (LEFT, LEFT, UP, UP)),
            "conflict, gone here": (CONFLICT_GONE_HERE, (LEFT, LEFT, LEFT, DEL_R)),
            "conflict, gone there": (CONFLICT_GONE_THERE, (LEFT, LEFT, UP, UP)),
            "unverified": (status("row.txt", Verdict.UNVERIFIED), (LEFT, LEFT, UP, UP)),
            "remote-only": (status("row.txt", Verdict.REMOTE_ONLY), (LEFT, DEL_R, LEFT, DEL_R)),
            "deleted-locally": (status("row.txt", Verdict.DELETED_LOCALLY), (LEFT, DEL_R, LEFT, DEL_R)),
            "refused": (status("row.txt", Verdict.REFUSED), (LEFT, LEFT, LEFT, LEFT)),
        },
        PULL: {
            "synced": (status("row.txt", Verdict.SYNCED), (NOTHING, NOTHING, NOTHING, NOTHING)),
            "remote-only": (status("row.txt", Verdict.REMOTE_ONLY), (DOWN, DOWN, DOWN, DOWN)),
            "remote-changed": (status("row.txt", Verdict.REMOTE_CHANGED), (DOWN, DOWN, DOWN, DOWN)),
            "differs": (status("row.txt", Verdict.DIFFERS), (LEFT, LEFT, DOWN, DOWN)),
            "deleted-locally": (status("row.txt", Verdict.DELETED_LOCALLY), (LEFT, LEFT, DOWN, DOWN)),
            "local-changed": (status("row.txt", Verdict.LOCAL_CHANGED), (LEFT, LEFT, DOWN, DOWN)),
            "conflict": (CONFLICT_EDITED, (LEFT, LEFT, DOWN, DOWN)),
            "conflict, gone there": (CONFLICT_GONE_THERE, (LEFT, LEFT, LEFT, DEL_L)),
            "conflict, gone here": (CONFLICT_GONE_HERE, (LEFT, LEFT, DOWN, DOWN)),
            "unverified": (status("row.txt", Verdict.UNVERIFIED), (LEFT, LEFT, DOWN, DOWN)),
            "local-only": (status("row.txt", Verdict.LOCAL_ONLY), (LEFT, DEL_L, LEFT, DEL_L)),
            "deleted-remotely": (status("row.txt", Verdict.DELETED_REMOTELY), (LEFT, DEL_L, LEFT, DEL_L)),
            "refused": (status("row.txt", Verdict.REFUSED), (LEFT, LEFT, LEFT, LEFT)),
        },
    }.items()
    for name, (row, outcomes) in rows.items()
}


def cases() -> list[tuple[str, FileStatus, Policy, Outcome]]:
    """Every row under every policy; the side that does not win a push or pull changes nothing."""
    found = []
    for (direction, name), (row, outcomes) in TABLE.items():
        winner, loser = (MINE, THEIRS) if direction is PUSH else (THEIRS, MINE)
        for take, delete in itertools.product([None, loser, winner], [False, True]):
            expected = outcomes[2 * (take is winner) + delete]
            label = f"{direction} {name}{f' --take {take}' if take else ''}{' --delete' if delete else ''}"
            found.append((label, row, Policy(direction, take, delete), expected))
    return found


CASES = cases()


def test_the_table_has_every_verdict_in_both_directions() -> None:
    """A verdict that is added must be decided here."""
    for direction in (PUSH, PULL):
        assert {row.verdict for (way, _), (row, _) in TABLE.items() if way is direction} == set(Verdict)


@pytest.mark.parametrize(("row", "policy", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_each_verdict_leads_to_one_action_or_is_left_alone_with_a_reason(
    row: FileStatus, policy: Policy, expected: Outcome
) -> None:
    """Nothing but a synced file is passed over in silence."""
    plan = make_plan([row, *(status(f"s{n}.txt") for n in range(10))], policy, complete=True)
    if isinstance(expected, Verb):
        assert (plan.actions, plan.left_alone) == ((Action(expected, row),), ())
    else:
        assert plan.actions == ()
        assert [left.status for left in plan.left_alone] == ([row] if expected == LEFT else [])
        assert all(left.reason for left in plan.left_alone)


@pytest.mark.parametrize(
    ("row", "policy", "words"),
    [
        (status("a", Verdict.REFUSED, reason="has a '..' segment"), Policy(PUSH), "has a '..' segment"),
        (status("a", Verdict.REFUSED), Policy(PUSH), "refused"),
        (status("a", Verdict.REMOTE_ONLY), Policy(PUSH), "only in the bucket; --delete would remove it"),
        (status("a", Verdict.LOCAL_ONLY), Policy(PULL), "only on disk; --delete would remove it"),
        (status("a", Verdict.CONFLICT), Policy(PUSH), "both sides changed; --take mine would overwrite it"),
        (status("a", Verdict.CONFLICT), Policy(PULL, MINE), "both sides changed; --take theirs would overwrite it"),
        (status("a", Verdict.UNVERIFIED, reason="opaque"), Policy(PUSH), "nor different (opaque); --take mine"),
        (status("a", Verdict.REMOTE_CHANGED), Policy(PUSH), "the bucket's version changed"),
        (status("a", Verdict.LOCAL_CHANGED), Policy(PULL), "the version on disk was edited"),
        (CONFLICT_GONE_HERE, Policy(PUSH, MINE), "--delete would remove it there too"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_left_alone_says_why_and_what_would_change_it(row: FileStatus, policy: Policy, words: str) -> None:
    """The reason names the option that decides otherwise."""
    (left,) = make_plan([row], policy, complete=True).left_alone
    assert words in left.reason


def test_transfers_come_in_key_order_and_all_deletes_after_them() -> None:
    """What is to be kept is safe before anything is removed."""
    rows = [
        status("a", Verdict.REMOTE_ONLY),
        status("b", Verdict.LOCAL_ONLY),
        status("c", Verdict.DELETED_LOCALLY),
        status("d", Verdict.LOCAL_CHANGED),
    ]
    plan = make_plan(rows, Policy(PUSH, delete=True, max_delete=2), complete=True)
    assert [(a.verb, a.key) for a in plan.actions] == [(UP, "b"), (UP, "d"), (DEL_R, "a"), (DEL_R, "c")]
    assert (plan.direction, plan.deletes) == (PUSH, 2)


@pytest.mark.parametrize(("direction", "verb"), [(PUSH, UP), (PULL, DOWN)])
def test_what_only_the_user_can_decide_is_offered_and_runs_only_if_it_is_accepted(
    direction: Direction, verb: Verb
) -> None:
    """One by one: accepting one leaves the others alone, and what nobody decided is not resolved."""
    sure = Verdict.LOCAL_ONLY if direction is PUSH else Verdict.REMOTE_ONLY
    verdicts = {"a": Verdict.DIFFERS, "b": sure, "c": Verdict.CONFLICT, "d": Verdict.DIFFERS}
    rows = [status(key, verdict) for key, verdict in verdicts.items()]
    plan = make_plan(rows, Policy(direction), complete=True)
    assert [(action.verb, action.key) for action in plan.actions] == [(verb, "b")]
    assert [(action.verb, action.key) for action in plan.offered] == [(verb, "a"), (verb, "c"), (verb, "d")]
    assert [left.status.key for left in plan.unresolved] == ["a", "c", "d"]
    accepted = plan.accepting(lambda action: action.key == "a")
    assert [(action.verb, action.key) for action in accepted.actions] == [(verb, "a"), (verb, "b")]
    assert [left.status.key for left in accepted.unresolved] == ["c", "d"]
    assert [action.key for action in accepted.offered] == ["c", "d"]


@pytest.mark.parametrize("direction", [PUSH, PULL])
def test_no_delete_and_nothing_refused_is_offered(direction: Direction) -> None:
    """A delete that was not asked for would pass by its limit."""
    gone = status("a", Verdict.CONFLICT)
    gone = gone._replace(local=None) if direction is PUSH else gone._replace(remote=None)
    rows = [gone, status("b", Verdict.REFUSED), *(status(f"s{n}") for n in range(9))]
    for delete in (False, True):
        assert make_plan(rows, Policy(direction, delete=delete, max_delete=0), complete=True).offered == ()


def test_accepted_transfers_come_in_key_order_before_the_deletes() -> None:
    rows = [status("a", Verdict.REMOTE_ONLY), status("b", Verdict.LOCAL_ONLY), status("c", Verdict.DIFFERS)]
    plan = make_plan(rows, Policy(PUSH, delete=True, max_delete=1), complete=True).accepting(lambda _action: True)
    assert [(a.verb, a.key) for a in plan.actions] == [(UP, "b"), (UP, "c"), (DEL_R, "a")]


NOON_NS = 1_715_000_000 * 10**9


@pytest.mark.parametrize(
    ("mine_ns", "theirs", "newer"),
    [
        (NOON_NS + 10**6, "2024-05-06T12:53:20Z", MINE),
        (NOON_NS, "2024-05-06T12:53:20Z", THEIRS),
        (NOON_NS, "2024-05-06T12:53:20.001Z", THEIRS),
        (NOON_NS, "2024-05-06T12:53:19", MINE),
        (NOON_NS, "yesterday", None),
        (NOON_NS, None, None),
        (10**30, "2024-05-06T12:53:20Z", None),
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.DIFFERS, Verdict.CONFLICT])
def test_the_newer_side_is_the_one_that_was_written_later(
    verdict: Verdict, mine_ns: int, theirs: str | None, newer: Side | None
) -> None:
    """A push or pull takes it if it comes from its own side; where the times are not known, neither does."""
    row = status("a", verdict)
    assert row.local is not None
    assert row.remote is not None
    here = row.local._replace(stamp=row.local.stamp._replace(mtime_ns=mine_ns))
    row = row._replace(local=here, remote=row.remote._replace(last_modified=theirs))
    assert newer_side(row) is newer
    for direction, winner in ((PUSH, MINE), (PULL, THEIRS)):
        plan = make_plan([row], Policy(direction, NEWER), complete=True)
        assert len(plan.actions) == (newer is winner)
        assert ["other side is newer" in left.reason for left in plan.left_alone] == (
            [] if newer is winner else [newer is not None]
        )


def test_a_plan_adds_up_the_bytes_it_moves() -> None:
    """Uploads count the file, downloads the object, deletes nothing, a listing without sizes nothing."""
    up = make_plan([status("a", Verdict.LOCAL_ONLY, data=b"12345")], Policy(PUSH), complete=True)
    assert up.total_bytes == 5
    row = status("a", Verdict.DIFFERS)._replace(local=local("a", b"1"), remote=remote("a", b"1234567"))
    assert make_plan([row], Policy(PULL, THEIRS), complete=True).total_bytes == 7
    assert make_plan([row], Policy(PUSH, MINE), complete=True).total_bytes == 1
    assert Action(DEL_R, row).size == Action(DEL_L, row).size == 0
    assert Action(DOWN, row._replace(remote=RemoteObject(Key("a")))).size == 0


@pytest.mark.parametrize(
    ("verb", "verdict", "replaces"),
    [
        (UP, Verdict.LOCAL_ONLY, False),
        (UP, Verdict.DIFFERS, True),
        (DOWN, Verdict.REMOTE_ONLY, False),
        (DOWN, Verdict.DIFFERS, True),
        (DEL_R, Verdict.REMOTE_ONLY, False),
        (DEL_L, Verdict.LOCAL_ONLY, False),
    ],
)
def test_an_action_replaces_where_the_other_side_holds_content(verb: Verb, verdict: Verdict, replaces: bool) -> None:
    """Deletes replace nothing."""
    assert Action(verb, status("a", verdict)).replaces is replaces


@pytest.mark.parametrize(
    ("select", "key", "expected"),
    [
        ((), "a/b.txt", True),
        (("*.txt",), "a.txt", True),
        (("*.txt",), "a/b/c.txt", True),
        (("*.txt",), "a.txt.bak", False),
        (("*.txt",), "a.TXT", False),
        (("a/*",), "a/b.txt", True),
        (("a/*",), "b/a/b.txt", False),
        (("000?.png",), "0001.png", True),
        (("000?.png",), "00011.png", False),
        (("[ab].txt",), "b.txt", True),
        (("[!ab].txt",), "b.txt", False),
        (("x", "*.png"), "y.png", True),
        (("x", "*.png"), "y.txt", False),
        (("a+b (1).txt",), "a+b (1).txt", True),
    ],
)
def test_a_selection_is_globs_over_whole_keys(select: tuple[str, ...], key: str, expected: bool) -> None:
    """What is not selected is neither done nor named."""
    assert Policy(PUSH, select=select).selects(key) is expected
    plan = make_plan([status(key, Verdict.LOCAL_ONLY)], Policy(PUSH, select=select), complete=True)
    assert [a.key for a in plan.actions] == ([key] if expected else [])
    assert plan.left_alone == ()


def refusal(rows: list[FileStatus], policy: Policy, *, complete: bool = True) -> RefusedPlan:
    with pytest.raises(RefusedPlan) as caught:
        make_plan(rows, policy, complete=complete)
    return caught.value


SIDES = [(PUSH, Verdict.REMOTE_ONLY), (PULL, Verdict.LOCAL_ONLY)]


@pytest.mark.parametrize(("direction", "extra"), SIDES)
def test_no_delete_where_something_could_not_be_read(direction: Direction, extra: Verdict) -> None:
    """Agreeing to a number of deletes does not make it safe; without deletes the same plan is fine."""
    rows = [*(status(f"s{n}") for n in range(20)), status("x", extra)]
    refused = refusal(rows, Policy(direction, delete=True, max_delete=9), complete=False)
    assert refused.deletes is None
    assert "1 deletes were planned" in refused.message
    assert make_plan(rows, Policy(direction), complete=False).actions == ()
    assert make_plan(rows[:20], Policy(direction, delete=True), complete=False).actions == ()


@pytest.mark.parametrize(("direction", "extra"), SIDES)
def test_no_delete_where_the_side_that_is_copied_from_is_empty(direction: Direction, extra: Verdict) -> None:
    """An unmounted disk or a mistyped prefix must not empty the other side, whatever limit is agreed to."""
    refused = refusal([status("x", extra)], Policy(direction, delete=True, max_delete=1))
    assert refused.deletes is None
    assert ("folder on disk" if direction is PUSH else "bucket's folder") in refused.message
    assert "is empty" in refused.message


@pytest.mark.parametrize(("direction", "extra"), SIDES)
@pytest.mark.parametrize(
    ("kept", "deletes", "cap"),
    [(1, 1, 0), (8, 1, 0), (9, 1, 1), (8, 2, 1), (17, 2, 1), (18, 2, 2), (18, 3, 2), (27, 3, 3), (90, 10, 10)],
)
def test_the_limit_is_a_tenth_of_the_side_that_loses_files(
    direction: Direction, extra: Verdict, kept: int, deletes: int, cap: int
) -> None:
    """Never more than a tenth: of fewer than ten files none; one delete more needs consent."""
    gone = [status(f"x{n}", extra) for n in range(deletes)]
    rows = [*(status(f"s{n}") for n in range(kept)), *gone]
    policy = Policy(direction, delete=True)
    if deletes <= cap:
        assert make_plan(rows, policy, complete=True).deletes == deletes
        return
    refused = refusal(rows, policy)
    assert refused.deletes == deletes
    assert f"(limit {cap})" in refused.message
    assert f"--max-delete {deletes}" in refused.hint


@pytest.mark.parametrize(("limit", "allowed"), [(0, False), (4, False), (5, True), (6, True)])
def test_max_delete_is_the_limit_where_it_is_given(limit: int, allowed: bool) -> None:
    """In both directions: a small number lowers it, too."""
    rows = [*(status(f"s{n}") for n in range(5)), *(status(f"x{n}", Verdict.REMOTE_ONLY) for n in range(5))]
    policy = Policy(PUSH, delete=True, max_delete=limit)
    if allowed:
        assert make_plan(rows, policy, complete=True).deletes == 5
    else:
        assert refusal(rows, policy).deletes == 5


@pytest.mark.parametrize(
    ("select", "hint"),
    [
        (("img_0001",), "Did you mean 'img_0001.*'?"),
        (("img_0001", "sub"), "Did you mean 'img_0001.*' and 'sub/*'?"),
        (("sub/",), "Did you mean 'sub/*'?"),
        (("b.txt",), "Did you mean '*/b.txt'?"),
        (("b",), "Did you mean '*/b.*'?"),
        (("*.jpeg",), "A glob must match the whole key, such as '*.txt', '0001.*' or 'folder/*'; * also matches /."),
    ],
)
def test_a_glob_that_selects_nothing_names_the_one_that_is_meant(select: tuple[str, ...], hint: str) -> None:
    keys = [Key("img_0001.png"), Key("img_0001.txt"), Key("sub/b.txt")]
    with pytest.raises(UsageError) as raised:
        Selection(select).check(keys, "82_stellar_sketch")
    assert raised.value.hint == hint
    assert raised.value.message.startswith("Nothing in 82_stellar_sketch matches --select '")


def test_a_selection_does_not_shrink_what_the_limit_is_measured_against() -> None:
    """A tenth of the whole folder, of which only the selected files may go."""
    rows = [*(status(f"s{n}.png") for n in range(19)), status("x.txt", Verdict.REMOTE_ONLY)]
    rows += [status("y.txt", Verdict.REMOTE_ONLY), status("z.png", Verdict.REMOTE_ONLY)]
    plan = make_plan(rows, Policy(PUSH, delete=True, select=("*.txt",)), complete=True)
    assert [a.key for a in plan.actions] == ["x.txt", "y.txt"]


policies = st.builds(
    Policy,
    st.sampled_from([PUSH, PULL]),
    st.sampled_from([None, *Side]),
    st.booleans(),
    st.sampled_from([None, 0, 1, 99]),
    st.sampled_from([(), ("*.txt",), ("b*", "z.png")]),
    st.none() | st.frozensets(st.sampled_from(NAMES)),
)


def planned(world: Sides, policy: Policy, *, complete: bool) -> Plan | None:
    try:
        return make_plan(world.compare(), policy, complete=complete)
    except RefusedPlan:
        assert policy.delete
        return None


@given(worlds(), policies)
def test_after_a_plan_every_file_is_synced_gone_or_was_named(world: Sides, policy: Policy) -> None:
    """Nothing that was selected is still out of sync in silence."""
    plan = planned(world, policy, complete=True)
    assume(plan is not None)
    assert plan is not None
    named = {left.status.key for left in plan.left_alone}
    world.run(plan)
    for row in world.compare():
        if policy.selects(row.key) and row.key not in named:
            assert row.verdict is Verdict.SYNCED


@given(worlds(), policies)
def test_a_second_plan_does_nothing_and_names_the_same(world: Sides, policy: Policy) -> None:
    """What was left alone stays for the same reason."""
    plan = planned(world, policy, complete=True)
    assume(plan is not None)
    assert plan is not None
    world.run(plan)
    again = planned(world, policy, complete=True)
    assert again is not None
    assert again.actions == ()
    assert [(left.status.key, left.reason) for left in again.left_alone] == [
        (left.status.key, left.reason) for left in plan.left_alone
    ]


@given(worlds(), policies, st.booleans())
def test_a_plan_keeps_to_its_policy(world: Sides, policy: Policy, complete: bool) -> None:
    """One side changes, selected keys only, each once, deletes last and only where asked for and safe."""
    rows = {row.key: row for row in world.compare()}
    plan = planned(world, policy, complete=complete)
    if plan is None:
        return
    allowed = {UP, DEL_R} if policy.direction is PUSH else {DOWN, DEL_L}
    assert {a.verb for a in plan.actions} <= allowed
    touched: list[Action | LeftAlone] = [*plan.actions, *plan.left_alone]
    assert len({t.status.key for t in touched}) == len(touched)
    assert all(rows[t.status.key] == t.status and policy.selects(t.status.key) for t in touched)
    assert all(t.status.verdict is not Verdict.SYNCED for t in touched)
    verbs = [a.verb in DELETES for a in plan.actions]
    assert verbs == sorted(verbs)
    assert not plan.deletes or (policy.delete and complete)


@given(worlds(), policies)
def test_a_push_never_changes_the_disk_nor_a_pull_the_bucket(world: Sides, policy: Policy) -> None:
    """And nobody's edit is overwritten unless the user said whose side wins."""
    plan = planned(world, policy, complete=True)
    assume(plan is not None)
    assert plan is not None
    disk, bucket, bases = dict(world.disk), dict(world.bucket), dict(world.bases)
    world.run(plan)
    assert (world.disk if policy.direction is PUSH else world.bucket) == (disk if policy.direction is PUSH else bucket)
    if policy.take is None and not policy.delete:
        lost, kept = (bucket, disk) if policy.direction is PUSH else (disk, bucket)
        after = world.bucket if policy.direction is PUSH else world.disk
        for key, data in lost.items():
            assert after[key] == data or key not in bases or data == bases[key] or kept.get(key) == data
