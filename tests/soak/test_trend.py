"""The verdict on measurements: noise is flat, a leak is not, however small it is beside the noise."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.measured import memory_used
from tests.soak.sampling import KIB, MIB, PROCESS_LIMITS, STORE_LIMITS
from tests.soak.trend import WARM_UP_RESPONSES, Limit, Measurement, fit

MEMORY = PROCESS_LIMITS["memory"]
MINUTES = 30
EVERY_S = 2.0
RESPONSES_PER_MINUTE = 3000

LEAK = """
import runpy, sys
memory_used = runpy.run_path(sys.argv[1])["memory_used"]
kept, leak = [], int(sys.argv[2])
for _ in range(60):
    for number in range(1000):
        made = bytes(100), bytes(2000)
        if leak:
            kept.append(made[0])
    print(*memory_used())
"""
"""A process that allocates with each of 60,000 requests, and may keep 100 bytes of that."""


def measured(
    growth: float, limit: Limit, noise: float, *, base: float = 100 * MIB, responses: int = RESPONSES_PER_MINUTE
) -> list[Measurement]:
    """What is measured in half an hour: warming up for six minutes, with noise above the line.

    growth: in the unit of the limit, a minute or 1,000 responses. responses: in a minute.
    """
    chance = random.Random(1)
    found = []
    for number in range(int(MINUTES * 60 / EVERY_S)):
        at_s = number * EVERY_S
        now = Measurement(at_s, int(at_s * responses / 60), 0)
        warm = min(at_s / 360, 1.0)
        value = base * (0.5 + warm / 2) + growth * limit.position(now) + noise * chance.random() ** 4
        found.append(now._replace(value=value))
    return found


def used_by_a_process(*, leak: bool) -> list[tuple[int, int]]:
    command = [sys.executable, "-c", LEAK, str(Path(memory_used.__file__)), str(int(leak))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


def test_noise_after_a_warm_up_is_flat() -> None:
    assert fit("memory", measured(0, MEMORY, 80 * MIB), MEMORY).is_flat


@pytest.mark.parametrize("noise", [0, 5 * MIB, 80 * MIB])
def test_a_leak_is_found_in_any_noise(noise: float) -> None:
    trend = fit("memory", measured(MIB, MEMORY, noise), MEMORY)
    assert not trend.is_flat
    assert trend.slope == pytest.approx(MIB, rel=0.25)
    assert "GROWS" in str(trend)


@pytest.mark.parametrize("responses", [RESPONSES_PER_MINUTE // 10, RESPONSES_PER_MINUTE, 10 * RESPONSES_PER_MINUTE])
def test_a_leak_with_each_response_is_found_on_slow_and_fast_machines(responses: int) -> None:
    limit = PROCESS_LIMITS["allocated"]
    verdicts = [
        fit("allocated", measured(growth, limit, MIB, responses=responses), limit).is_flat for growth in (0, 50 * KIB)
    ]
    assert verdicts == [True, False]


def test_a_hundred_bytes_with_every_request_are_found() -> None:
    limit = PROCESS_LIMITS["objects"]
    verdicts = []
    for leak in (False, True):
        used = used_by_a_process(leak=leak)
        # As in a soak of two processes, whose clients have received twice as many responses as either has sent.
        series = [Measurement(at, 2000 * at, objects) for at, (_, objects) in enumerate(used)]
        verdicts.append(fit("objects", series, limit).is_flat)
    assert verdicts == [True, False]


@pytest.mark.parametrize("responses", [RESPONSES_PER_MINUTE // 10, RESPONSES_PER_MINUTE, 10 * RESPONSES_PER_MINUTE])
def test_growth_that_begins_after_the_warm_up_is_found(responses: int) -> None:
    """However long the warm-up lasts, half of the run is judged."""
    limit = PROCESS_LIMITS["allocated"]
    flat = measured(0, limit, MIB, responses=responses)
    late = [each._replace(value=each.value + max(0.0, each.at_s / 60 - 15) * MIB) for each in flat]
    assert [fit("allocated", each, limit).is_flat for each in (flat, late)] == [True, False]


def test_caches_that_fill_up_with_the_first_responses_are_flat() -> None:
    limit = PROCESS_LIMITS["allocated"]
    filling = [
        Measurement(at * 2.0, at * 100, 50 * MIB + 4 * MIB * min(1.0, at * 100 / WARM_UP_RESPONSES))
        for at in range(900)
    ]
    assert fit("allocated", filling, limit).is_flat
    for_ever = [each._replace(value=50 * MIB + 100 * each.responses) for each in filling]
    assert not fit("allocated", for_ever, limit).is_flat


def test_a_file_that_stays_open_now_and_then_is_found() -> None:
    series = [Measurement(at * 2.0, at * 100, float(30 + at // 40)) for at in range(300)]
    assert not fit("open files", series, PROCESS_LIMITS["open files"]).is_flat


def test_a_table_that_grows_with_every_request_is_found() -> None:
    limit = STORE_LIMITS["rows"]
    assert not fit("rows", measured(60, limit, 100, base=500), limit).is_flat
    assert fit("rows", measured(0, limit, 100, base=500), limit).is_flat


def test_too_few_measurements_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="3 measurements are too few"):
        fit("memory", measured(0, MEMORY, 0)[:3], MEMORY)


def test_memory_without_responses_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="no responses"):
        fit("memory", measured(0, MEMORY, 0, responses=0), MEMORY)
