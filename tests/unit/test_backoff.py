from typing import Any

import pytest

from storage.backoff import Backoff

EXACT = (1.0, 1.0)


def test_pauses_grow_from_the_first_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0, jitter=EXACT)
    assert [backoff.pause_s(attempt) for attempt in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_factor_is_the_growth_per_attempt() -> None:
    backoff = Backoff(first_s=1.0, longest_s=100.0, factor=3.0, jitter=EXACT)
    assert [backoff.pause_s(attempt) for attempt in range(4)] == [1.0, 3.0, 9.0, 27.0]


def test_any_number_of_attempts_is_accepted() -> None:
    assert Backoff(first_s=0.01, longest_s=300.0, jitter=EXACT).pause_s(10**6) == 300.0


def test_pauses_stay_within_the_jitter_and_differ() -> None:
    backoff = Backoff(first_s=8.0, longest_s=8.0, jitter=(0.25, 0.75))
    pauses = [backoff.pause_s(0) for _ in range(200)]
    assert all(2.0 <= pause <= 6.0 for pause in pauses)
    assert len(set(pauses)) > 100


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"first_s": 0, "longest_s": 1.0}, "first_s"),
        ({"first_s": 2.0, "longest_s": 1.0}, "longest_s"),
        ({"first_s": 1.0, "longest_s": 1.0, "factor": 0.5}, "factor"),
        ({"first_s": 1.0, "longest_s": 1.0, "jitter": (0.5, 0.1)}, "jitter"),
        ({"first_s": 1.0, "longest_s": 1.0, "jitter": (0.0, 2.0)}, "jitter"),
    ],
)
def test_senseless_values_are_rejected(arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Backoff(**arguments)
