"""The number of requests at once follows what the store and the line can do."""

from __future__ import annotations

import heapq
import random

import pytest

from hashmark.s3.concurrency import LEAST_BYTES, MAX_REQUESTS, MIN_REQUESTS, START_REQUESTS, Concurrency


def simulate(concurrency: Concurrency, seconds: float, *, latency_s: float, workers: int, since: float = 0.0) -> int:
    """Play a store that works on `workers` requests at once, each for 1 ms, at a distance. Return how many ended."""
    chance = random.Random(0)
    now, done, active, size = since, 0, 0, 30_000
    free = [since] * workers
    ends: list[float] = []
    while now < since + seconds:
        while concurrency.has_room(active, active * size, size):
            active += 1
            start = max(heapq.heappop(free), now + latency_s / 2)
            end = start + 0.001 * chance.uniform(0.9, 1.1)
            heapq.heappush(free, end)
            heapq.heappush(ends, end + latency_s / 2)
        now = heapq.heappop(ends)
        active -= 1
        done += 1
        concurrency.ended(size, now, is_queued=True)
    return done


def test_a_near_store_that_works_on_few_requests_gets_few() -> None:
    concurrency = Concurrency()
    done = simulate(concurrency, 10, latency_s=0, workers=4)
    assert concurrency.limit <= 2 * START_REQUESTS
    assert done > 0.9 * 10 * 4 * 1000


def test_a_distant_store_gets_as_many_as_it_can_use() -> None:
    concurrency = Concurrency()
    simulate(concurrency, 3, latency_s=0.05, workers=64)
    assert concurrency.limit == MAX_REQUESTS


def test_what_is_not_worth_it_is_tried_again_later() -> None:
    concurrency = Concurrency()
    simulate(concurrency, 10, latency_s=0, workers=4)
    simulate(concurrency, 20, latency_s=0.05, workers=64, since=10)
    assert concurrency.limit >= MAX_REQUESTS // 2


def test_a_run_that_never_fills_its_room_gets_no_more() -> None:
    concurrency = Concurrency()
    for n in range(10_000):
        concurrency.ended(1000, n / 1000, is_queued=False)
    assert concurrency.limit == START_REQUESTS


def test_a_busy_store_halves_the_limit_once_for_all_that_was_on_the_wire() -> None:
    concurrency = Concurrency()
    together = concurrency.epoch
    for _ in range(10):
        concurrency.slow_down(together)
    assert concurrency.limit == START_REQUESTS // 2
    for _ in range(10):
        concurrency.slow_down(concurrency.epoch)
    assert concurrency.limit == 1
    assert concurrency.has_room(0, 0, 10**9)


def test_it_recovers_from_a_busy_store() -> None:
    concurrency = Concurrency()
    for _ in range(10):
        concurrency.slow_down(concurrency.epoch)
    simulate(concurrency, 120, latency_s=0.05, workers=64)
    assert concurrency.limit >= MAX_REQUESTS // 2


def test_a_slow_line_has_about_a_second_of_bytes_on_it() -> None:
    """125 kB/s; files of 100 kB, of which some are always on the wire."""
    concurrency = Concurrency()
    for n in range(200):
        concurrency.ended(100_000, n * 0.8, is_queued=True)
    assert concurrency.max_bytes == LEAST_BYTES
    assert concurrency.has_room(MIN_REQUESTS - 1, 10 * LEAST_BYTES, 100_000)
    assert not concurrency.has_room(MIN_REQUESTS, LEAST_BYTES - 1, 100_000)


@pytest.mark.parametrize("most", [1, 4, 100])
def test_it_never_exceeds_what_the_process_may_open(most: int) -> None:
    concurrency = Concurrency(most)
    simulate(concurrency, 3, latency_s=0.05, workers=64)
    assert concurrency.limit <= most
