"""The cost of a request does not grow with the number of webhooks. `make bench` measures it more precisely."""

import sys
from pathlib import Path

import pytest

from tests.benchmarks.webhooks import MANY, ONE, measure


@pytest.mark.skipif(sys.platform != "linux", reason="reads CPU times from /proc")
@pytest.mark.timeout(180)
def test_a_change_costs_the_same_with_a_thousand_webhooks(tmp_path: Path) -> None:
    one, many = measure(tmp_path, [ONE, MANY], rounds=150)
    for cost in (one, many):
        print(f"{cost.case.name}: median {cost.median_ms:.2f} ms, of processor time {cost.cpu_ms:.2f} ms")
    assert many.cpu_ms <= 1.4 * one.cpu_ms
    assert many.median_ms <= 2 * one.median_ms
