"""So many files and so many bytes at once, fewer when the store asks for it, and never a standstill."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hashmark.transfer.throttle import RECOVERY, Throttle

MOMENT = 0.05
"""Long enough for a thread that may go in to have gone in."""


class Crowd:
    """Other threads that want to be let in, and stay until the test ends."""

    def __init__(self) -> None:
        self._leave = threading.Event()
        self._threads: list[threading.Thread] = []

    def enter(self, throttle: Throttle, size: int = 1) -> threading.Event:
        """One more of them; the event is set once it is inside."""
        inside = threading.Event()

        def work() -> None:
            with throttle.admit(size):
                inside.set()
                self._leave.wait(30)

        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()
        return inside

    def disperse(self) -> None:
        self._leave.set()
        for thread in self._threads:
            thread.join(10)
        assert not [thread for thread in self._threads if thread.is_alive()], "someone was never let in"


@pytest.fixture(name="crowd")
def fixture_crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.disperse()


def test_no_more_files_at_once_than_the_limit(crowd: Crowd) -> None:
    throttle = Throttle(2, 100)
    with ExitStack() as first, throttle.admit(1):
        first.enter_context(throttle.admit(1))
        third = crowd.enter(throttle)
        assert not third.wait(MOMENT)
        first.close()
        assert third.wait(10)


def test_no_more_bytes_at_once_than_the_memory(crowd: Crowd) -> None:
    throttle = Throttle(10, 100)
    with ExitStack() as first, throttle.admit(40):
        first.enter_context(throttle.admit(60))
        larger, fitting, empty = (crowd.enter(throttle, size) for size in (61, 60, 0))
        assert empty.wait(10), "no bytes need no memory"
        assert not fitting.wait(MOMENT)
        first.close()
        assert fitting.wait(10)
        assert not larger.wait(MOMENT)


def test_one_file_larger_than_the_memory_goes_alone(crowd: Crowd) -> None:
    throttle = Throttle(10, 100)
    with throttle.admit(1):
        large = crowd.enter(throttle, 1000)
        assert not large.wait(MOMENT)
    assert large.wait(10)
    for size in (0, 1000):
        assert not crowd.enter(throttle, size).wait(MOMENT)


def test_a_place_is_given_back_when_the_work_fails(crowd: Crowd) -> None:
    throttle = Throttle(1, 100)
    with pytest.raises(ZeroDivisionError), throttle.admit(100):
        raise ZeroDivisionError
    assert crowd.enter(throttle, 100).wait(10)


def test_a_store_that_asks_for_it_is_asked_half_as_much_and_never_nothing(crowd: Crowd) -> None:
    throttle = Throttle(10, 100)
    limits = []
    for _ in range(5):
        throttle.slow_down()
        limits.append(throttle.limit)
    assert limits == [5, 2, 1, 1, 1]
    with throttle.admit(1):
        assert not crowd.enter(throttle).wait(MOMENT)


def test_after_slowing_down_those_inside_end_before_others_begin(crowd: Crowd) -> None:
    throttle = Throttle(4, 100)
    with ExitStack() as first, ExitStack() as second, throttle.admit(1):
        first.enter_context(throttle.admit(1))
        second.enter_context(throttle.admit(1))
        throttle.slow_down()
        later = crowd.enter(throttle)
        assert not later.wait(MOMENT)
        first.close()
        assert not later.wait(MOMENT), "two are still inside, and no more may be"
        second.close()
        assert later.wait(10)


def test_it_recovers_one_by_one_up_to_where_it_began() -> None:
    throttle = Throttle(4, 100)
    throttle.slow_down()
    throttle.slow_down()
    limits = []
    for _ in range(5):
        for _ in range(RECOVERY - 1):
            throttle.succeeded()
        limits.append(throttle.limit)
        throttle.succeeded()
    assert limits == [1, 2, 3, 4, 4]
    assert throttle.limit == 4


def test_what_went_well_before_slowing_down_does_not_count() -> None:
    throttle = Throttle(4, 100)
    for _ in range(10 * RECOVERY):
        throttle.succeeded()
    throttle.slow_down()
    for _ in range(RECOVERY - 1):
        throttle.succeeded()
    assert throttle.limit == 2


def test_a_recovery_lets_in_who_waits(crowd: Crowd) -> None:
    throttle = Throttle(2, 100)
    throttle.slow_down()
    with throttle.admit(1):
        second = crowd.enter(throttle)
        assert not second.wait(MOMENT)
        for _ in range(RECOVERY):
            throttle.succeeded()
        assert second.wait(10)


@pytest.mark.timeout(60)
def test_many_threads_keep_within_the_bounds_and_all_come_to_an_end() -> None:
    files, memory = 5, 100
    throttle = Throttle(files, memory)
    lock = threading.Lock()
    inside: list[int] = []
    broken: list[list[int]] = []
    done = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            size = chance.choice([0, 1, 30, 60, 100, 1000])
            with throttle.admit(size):
                with lock:
                    inside.append(size)
                    if len(inside) > files or (sum(inside) > memory and len(inside) > 1):
                        broken.append(list(inside))
                if chance.random() < 0.05:
                    throttle.slow_down()
                else:
                    throttle.succeeded()
                with lock:
                    inside.remove(size)
        done.append(seed)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert sorted(done) == list(range(12))
    assert broken == []


def test_a_burst_of_refusals_to_requests_under_way_together_halves_once() -> None:
    throttle = Throttle(16, 1 << 20)
    together = throttle.epoch
    for _ in range(16):
        throttle.slow_down(together)
    assert throttle.limit == 8
    throttle.slow_down(throttle.epoch)
    assert throttle.limit == 4
