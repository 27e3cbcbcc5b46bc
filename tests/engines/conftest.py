"""The engines that the suite runs over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.tables import open_engine
from storage.tables.engine import Engine


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty engine with its tables made."""
    engine = open_engine(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    engine.create()
    yield engine
    engine.close()
