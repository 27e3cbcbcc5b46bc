"""What a request costs does not grow with the number of webhooks; `make bench` measures it more closely."""

from pathlib import Path

import pytest

from tests.benchmarks.webhooks import MANY, ONE, measure


@pytest.mark.timeout(180)
def test_a_change_costs_the_same_with_a_thousand_webhooks(tmp_path: Path) -> None:
    one, many = measure(tmp_path, [ONE, MANY], rounds=150)
    print(f"{one.median_ms:.2f} ms with one webhook, {many.median_ms:.2f} ms with {many.case.count}")
    assert many.median_ms <= 1.5 * one.median_ms
