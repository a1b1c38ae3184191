"""So many files and so many bytes at once, fewer when the store asks for it, and never a standstill."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from hashmark.transfer.throttle import SUCCESSES_TO_RECOVER, Throttle


def busy(throttle: Throttle, *sizes: int) -> Throttle:
    """With such work under way."""
    for size in sizes:
        throttle.begin(size)
    return throttle


def test_no_more_files_at_once_than_the_limit() -> None:
    throttle = busy(Throttle(2, 100), 1, 1)
    assert not throttle.has_room(0)
    throttle.end(1)
    assert throttle.has_room(1)


def test_no_more_bytes_at_once_than_the_memory() -> None:
    throttle = busy(Throttle(10, 100), 40, 60)
    assert throttle.has_room(0), "no bytes need no memory"
    assert not throttle.has_room(1)
    throttle.end(60)
    assert throttle.has_room(60)
    assert not throttle.has_room(61)


def test_one_file_larger_than_the_memory_goes_alone() -> None:
    throttle = busy(Throttle(10, 100), 1)
    assert not throttle.has_room(1000)
    throttle.end(1)
    assert throttle.has_room(1000)
    throttle.begin(1000)
    assert not throttle.has_room(0)


def test_a_store_that_asks_for_it_is_asked_half_as_much_and_never_nothing() -> None:
    throttle = Throttle(10, 100)
    limits = []
    for _ in range(5):
        throttle.slow_down(throttle.epoch)
        limits.append(throttle.limit)
    assert limits == [5, 2, 1, 1, 1]
    assert not busy(throttle, 1).has_room(1)


def test_after_slowing_down_those_under_way_end_before_others_begin() -> None:
    throttle = busy(Throttle(4, 100), 1, 1, 1)
    throttle.slow_down(throttle.epoch)
    throttle.end(1)
    assert not throttle.has_room(1), "two are still under way, and no more may be"
    throttle.end(1)
    assert throttle.has_room(1)


def test_it_recovers_one_by_one_up_to_where_it_began() -> None:
    throttle = Throttle(4, 100)
    throttle.slow_down(throttle.epoch)
    throttle.slow_down(throttle.epoch)
    limits = []
    for _ in range(5):
        for _ in range(SUCCESSES_TO_RECOVER - 1):
            throttle.succeeded()
        limits.append(throttle.limit)
        throttle.succeeded()
    assert limits == [1, 2, 3, 4, 4]
    assert throttle.limit == 4


def test_what_went_well_before_slowing_down_does_not_count() -> None:
    throttle = Throttle(4, 100)
    for _ in range(10 * SUCCESSES_TO_RECOVER):
        throttle.succeeded()
    throttle.slow_down(throttle.epoch)
    for _ in range(SUCCESSES_TO_RECOVER - 1):
        throttle.succeeded()
    assert throttle.limit == 2


def test_a_burst_of_refusals_to_requests_under_way_together_halves_once() -> None:
    throttle = Throttle(16, 1 << 20)
    together = throttle.epoch
    for _ in range(16):
        throttle.slow_down(together)
    assert throttle.limit == 8
    throttle.slow_down(throttle.epoch)
    assert throttle.limit == 4


@given(st.lists(st.tuples(st.sampled_from([0, 1, 30, 60, 100, 1000]), st.booleans())), st.integers(1, 6))
def test_whoever_begins_only_where_there_is_room_keeps_within_the_bounds_and_all_have_their_turn(
    work: list[tuple[int, bool]], files: int
) -> None:
    throttle, waiting = Throttle(files, 100), deque(work)
    inside: deque[tuple[int, bool]] = deque()
    while waiting or inside:
        while waiting and throttle.has_room(waiting[0][0]):
            throttle.begin(waiting[0][0])
            inside.append(waiting.popleft())
            assert len(inside) <= files
            assert len(inside) == 1 or sum(size for size, _ in inside) <= 100
        assert inside, "nothing is under way, and nothing may begin"
        size, refused = inside.popleft()
        throttle.end(size)
        if refused:
            throttle.slow_down(throttle.epoch)
        else:
            throttle.succeeded()
