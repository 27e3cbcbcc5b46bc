"""The benchmark of pages runs on every store. Its results are for `make bench`."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.benchmarks.frame import ROOT, Options, Result, Shared
from tests.benchmarks.rows.pages import measure_pages
from tests.servers.stores import CATALOGUES


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_pages_of_a_short_and_a_long_flow_are_measured(tmp_path: Path, catalogue: str) -> None:
    lines: list[str] = []
    with ExitStack() as stack:
        options = Options(
            checkout=ROOT,
            stores=[catalogue],
            sizes=[100, 1000],
            listing_sizes=[],
            rounds=2,
            short=False,
            tools=tmp_path,
            shared=Shared(stack),
            say=lines.append,
        )
        found = [each for each in measure_pages(options) if isinstance(each, Result)]
    assert len(found) == 10
    assert all(each.baseline and each.baseline.median > 0 and each.sample.median > 0 for each in found)
    assert lines == [f"{catalogue}: 100 segments", f"{catalogue}: 1,000 segments"]
