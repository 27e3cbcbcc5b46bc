"""Where objects can be cut, by the pictures in them."""

import pytest

from storage.playback.cut_points import Unit, byte_range, cut_points

FRAME = 40_000_000
SIZE = 1000


def units(*times: int, keys: tuple[int, ...] = (0,)) -> list[Unit]:
    """A picture for each time in frames, in the order of the file, each of 100 bytes. keys: their positions."""
    return [
        Unit(100 * n, 100 * n - 10 if n in keys and n else (0 if n in keys else None), time * FRAME, time * FRAME)
        for n, time in enumerate(times)
    ]


def cut(found: list[Unit], start: int | None, end: int | None) -> tuple[int, int] | None:
    """The bytes between two times in frames."""
    start_ns, end_ns = (None if each is None else each * FRAME for each in (start, end))
    return byte_range(cut_points(found), start_ns, end_ns, SIZE)


def test_a_part_from_one_key_frame_to_the_next() -> None:
    found = units(0, 1, 2, 3, 4, 5, 6, 7, keys=(0, 4))
    assert cut(found, 4, 6) == (390, 600)
    assert cut(found, 4, None) == (390, SIZE)
    assert cut(found, None, 4) == (0, 400)


def test_a_part_begins_with_a_key_frame_only() -> None:
    found = units(0, 1, 2, 3, keys=(0,))
    assert cut(found, 1, 3) is None
    assert cut(units(0, 1, keys=()), None, 1) is None


def test_a_part_does_not_end_between_pictures_that_are_shown_in_another_order() -> None:
    found = units(0, 2, 1, 4, 3, 6, 5, keys=(0,))
    assert cut(found, None, 1) == (0, 100)
    assert cut(found, None, 2) is None
    assert cut(found, None, 3) == (0, 300)


def test_pictures_before_their_key_frame_belong_to_no_part() -> None:
    """An open group: the picture 3 needs the key frame 4 and the group before."""
    found = units(0, 1, 2, 4, 3, 5, keys=(0, 3))
    assert cut(found, 4, None) is None
    assert cut(found, 3, None) is None
    assert cut(found, None, 3) == (0, 300)


@pytest.mark.parametrize(("difference", "is_found"), [(0, True), (999_999, True), (-999_999, True), (1_000_000, False)])
def test_times_are_compared_to_the_millisecond(difference: int, is_found: bool) -> None:
    points = cut_points(units(0, 1, 2, keys=(0, 1)))
    assert (byte_range(points, FRAME + difference, None, SIZE) is not None) is is_found


def test_an_object_without_pictures_has_no_parts() -> None:
    assert byte_range([], None, 1, SIZE) is None


def test_a_part_has_bytes() -> None:
    assert cut(units(0, 1, 2, keys=(0, 1)), 1, 1) is None
