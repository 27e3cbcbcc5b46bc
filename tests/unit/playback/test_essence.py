"""What is read from the essence parameters of flows, whatever kind their values have."""

from fractions import Fraction

import pytest

from storage.playback.essence import frame_rate, resolution, whole_number
from storage.playback.media_segment import slack_of
from tests.conformance.kit.documents import VIDEO, flow

NO_RATES = ["25", 25, [], {}, {"numerator": 0}, {"numerator": "1"}, {"numerator": 25, "denominator": 0}, None]


def test_whole_numbers() -> None:
    assert [whole_number(value) for value in (0, 25, 25.0, 2**32 - 1)] == [0, 25, 25, 2**32 - 1]
    for value in (-1, 2.5, True, 2**32, 1e300, float("inf"), float("nan"), "1", None, [1]):
        assert whole_number(value) is None


@pytest.mark.parametrize("rate", NO_RATES, ids=str)
def test_what_is_no_frame_rate_is_unknown(rate: object) -> None:
    document = flow(VIDEO, essence_parameters={"frame_rate": rate})
    assert frame_rate(document) is None
    assert slack_of(document) == slack_of(flow(VIDEO, essence_parameters={}))


def test_frame_rates_are_exact() -> None:
    document = flow(VIDEO, essence_parameters={"frame_rate": {"numerator": 30000.0, "denominator": 1001}})
    assert frame_rate(document) == Fraction(30000, 1001)
    assert slack_of(document) == 33_366_666


@pytest.mark.parametrize("height", [None, 0, "720", 720.5], ids=str)
def test_a_width_alone_is_no_resolution(height: object) -> None:
    assert resolution(flow(VIDEO, essence_parameters={"frame_width": 1280, "frame_height": height})) is None
