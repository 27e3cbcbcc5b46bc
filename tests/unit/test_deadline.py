"""Calls with a deadline."""

import asyncio
import gc
import threading
import time

import pytest

from storage.errors import Unavailable
from tams_server.deadline import CallWithDeadline


def test_a_result_is_cached_for_a_second() -> None:
    calls: list[int] = []
    call = CallWithDeadline(lambda: calls.append(1) or len(calls))
    assert [call.get(), call.get()] == [1, 1]
    time.sleep(1.1)
    assert call.get() == 2


def test_an_exception_is_raised_for_every_thread_that_waits() -> None:
    def fail() -> None:
        raise Unavailable("the database is down")

    call = CallWithDeadline(fail)
    for _ in range(2):
        with pytest.raises(Unavailable, match="the database is down"):
            call.get()


def test_a_hanging_call_is_unavailable_at_its_deadline_and_is_not_repeated() -> None:
    release, calls = threading.Event(), []

    def hang() -> str:
        calls.append(1)
        release.wait(30)
        return "done"

    call = CallWithDeadline(hang, deadline_s=0.2)
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unavailable, match="not responding"):
            call.get()
    assert time.monotonic() - started < 2
    assert len(calls) == 1
    release.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert call.get() == "done"
            break
        except Unavailable:
            time.sleep(0.01)
    assert len(calls) == 1


def test_coroutines_wait_without_threads() -> None:
    release = threading.Event()
    call = CallWithDeadline(lambda: release.wait(10), deadline_s=0.3)

    async def wait_many() -> list[object]:
        before = threading.active_count()
        waiting = [asyncio.create_task(call.wait()) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert threading.active_count() <= before + 1
        waiting.pop().cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    errors = asyncio.run(wait_many())
    assert {type(error) for error in errors} == {Unavailable}
    release.set()

    async def wait_once() -> object:
        return await CallWithDeadline(lambda: 5).wait()

    assert asyncio.run(wait_once()) == 5


def test_an_exception_is_raised_for_everyone_who_asks_and_reported_to_no_one_else() -> None:
    reported: list[object] = []

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        call = CallWithDeadline(fail)
        traces = set()
        for _ in range(3):
            with pytest.raises(Unavailable) as raised:
                await call.wait()
            traces.add(len(raised.traceback))
        assert len(traces) == 1
        late = CallWithDeadline(fail_late, deadline_s=0.01)
        with pytest.raises(Unavailable, match="not responding"):
            await late.wait()
        await asyncio.sleep(0.2)

    def fail() -> None:
        time.sleep(0.02)
        raise Unavailable("no")

    def fail_late() -> None:
        time.sleep(0.1)
        raise Unavailable("no")

    asyncio.run(ask())
    gc.collect()
    assert reported == []
