"""Playlists that are kept for a second, for many players at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.catalog.playback.recent_texts import LIFETIME_S, RecentTexts
from storage.error_codes import TOO_MANY_SEGMENTS
from storage.errors import Invalid, NotFound, TamsError, Unavailable
from storage.waiting import WouldWait, WouldWaitForOthers, answer_at_once, not_for_others


def test_five_hundred_players_cost_one_look_a_second() -> None:
    now = 0.0
    texts = RecentTexts(clock=lambda: now)
    looks = []
    entered = threading.Barrier(501)

    def write() -> bytes:
        looks.append(now)
        return b"text"

    def play(_: int) -> bytes:
        entered.wait(60)
        return texts.get("flow", write)

    with ThreadPoolExecutor(500) as players:
        found = players.map(play, range(500))
        entered.wait(60)
        assert set(found) == {b"text"}
    assert looks == [0.0]
    now += LIFETIME_S
    assert texts.get("flow", write) == b"text"
    assert looks == [0.0, LIFETIME_S]


def test_texts_are_of_their_key() -> None:
    texts = RecentTexts()
    assert [texts.get(key, lambda key=key: key) for key in (b"a", b"b", b"a")] == [b"a", b"b", b"a"]


def test_an_error_is_raised_and_not_kept() -> None:
    texts = RecentTexts()
    with pytest.raises(LookupError):
        texts.get("flow", lambda: {}["nothing"])
    assert texts.get("flow", lambda: b"text") == b"text"


def test_an_error_about_the_content_is_kept_as_long_as_a_text() -> None:
    now = 0.0
    texts = RecentTexts(clock=lambda: now)
    looks = []

    def write() -> bytes:
        looks.append(now)
        raise Invalid("too many segments", code=TOO_MANY_SEGMENTS, field="timerange")

    for _ in range(3):
        with pytest.raises(Invalid, match="too many") as error:
            texts.get("flow", write)
        assert (error.value.code, error.value.field) == (TOO_MANY_SEGMENTS, "timerange")
    now += LIFETIME_S
    assert texts.get("flow", lambda: b"text") == b"text"
    assert looks == [0.0]


@pytest.mark.parametrize("error", [Unavailable("no store"), NotFound("no flow, which may be created at once")])
def test_other_errors_are_not_kept(error: TamsError) -> None:
    texts = RecentTexts()

    def write() -> bytes:
        raise error

    with pytest.raises(type(error)):
        texts.get("flow", write)
    assert texts.get("flow", lambda: b"text") == b"text"


def test_who_waits_for_a_writer_that_waits_for_a_store_does_so_in_another_thread() -> None:
    texts = RecentTexts()
    writing, stored = threading.Event(), threading.Event()

    def write() -> bytes:
        writing.set()
        assert stored.wait(60)
        return b"text"

    with ThreadPoolExecutor(2) as lookups:
        first = lookups.submit(texts.get, "flow", write)
        assert writing.wait(60)
        try:
            with not_for_others(), pytest.raises(WouldWaitForOthers):
                texts.get("flow", write)
            second = lookups.submit(texts.get, "flow", write)
        finally:
            stored.set()
        assert first.result(60) == second.result(60) == b"text"


def test_nobody_waits_for_ever_for_the_thread_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.playback.recent_texts._LONGEST_WAIT_S", 0.0)
    texts = RecentTexts()
    writing, stored = threading.Event(), threading.Event()

    def write() -> bytes:
        writing.set()
        assert stored.wait(60)
        return b"text"

    with ThreadPoolExecutor(1) as players:
        first = players.submit(texts.get, "flow", write)
        assert writing.wait(60)
        try:
            with pytest.raises(Unavailable):
                texts.get("flow", write)
        finally:
            stored.set()
        assert first.result(60) == b"text"


def test_only_a_text_that_is_kept_is_returned_at_once() -> None:
    texts = RecentTexts()
    with answer_at_once(), pytest.raises(WouldWait):
        texts.get("flow", lambda: b"text")
    texts.get("flow", lambda: b"text")
    with answer_at_once():
        assert texts.get("flow", lambda: b"other") == b"text"


def test_a_player_that_may_wait_for_a_store_does_so_itself() -> None:
    """The first player is in a thread that must not, and is called again in another."""
    texts = RecentTexts()
    writing, waiting = threading.Event(), threading.Event()

    def must_not() -> bytes:
        writing.set()
        assert waiting.wait(60)
        raise WouldWaitForOthers("lookup")

    def in_handler_thread() -> bytes:
        with not_for_others():
            return texts.get("flow", must_not)

    with ThreadPoolExecutor(2) as players:
        first = players.submit(in_handler_thread)
        assert writing.wait(60)
        second = players.submit(texts.get, "flow", lambda: b"text")
        waiting.set()
        assert second.result(60) == b"text"
        with pytest.raises(WouldWaitForOthers):
            first.result(60)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.playback.recent_texts._MOST_BYTES", 100)
    texts = RecentTexts(clock=lambda: 0.0)
    for number in range(10):
        texts.get(number, lambda: bytes(40))
    looks = []
    for number in range(10):
        texts.get(number, lambda number=number: looks.append(number) or b"")
    assert 0 in looks
    assert 9 not in looks
