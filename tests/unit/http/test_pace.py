"""The rate at which a client must send."""

from tams_server.http.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_window_needs_its_bytes() -> None:
    clock = Clock()
    pace = Pace(10, 5, clock)
    pace.add(50)
    clock.now += 4.9
    assert pace.is_kept()
    clock.now += 0.1
    assert pace.is_kept()
    assert pace.remaining_s == 5
    pace.add(49)
    clock.now += 5
    assert not pace.is_kept()


def test_some_byte_must_come_without_a_rate() -> None:
    clock = Clock()
    pace = Pace(0, 5, clock)
    pace.add(1)
    clock.now += 5
    assert pace.is_kept()
    clock.now += 5
    assert not pace.is_kept()


def test_time_of_our_own_does_not_count() -> None:
    clock = Clock()
    pace = Pace(10, 5, clock)
    taken = pace.now()
    clock.now += 60
    pace.leave_out(taken)
    assert pace.remaining_s == 5
    assert pace.is_kept()
