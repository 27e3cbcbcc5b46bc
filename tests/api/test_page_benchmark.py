"""The benchmark of pages runs. Its results are for `make bench`."""

from pathlib import Path

import pytest

from tests.benchmarks.pages import measure
from tests.servers.stores import CATALOGUES, running


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_pages_of_a_short_and_a_long_flow_are_measured(tmp_path: Path, catalogue: str) -> None:
    lines: list[str] = []
    with running(catalogue, "files") as stores:
        found = measure(tmp_path, stores, 100, 1000, 2, lines.append)
    assert len(found) == 4
    assert all(each.short_ms > 0 and each.long_ms > 0 for each in found)
    assert lines == ["  100 of 100 segments", "  1,000 of 1,000 segments"]
