"""A few threads run many coroutines: one that waits for an answer holds no thread, and goes on when its own comes."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from hashmark.s3.waiting import Pending, finish
from hashmark.transfer.coroutine_pool import CoroutinePool


async def twice(first: Pending[int], second: Pending[int]) -> int:
    return await first + await second


def test_far_more_coroutines_wait_than_there_are_threads_and_each_gets_its_own_answers() -> None:
    asked: list[Pending[int]] = [Pending() for _ in range(200)]
    ended: list[Pending[int]] = [Pending() for _ in range(100)]
    threads = set()

    async def work(number: int) -> None:
        answer = await twice(asked[2 * number], asked[2 * number + 1])
        threads.add(threading.current_thread().name)
        ended[number].set_result(answer)

    with CoroutinePool(2) as pool:
        for number in range(100):
            pool.start(work(number))
        for number in reversed(range(200)):  # in another order than they were asked
            asked[number].set_result(number)
        assert not wait(ended, timeout=30).not_done
    assert [end.result() for end in ended] == [4 * number + 1 for number in range(100)]
    assert threads <= {"transfer-0", "transfer-1"}


def test_an_answer_that_is_there_already_is_not_waited_for() -> None:
    first, second, end = Pending[int](), Pending[int](), Pending[int]()
    first.set_result(3)
    second.set_result(4)

    async def work() -> None:
        end.set_result(await twice(first, second))

    with CoroutinePool(1) as pool:
        pool.start(work())
        assert end.result(timeout=30) == 7


def test_an_error_is_raised_where_the_answer_is_awaited() -> None:
    asked = Pending[int]()
    said = Pending[str]()

    async def work() -> None:
        try:
            await asked
        except ZeroDivisionError:
            said.set_result("refused")

    with CoroutinePool(1) as pool:
        pool.start(work())
        asked.set_exception(ZeroDivisionError())
        assert said.result(timeout=30) == "refused"


def test_one_coroutine_can_be_run_to_its_end_without_a_pool() -> None:
    first, second = Pending[int](), Pending[int]()
    threading.Timer(0.05, first.set_result, [1]).start()
    threading.Timer(0.1, second.set_result, [2]).start()
    assert finish(twice(first, second)) == 3
    refused = Pending[int]()
    refused.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        finish(twice(first, refused))
