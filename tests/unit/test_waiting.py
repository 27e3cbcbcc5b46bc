"""storage.waiting: what is about to wait ends an attempt to answer at once, in its own thread only."""

import threading

import pytest

from storage.waiting import (
    LongAnswer,
    WouldWait,
    about_to_take_long,
    about_to_wait,
    answer_at_once,
    must_answer_at_once,
)


def test_waiting_is_allowed_outside_the_block() -> None:
    about_to_wait()
    with answer_at_once():
        pass
    about_to_wait()


def test_waiting_ends_an_attempt_to_answer_at_once() -> None:
    with pytest.raises(WouldWait), answer_at_once():
        about_to_wait()
    assert not must_answer_at_once()


def test_a_long_answer_ends_an_attempt_unless_the_thread_has_time_for_it() -> None:
    about_to_take_long()
    with pytest.raises(LongAnswer), answer_at_once():
        about_to_take_long()
    with answer_at_once(may_take_long=True):
        about_to_take_long()
        with pytest.raises(WouldWait):
            about_to_wait()


def test_other_threads_may_wait_meanwhile() -> None:
    seen: list[bool] = []
    with answer_at_once():
        assert must_answer_at_once()
        thread = threading.Thread(target=lambda: seen.append(must_answer_at_once()))
        thread.start()
        thread.join()
    assert seen == [False]
